"""What `kubectl get` shows of each kind: the columns a user of the real server expects. Pure.

A cell is a function of the whole object as JSON and of the time. Kinds without a row here show the columns that their
CustomResourceDefinition asks for, or NAME and AGE.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from argocd_agent.backends.embedded.kinds import Printed, ServedKind
from argocd_agent.backends.embedded.values import Json, dig, text

Cell = Callable[[Json, datetime], Json]
UNKNOWN, NONE = "<unknown>", "<none>"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. Priority 0 is always shown, others with `-o wide`."""

    name: str
    cell: Cell
    type: str = "string"
    priority: int = 0
    format: str = ""


def columns_of(kind: ServedKind) -> tuple[Column, ...]:
    """The columns of *kind*, NAME first."""
    if kind.resource == "events":
        return EVENT_COLUMNS
    if kind.row.printed:
        return (NAME, *(_printed(column) for column in kind.row.printed))
    return (NAME, *_COLUMNS.get(kind.resource, (AGE,)))


def age(timestamp: Json, now: datetime) -> str:
    """How long ago an RFC 3339 time was, as kubectl says it."""
    try:
        then = datetime.fromisoformat(text(timestamp))
    except ValueError:
        return UNKNOWN
    seconds = int((now - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds())
    if seconds < -1:
        return "<invalid>"
    return _duration(max(seconds, 0))


def _duration(seconds: int) -> str:
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _pair(minutes, "m", seconds % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    if days < 8 * 365:
        return _pair(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def at(path: str, default: Json = "") -> Cell:
    """The value at a dotted path."""
    steps = path.split(".")

    def cell(obj: Json, now: datetime) -> Json:
        value = dig(obj, *steps)
        return default if value is None else value

    return cell


_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\[\?\(@\.([\w.]+)==[\"']([^\"']*)[\"']\)\]")


def json_path(value: Json, path: str) -> Json:
    """The first value at a JSONPath of CustomResourceDefinitions: names, indices, and filters for equality."""
    for match in _STEP.finditer(path):
        name, index, key, wanted = match.groups()
        if name is not None:
            value = dig(value, name.replace("\\", ""))
        elif not isinstance(value, list):
            return None
        elif index is not None:
            value = value[int(index)] if int(index) < len(value) else None
        else:
            value = next((item for item in value if text(dig(item, *key.split("."))) == wanted), None)
    return value


def _printed(column: Printed) -> Column:
    def cell(obj: Json, now: datetime) -> Json:
        value = json_path(obj, column.path)
        return age(value, now) if column.type == "date" and value is not None else value

    return Column(column.name, cell, column.type if column.type != "date" else "string", column.priority)


def _age(obj: Json, now: datetime) -> Json:
    return age(dig(obj, "metadata", "creationTimestamp"), now)


def _items(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _joined(values: list[str], empty: str = NONE) -> str:
    return ",".join(values) or empty


def _labels(value: Json) -> str:
    pairs = [f"{key}={text(one)}" for key, one in sorted(value.items())] if isinstance(value, dict) else []
    return _joined(pairs)


def _containers(obj: Json) -> list[Json]:
    return _items(dig(obj, "spec", "template", "spec", "containers"))


def _count(obj: Json, *path: str, default: int = 0) -> int:
    value = dig(obj, *path)
    return value if isinstance(value, int) else default


def _ready_of_replicas(obj: Json, now: datetime) -> Json:
    return f"{_count(obj, 'status', 'readyReplicas')}/{_count(obj, 'spec', 'replicas', default=1)}"


def _pod_ready(obj: Json, now: datetime) -> Json:
    ready = sum(dig(one, "ready") is True for one in _items(dig(obj, "status", "containerStatuses")))
    return f"{ready}/{len(_items(dig(obj, 'spec', 'containers')))}"


def _pod_status(obj: Json, now: datetime) -> Json:
    if dig(obj, "metadata", "deletionTimestamp") is not None:
        return "Terminating"
    for one in _items(dig(obj, "status", "containerStatuses")):
        reason = dig(one, "state", "waiting", "reason") or dig(one, "state", "terminated", "reason")
        if reason:
            return reason
    return dig(obj, "status", "reason") or dig(obj, "status", "phase") or UNKNOWN


def _pod_restarts(obj: Json, now: datetime) -> Json:
    return str(sum(_count(one, "restartCount") for one in _items(dig(obj, "status", "containerStatuses"))))


def _access_modes(obj: Json, now: datetime) -> Json:
    return _joined([text(one) for one in _items(dig(obj, "spec", "accessModes"))], "")


def _ports(obj: Json, now: datetime) -> Json:
    told = []
    for port in _items(dig(obj, "spec", "ports")):
        node = f":{text(dig(port, 'nodePort'))}" if dig(port, "nodePort") else ""
        told.append(f"{text(dig(port, 'port'))}{node}/{text(dig(port, 'protocol')) or 'TCP'}")
    return _joined(told)


def _data(obj: Json, now: datetime) -> Json:
    fields = (dig(obj, "data"), dig(obj, "binaryData"))
    return sum(len(field) for field in fields if isinstance(field, dict))


def _role(obj: Json, now: datetime) -> Json:
    return f"{text(dig(obj, 'roleRef', 'kind'))}/{text(dig(obj, 'roleRef', 'name'))}"


def _subjects(kind: str) -> Cell:
    def cell(obj: Json, now: datetime) -> Json:
        found = [one for one in _items(dig(obj, "subjects")) if dig(one, "kind") == kind]
        names = [text(dig(one, "name")) for one in found]
        if kind == "ServiceAccount":
            names = [f"{text(dig(one, 'namespace'))}/{name}" for one, name in zip(found, names, strict=True)]
        return _joined(names, "")

    return cell


def _job_status(obj: Json, now: datetime) -> Json:
    for condition in _items(dig(obj, "status", "conditions")):
        if dig(condition, "status") == "True" and dig(condition, "type") in ("Complete", "Failed", "Suspended"):
            return dig(condition, "type")
    return "Running"


def _completions(obj: Json, now: datetime) -> Json:
    return f"{_count(obj, 'status', 'succeeded')}/{_count(obj, 'spec', 'completions', default=1)}"


def _hosts(obj: Json, now: datetime) -> Json:
    hosts = [text(dig(rule, "host")) for rule in _items(dig(obj, "spec", "rules"))]
    return _joined([host for host in hosts if host], "*")


def _event_seen(path: str) -> Cell:
    def cell(obj: Json, now: datetime) -> Json:
        return age(dig(obj, path) or dig(obj, "eventTime"), now)

    return cell


def _event_object(obj: Json, now: datetime) -> Json:
    involved = dig(obj, "involvedObject")
    return f"{text(dig(involved, 'kind')).lower()}/{text(dig(involved, 'name'))}"


def _event_source(obj: Json, now: datetime) -> Json:
    component = dig(obj, "source", "component") or dig(obj, "reportingComponent")
    return _joined([text(part) for part in (component, dig(obj, "source", "host")) if part], "")


NAME = Column("Name", at("metadata.name"), format="name")
AGE = Column("Age", _age)
_CREATED = Column("Created At", at("metadata.creationTimestamp"), "date")
_WIDE_POD = (
    Column("Containers", lambda obj, now: _joined([text(dig(one, "name")) for one in _containers(obj)]), priority=1),
    Column("Images", lambda obj, now: _joined([text(dig(one, "image")) for one in _containers(obj)]), priority=1),
)
_SELECTOR = Column("Selector", lambda obj, now: _labels(dig(obj, "spec", "selector", "matchLabels")), priority=1)
_BINDING = (
    Column("Role", _role),
    AGE,
    Column("Users", _subjects("User"), priority=1),
    Column("Groups", _subjects("Group"), priority=1),
    Column("ServiceAccounts", _subjects("ServiceAccount"), priority=1),
)
EVENT_COLUMNS = (
    Column("Last Seen", _event_seen("lastTimestamp")),
    Column("Type", at("type")),
    Column("Reason", at("reason")),
    Column("Object", _event_object),
    Column("Subobject", at("involvedObject.fieldPath"), priority=1),
    Column("Source", _event_source, priority=1),
    Column("Message", at("message")),
    Column("First Seen", _event_seen("firstTimestamp"), priority=1),
    Column("Count", at("count", 1), priority=1),
    Column("Name", at("metadata.name"), priority=1, format="name"),
)
_COLUMNS: dict[str, tuple[Column, ...]] = {
    "namespaces": (Column("Status", at("status.phase")), AGE),
    "secrets": (Column("Type", at("type")), Column("Data", _data), AGE),
    "configmaps": (Column("Data", _data), AGE),
    "services": (
        Column("Type", at("spec.type")),
        Column("Cluster-IP", at("spec.clusterIP", NONE)),
        Column("External-IP", at("spec.externalName", NONE)),
        Column("Port(s)", _ports),
        AGE,
        Column("Selector", lambda obj, now: _labels(dig(obj, "spec", "selector")), priority=1),
    ),
    "pods": (
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _pod_restarts),
        AGE,
        Column("IP", at("status.podIP", NONE), priority=1),
        Column("Node", at("spec.nodeName", NONE), priority=1),
        Column("Nominated Node", at("status.nominatedNodeName", NONE), priority=1),
        Column("Readiness Gates", lambda obj, now: NONE, priority=1),
    ),
    "persistentvolumeclaims": (
        Column("Status", at("status.phase")),
        Column("Volume", at("spec.volumeName")),
        Column("Capacity", at("status.capacity.storage")),
        Column("Access Modes", _access_modes),
        Column("StorageClass", at("spec.storageClassName")),
        AGE,
    ),
    "deployments.apps": (
        Column("Ready", _ready_of_replicas),
        Column("Up-to-date", at("status.updatedReplicas", 0)),
        Column("Available", at("status.availableReplicas", 0)),
        AGE,
        *_WIDE_POD,
        _SELECTOR,
    ),
    "replicasets.apps": (
        Column("Desired", at("spec.replicas", 1), "integer"),
        Column("Current", at("status.replicas", 0), "integer"),
        Column("Ready", at("status.readyReplicas", 0), "integer"),
        AGE,
        *_WIDE_POD,
        _SELECTOR,
    ),
    "statefulsets.apps": (Column("Ready", _ready_of_replicas), AGE, *_WIDE_POD),
    "daemonsets.apps": (
        Column("Desired", at("status.desiredNumberScheduled", 0), "integer"),
        Column("Current", at("status.currentNumberScheduled", 0), "integer"),
        Column("Ready", at("status.numberReady", 0), "integer"),
        Column("Up-to-date", at("status.updatedNumberScheduled", 0), "integer"),
        Column("Available", at("status.numberAvailable", 0), "integer"),
        Column("Node Selector", lambda obj, now: _labels(dig(obj, "spec", "template", "spec", "nodeSelector"))),
        AGE,
        *_WIDE_POD,
        _SELECTOR,
    ),
    "jobs.batch": (Column("Status", _job_status), Column("Completions", _completions), AGE),
    "cronjobs.batch": (
        Column("Schedule", at("spec.schedule")),
        Column("Timezone", at("spec.timeZone", NONE)),
        Column("Suspend", lambda obj, now: "True" if dig(obj, "spec", "suspend") is True else "False", "boolean"),
        Column("Active", lambda obj, now: len(_items(dig(obj, "status", "active"))), "integer"),
        Column("Last Schedule", lambda obj, now: age(dig(obj, "status", "lastScheduleTime"), now)),
        AGE,
    ),
    "ingresses.networking.k8s.io": (Column("Class", at("spec.ingressClassName", NONE)), Column("Hosts", _hosts), AGE),
    "networkpolicies.networking.k8s.io": (
        Column("Pod-Selector", lambda obj, now: _labels(dig(obj, "spec", "podSelector", "matchLabels"))),
        AGE,
    ),
    "roles.rbac.authorization.k8s.io": (_CREATED,),
    "clusterroles.rbac.authorization.k8s.io": (_CREATED,),
    "rolebindings.rbac.authorization.k8s.io": _BINDING,
    "clusterrolebindings.rbac.authorization.k8s.io": _BINDING,
    "leases.coordination.k8s.io": (Column("Holder", at("spec.holderIdentity")), AGE),
    "customresourcedefinitions.apiextensions.k8s.io": (_CREATED,),
}
