"""Bytes that should be a Kubernetes object: an object that is written and read again the same, or `DecodeError`."""

from argocd_agent.errors import DecodeError
from argocd_agent.resources.kinds import APPLICATIONS
from argocd_agent.resources.objects import decode_object


def check(data: bytes) -> None:
    """Raises AssertionError where an object changes on its way through bytes."""
    try:
        obj = decode_object(data)
    except DecodeError:
        return
    assert decode_object(obj.encode()) == obj
    written = decode_object(obj.encode(APPLICATIONS))
    assert (written.look("kind"), written.look("apiVersion")) == ("Application", "argoproj.io/v1alpha1")
    assert obj.with_annotations({"a": "b"}).with_annotations({"a": None}).metadata.name == obj.metadata.name
    for name in obj.fields:
        try:
            obj.look(name)
        except DecodeError as error:
            _names(name, error)


def _names(field: str, error: DecodeError) -> None:
    assert str(error).startswith(f"{field}: "), "an error names the field"
