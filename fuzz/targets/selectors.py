"""Label and field selectors in Kubernetes' syntax: a decision, or the named error."""

import contextlib

from argocd_agent.errors import DecodeError
from argocd_agent.resources.selectors import parse_fields, parse_labels


def check(data: bytes) -> None:
    """Raises AssertionError where a selector decides differently the second time."""
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(DecodeError):
        labels = parse_labels(text)
        assert labels.matches({"a": "b"}) == parse_labels(text).matches({"a": "b"})
    with contextlib.suppress(DecodeError):
        parse_fields(text).matches(lambda field: field)
