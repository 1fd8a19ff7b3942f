"""Which objects Argo CD tracks, and whom an object belongs to. Pure.

The method and the label's name stand in ConfigMap `argocd-cm` of the cluster where the objects are
(https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/). Only the presence of the mark counts.
"""

from dataclasses import dataclass
from enum import StrEnum

from argocd_agent.errors import DecodeError
from argocd_agent.protocol.names import (
    ANNOTATION_OLM_GROUP,
    ANNOTATION_TRACKING_ID,
    CONFIGMAP_ARGOCD,
    LABEL_INSTANCE,
    LABEL_PART_OF,
    PART_OF_ARGOCD,
)
from argocd_agent.resources.objects import Object, OwnerReference

_METHOD_KEY, _LABEL_KEY = "application.resourceTrackingMethod", "application.instanceLabelKey"
_OLM_GROUP = "operators.coreos.com"


class Method(StrEnum):
    """How objects are marked."""

    ANNOTATION = "annotation"
    LABEL = "label"
    BOTH = "annotation+label"  # the annotation decides; the label is for other tools


@dataclass(frozen=True, slots=True)
class Marking:
    """What a tracked object looks like."""

    method: Method = Method.ANNOTATION
    label: str = LABEL_INSTANCE

    def is_on(self, obj: Object) -> bool:
        """Whether *obj* has the mark."""
        return self.label in obj.labels if self.method is Method.LABEL else ANNOTATION_TRACKING_ID in obj.annotations


@dataclass(frozen=True, slots=True)
class Ref:
    """An object by what others call it. `namespace` is empty for one of the whole cluster."""

    group: str
    kind: str
    namespace: str
    name: str


def marking_from(settings: Object) -> Marking:
    """What *settings*, Argo CD's ConfigMap, says. Raises `DecodeError` for what cannot be understood."""
    where = f'ConfigMap "{settings.namespace}/{settings.name}"'
    found = settings.labels.get(LABEL_PART_OF)
    if found != PART_OF_ARGOCD:
        raise DecodeError(f"{where}: expected label {LABEL_PART_OF}={PART_OF_ARGOCD}, found {found or 'none'}")
    data = settings.look("data") or {}
    if not isinstance(data, dict):
        raise DecodeError(f"{where}: expected an object in data, found {type(data).__name__}")
    text, label = data.get(_METHOD_KEY) or Method.ANNOTATION, data.get(_LABEL_KEY) or LABEL_INSTANCE
    try:
        return Marking(Method(text), str(label))
    except ValueError as error:
        raise DecodeError(f"{where}: {_METHOD_KEY}: expected {', '.join(Method)}, found {text!r}") from error


def no_settings(namespace: str) -> str:
    """What is wrong when there is no such ConfigMap."""
    return f'ConfigMap "{namespace}/{CONFIGMAP_ARGOCD}": there is none, so what Argo CD tracks here is not known'


def owners_of(obj: Object, group: str, kind: str) -> tuple[OwnerReference, ...]:
    """Whom *obj*, of *kind* in *group*, belongs to. A ClusterServiceVersion belongs to its OperatorGroup, too."""
    owners = obj.metadata.owner_references or ()
    olm = obj.annotations.get(ANNOTATION_OLM_GROUP)
    if olm and (group, kind) == (_OLM_GROUP, "ClusterServiceVersion"):
        owners = (*owners, OwnerReference(api_version=f"{_OLM_GROUP}/v1", kind="OperatorGroup", name=olm))
    return owners


def group_and_version(api_version: str) -> tuple[str, str]:
    """The two parts of an `apiVersion`."""
    group, _, version = api_version.rpartition("/")
    return group, version


def resources_of(application: Object) -> frozenset[Ref]:
    """What *application* lists as its own (`status.resources`). What cannot be read is nobody's."""
    raw = application.fields.get("status", b"")
    if b'"resources"' not in raw:
        return frozenset()
    try:
        status = application.look("status")
    except DecodeError:
        return frozenset()
    listed = status.get("resources") if isinstance(status, dict) else None
    found = (_ref(entry) for entry in listed) if isinstance(listed, list) else ()
    return frozenset(ref for ref in found if ref is not None)


def _ref(entry: object) -> Ref | None:
    if not isinstance(entry, dict):
        return None
    parts = [entry.get(name, "") for name in ("group", "kind", "namespace", "name")]
    if not all(isinstance(part, str) for part in parts) or not (parts[1] and parts[3]):
        return None
    return Ref(*parts)
