"""Which objects take part at all; everything else does not exist for us."""

from argocd_agent.protocol.names import LABEL_IGNORE_SYNC
from argocd_agent.resources.objects import Object
from argocd_agent.resources.patterns import matches_any


def selector(extra: str) -> str:
    """The label selector of everything that is synchronised, *extra* (Kubernetes' syntax) joined to ours."""
    ours = f"{LABEL_IGNORE_SYNC}!=true"
    return f"{ours},{extra}" if extra else ours


def is_ignored(obj: Object) -> bool:
    """Whether its owner keeps *obj* out, by label."""
    return obj.labels.get(LABEL_IGNORE_SYNC) == "true"


def admits(obj: Object, allowed_namespaces: tuple[str, ...]) -> bool:
    """Whether an Application on the hub takes part. No allowed namespace admits nothing."""
    return not is_ignored(obj) and matches_any(allowed_namespaces, obj.namespace)
