"""What an AppProject lets its Applications make on their own cluster. Pure.

Source: https://argo-cd.readthedocs.io/en/stable/user-guide/projects/. A pattern of a destination that begins with `!`
forbids what it matches, whatever else allows it.
"""

from typing import Any

from argocd_agent.errors import ConfigError, DecodeError
from argocd_agent.protocol.names import DESTINATION_IN_CLUSTER, DESTINATION_IN_CLUSTER_SERVER
from argocd_agent.resources.objects import Object
from argocd_agent.resources.patterns import matches_any

_NAMESPACED = ("namespaceResourceWhitelist", "namespaceResourceBlacklist")
_CLUSTER_WIDE = ("clusterResourceWhitelist", "clusterResourceBlacklist")


def permits(project: Object, group: str, kind: str, namespace: str) -> bool:
    """Whether *project* allows an object of *kind* in *namespace*; empty: one of the whole cluster."""
    try:
        spec = project.look("spec")
    except DecodeError:
        return False
    return isinstance(spec, dict) and _permits_kind(spec, group, kind, namespace) and _permits_place(spec, namespace)


def _permits_kind(spec: dict[str, Any], group: str, kind: str, namespace: str) -> bool:
    allowed_name, denied_name = _NAMESPACED if namespace else _CLUSTER_WIDE
    allowed, denied = spec.get(allowed_name), spec.get(denied_name)
    # Without a list every kind of a namespace is allowed, and no kind of the whole cluster.
    is_allowed = bool(namespace) if allowed is None else _is_in(allowed, group, kind)
    return is_allowed and not _is_in(denied, group, kind)


def _is_in(listed: object, group: str, kind: str) -> bool:
    entries = listed if isinstance(listed, list) else []
    return any(
        _matches(entry.get("group", ""), group) and _matches(entry.get("kind", ""), kind)
        for entry in entries
        if isinstance(entry, dict)
    )


def _permits_place(spec: dict[str, Any], namespace: str) -> bool:
    listed = spec.get("destinations")
    here = [one for one in listed if isinstance(one, dict) and _is_here(one)] if isinstance(listed, list) else []
    if not namespace:
        return bool(here)
    patterns = [one.get("namespace", "") for one in here]
    if any(isinstance(p, str) and p.startswith("!") and _matches(p[1:], namespace) for p in patterns):
        return False
    return any(_matches(pattern, namespace) for pattern in patterns)


def _is_here(destination: dict[str, Any]) -> bool:
    """Whether it is about the cluster where the project is."""
    server, name = destination.get("server", ""), destination.get("name", "")
    return _matches(server, DESTINATION_IN_CLUSTER_SERVER) or _matches(name, DESTINATION_IN_CLUSTER)


def _matches(pattern: object, text: str) -> bool:
    if not isinstance(pattern, str) or not pattern or pattern.startswith("!"):
        return pattern == "" and text == ""
    try:
        return matches_any((pattern,), text)
    except ConfigError:
        return False
