"""Which objects take part at all; everything else does not exist for us."""

from argocd_agent.errors import ConfigError, DecodeError
from argocd_agent.protocol.names import DESTINATION_IN_CLUSTER, LABEL_IGNORE_SYNC, LABEL_SECRET_TYPE
from argocd_agent.resources.copies import REPOSITORY_TYPES
from argocd_agent.resources.mapping import HubMapping, destination_name
from argocd_agent.resources.objects import Object
from argocd_agent.resources.patterns import matches_any
from argocd_agent.resources.selectors import parse_labels


def selector(extra: str) -> str:
    """The label selector of everything that is synchronised, *extra* (Kubernetes' syntax) joined to ours."""
    ours = f"{LABEL_IGNORE_SYNC}!=true"
    return f"{ours},{extra}" if extra else ours


def check_selector(extra: str) -> None:
    """Raises `ConfigError` where *extra*, as given to --label-selector, is not Kubernetes' syntax."""
    try:
        parse_labels(extra)
    except DecodeError as error:
        raise ConfigError(f"--label-selector: {error}") from error


def repository_selector(extra: str) -> str:
    """The label selector of repositories and credential templates, *extra* joined to ours."""
    return f"{LABEL_SECRET_TYPE} in ({','.join(REPOSITORY_TYPES)}),{selector(extra)}"


def is_ignored(obj: Object) -> bool:
    """Whether its owner keeps *obj* out, by label."""
    return obj.labels.get(LABEL_IGNORE_SYNC) == "true"


def admits(obj: Object, allowed_namespaces: tuple[str, ...], mapping: HubMapping) -> bool:
    """Whether an Application of the hub's own takes part. No allowed namespace admits nothing; by destination the hub's
    own is always allowed, and an Application for the hub itself, or for nobody, does not take part."""
    if is_ignored(obj):
        return False
    if not mapping.by_destination:
        return matches_any(allowed_namespaces, obj.namespace)
    if obj.namespace != mapping.home and not matches_any(allowed_namespaces, obj.namespace):
        return False
    return destination_name(obj) not in ("", DESTINATION_IN_CLUSTER)
