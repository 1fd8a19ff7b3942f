"""Kubernetes API paths: what they name and its path again, or the named error."""

from argocd_agent.errors import DecodeError
from argocd_agent.wire.kubepaths import parse_path, path_of


def check(data: bytes) -> None:
    """Raises AssertionError where a path that was understood names something that another path would not."""
    try:
        what = parse_path(data.decode("latin-1"))
    except DecodeError:
        return
    assert parse_path(path_of(what)) == what
    parts = (what.group, what.version, what.namespace, what.resource, what.name, what.subresource)
    assert not any(part in (".", "..") or "/" in part or "\\" in part for part in parts)
