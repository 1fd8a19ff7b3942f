"""The kinds that an embedded cluster serves: one row each, and a registry that CustomResourceDefinitions add to.

A row says how the kind is called, which subresources it has and whether its generation is counted. Schemas come from
`schemas/`; what else a built-in kind does on a write stands in `rules.py`, what a table shows in `face/columns.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from argocd_agent.backends.embedded.schema import Definitions, ObjectSchema
from argocd_agent.backends.embedded.schemas import schema_of
from argocd_agent.backends.embedded.values import Json, JsonObject, canonical, dig
from argocd_agent.resources.kinds import (
    APPLICATIONS,
    APPLICATIONSETS,
    APPPROJECTS,
    CONFIGMAPS,
    CRDS,
    EVENTS,
    NAMESPACES,
    SECRETS,
    Api,
)

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Printed:
    """One column that a CustomResourceDefinition asks for. Priority 0 is always shown, others with `-o wide`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """What is particular to one kind. `fields` are those that field selectors may name, besides metadata's two."""

    api: Api
    short: Names = ()
    categories: Names = ()
    has_status: bool = False
    has_scale: bool = False
    has_generation: bool = True
    is_typed: bool = True
    singular: str = ""
    fields: Mapping[str, Names] = field(default_factory=dict)
    printed: tuple[Printed, ...] = ()


class ServedKind:
    """A row with its schema, compiled when it is first needed."""

    def __init__(self, row: Row, schema: ObjectSchema | None = None) -> None:
        self.row, self.api = row, row.api
        self.resource = row.api.resource
        self.type_fields = {"apiVersion": canonical(row.api.api_version), "kind": canonical(row.api.kind)}
        self._schema = schema

    @cached_property
    def schema(self) -> ObjectSchema:
        return self._schema or schema_of(self.api, self.row.is_typed)

    @property
    def singular(self) -> str:
        return self.row.singular or self.api.kind.lower()


def _api(group_version: str, plural: str, kind: str, namespaced: bool = True) -> Api:
    group, _, version = group_version.rpartition("/")
    return Api(group, version, plural, kind, namespaced)


def _fields(*paths: str) -> dict[str, Names]:
    return {path: tuple(path.split(".")) for path in paths}


_APPS, _RBAC, _NET = "apps/v1", "rbac.authorization.k8s.io/v1", "networking.k8s.io/v1"
_ALL = ("all",)
_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")

PODS = _api("v1", "pods", "Pod")
SERVICES = _api("v1", "services", "Service")
DEPLOYMENTS = _api(_APPS, "deployments", "Deployment")
REPLICASETS = _api(_APPS, "replicasets", "ReplicaSet")
STATEFULSETS = _api(_APPS, "statefulsets", "StatefulSet")
DAEMONSETS = _api(_APPS, "daemonsets", "DaemonSet")
JOBS = _api("batch/v1", "jobs", "Job")

ROWS: tuple[Row, ...] = (
    Row(NAMESPACES, ("ns",), has_status=True, has_generation=False, fields=_fields("status.phase")),
    Row(SECRETS, has_generation=False, fields=_fields("type")),
    Row(CONFIGMAPS, ("cm",), has_generation=False),
    Row(
        EVENTS,
        ("ev",),
        has_generation=False,
        fields={
            **_fields(*(f"involvedObject.{name}" for name in _INVOLVED)),
            **_fields("reason", "type", "reportingComponent"),
            "source": ("source", "component"),
        },
    ),
    Row(SERVICES, ("svc",), _ALL, has_status=True, has_generation=False, fields=_fields("spec.clusterIP", "spec.type")),
    Row(_api("v1", "serviceaccounts", "ServiceAccount"), ("sa",), has_generation=False),
    Row(
        PODS,
        ("po",),
        _ALL,
        has_status=True,
        fields=_fields(
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ),
    ),
    Row(_api("v1", "persistentvolumeclaims", "PersistentVolumeClaim"), ("pvc",), has_status=True, has_generation=False),
    Row(DEPLOYMENTS, ("deploy",), _ALL, has_status=True, has_scale=True),
    Row(REPLICASETS, ("rs",), _ALL, has_status=True, has_scale=True, fields=_fields("status.replicas")),
    Row(STATEFULSETS, ("sts",), _ALL, has_status=True, has_scale=True),
    Row(DAEMONSETS, ("ds",), _ALL, has_status=True),
    Row(JOBS, (), _ALL, has_status=True, fields=_fields("status.successful")),
    Row(_api("batch/v1", "cronjobs", "CronJob"), ("cj",), _ALL, has_status=True),
    Row(_api(_NET, "ingresses", "Ingress"), ("ing",), has_status=True),
    Row(_api(_NET, "networkpolicies", "NetworkPolicy"), ("netpol",)),
    Row(_api(_RBAC, "roles", "Role"), has_generation=False),
    Row(_api(_RBAC, "rolebindings", "RoleBinding"), has_generation=False),
    Row(_api(_RBAC, "clusterroles", "ClusterRole", namespaced=False), has_generation=False),
    Row(_api(_RBAC, "clusterrolebindings", "ClusterRoleBinding", namespaced=False), has_generation=False),
    Row(_api("coordination.k8s.io/v1", "leases", "Lease"), has_generation=False),
    Row(CRDS, ("crd", "crds"), ("api-extensions",), has_status=True),
    Row(
        APPLICATIONS,
        ("app", "apps"),
        is_typed=False,
        printed=(
            Printed("Sync Status", ".status.sync.status"),
            Printed("Health Status", ".status.health.status"),
            Printed("Revision", ".status.sync.revision", priority=10),
            Printed("Project", ".spec.project", priority=10),
        ),
    ),
    Row(APPPROJECTS, ("appproj", "appprojs"), is_typed=False),
    Row(APPLICATIONSETS, ("appset", "appsets"), is_typed=False, has_status=True),
)


class Kinds:
    """The kinds of one cluster, by group, version and plural."""

    def __init__(self) -> None:
        self._served: dict[tuple[str, str, str], ServedKind] = {}
        for row in ROWS:
            self.add(ServedKind(row))

    def __iter__(self) -> Iterator[ServedKind]:
        return iter(tuple(self._served.values()))

    def add(self, kind: ServedKind) -> None:
        """Serve *kind*, in place of one of the same name."""
        api = kind.api
        self._served[api.group, api.version, api.plural] = kind

    def remove(self, group: str, plural: str) -> None:
        """Stop serving all versions of a kind."""
        self._served = {at: kind for at, kind in self._served.items() if (at[0], at[2]) != (group, plural)}

    def find(self, group: str, version: str, plural: str) -> ServedKind | None:
        """The kind, None when it is not served."""
        return self._served.get((group, version, plural))

    def by_resource(self, resource: str) -> ServedKind | None:
        """The kind by its resource name, in any version."""
        return next((kind for kind in self._served.values() if kind.resource == resource), None)

    def by_kind(self, api_version: str, kind: str) -> ServedKind | None:
        """The kind by `apiVersion` and `kind`."""
        served = self._served.values()
        return next((one for one in served if one.api.kind == kind and one.api.api_version == api_version), None)


def from_definition(spec: Json) -> list[ServedKind]:
    """The kinds that a CustomResourceDefinition's *spec* declares, one for each version that it serves."""
    names = dig(spec, "names")
    group, plural, kind = str(dig(spec, "group")), str(dig(names, "plural")), str(dig(names, "kind"))
    versions = dig(spec, "versions")
    served = []
    for version in versions if isinstance(versions, list) else []:
        if dig(version, "served") is not True:
            continue
        api = Api(group, str(dig(version, "name")), plural, kind, dig(spec, "scope") != "Cluster")
        row = Row(
            api,
            _strings(dig(names, "shortNames")),
            _strings(dig(names, "categories")),
            has_status=dig(version, "subresources", "status") is not None,
            is_typed=False,
            singular=str(dig(names, "singular") or kind.lower()),
            fields={path.removeprefix("."): tuple(path.strip(".").split(".")) for path in _selectable(version)},
            printed=tuple(_printed(dig(version, "additionalPrinterColumns"))),
        )
        served.append(ServedKind(row, ObjectSchema(_root(version), Definitions({}, is_typed=False))))
    return served


def _root(version: Json) -> JsonObject:
    root = dig(version, "schema", "openAPIV3Schema")
    return root if isinstance(root, dict) else {"x-kubernetes-preserve-unknown-fields": True}


def _selectable(version: Json) -> list[str]:
    fields = dig(version, "selectableFields")
    return [str(dig(one, "jsonPath")) for one in fields] if isinstance(fields, list) else []


def _printed(columns: Json) -> Iterator[Printed]:
    for column in columns if isinstance(columns, list) else []:
        priority = dig(column, "priority")
        number = priority if isinstance(priority, int) else 0
        yield Printed(
            str(dig(column, "name")), str(dig(column, "jsonPath")), str(dig(column, "type") or "string"), number
        )


def _strings(value: Json) -> Names:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()
