"""Argo CD's cache keys: which application one is about, and what it is called on that application's spoke.

Source: docs/protocol, 9.2. A key about an application is `app|managed-resources|APP|…` or `app|resources-tree|APP|…`,
whatever follows (a version, or a shard and a version); APP is NAMESPACE_NAME, or NAME for one in Argo CD's own
namespace. Neither namespaces nor names have underscores. Channels are named like keys.
"""

from dataclasses import dataclass

from argocd_agent.errors import DecodeError

TREE, MANAGED = "resources-tree", "managed-resources"
_APP = "app"
_OF_APPLICATIONS = (MANAGED, TREE)
_UNCHANGED = ("git-refs|", "gitdirs|", "gitfiles|")  # of repositories, which are the same everywhere


@dataclass(frozen=True, slots=True)
class AppKey:
    """A key about an application. `namespace` is empty for Argo CD's own; `rest` is what follows, with its bars."""

    kind: str
    namespace: str
    name: str
    rest: str

    @property
    def is_tree(self) -> bool:
        """Whether the resource tree stands under it."""
        return self.kind == TREE


def app_key(key: str) -> AppKey | None:
    """What *key* says of an application; None if it is about something else."""
    first, _, after = key.partition("|")
    kind, _, after = after.partition("|")
    if first != _APP or kind not in _OF_APPLICATIONS:
        return None
    app, bar, rest = after.partition("|")
    namespace, underscore, name = app.partition("_")
    if not underscore:
        namespace, name = "", app
    return AppKey(kind, namespace, name, bar + rest) if name else None


def on_spoke(key: str, *, destination_mapping: bool) -> str:
    """What the hub's *key* is called on the spoke. Raises `DecodeError` for one that the hub has no business with.

    With namespace mapping the spoke's applications are all in Argo CD's own namespace there, and lose theirs.
    """
    if destination_mapping or key.startswith(_UNCHANGED):
        return key
    found = app_key(key)
    if found is None or not found.namespace or not found.rest:
        wanted = f"{_APP}|{TREE}|NAMESPACE_NAME|VERSION or {_APP}|{MANAGED}|NAMESPACE_NAME|VERSION"
        raise DecodeError(f"cache key: expected {wanted}, found {key[:200]!r}")
    return f"{_APP}|{found.kind}|{found.name}{found.rest}"
