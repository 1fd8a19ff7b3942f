"""Which agent an Application belongs to, and what it is called on the other side of the border.

By namespace: the agent of an Application on the hub is the namespace that it is in; on the spoke everything is in the
agent's home namespace. By destination: the agent is the one that `spec.destination.name` names, and the namespace is
the same on both sides, but for the hub's own, which becomes the agent's home. Applications of autonomous agents are
always in the namespace named like their agent. Source: docs/protocol, "routing and namespaces".
"""

from collections.abc import Callable
from dataclasses import dataclass

from argocd_agent.errors import DecodeError
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import ANNOTATION_NAMESPACE_REMAPPED, DESTINATION_IN_CLUSTER
from argocd_agent.resources.identity import source_uid
from argocd_agent.resources.kinds import APPLICATION, Kind
from argocd_agent.resources.objects import Object

IsAutonomous = Callable[[AgentName], bool]


def destination_name(obj: Object) -> str:
    """`spec.destination.name` of an Application; empty where there is none that can be read."""
    try:
        spec = obj.look("spec")
    except DecodeError:
        return ""
    destination = spec.get("destination") if isinstance(spec, dict) else None
    name = destination.get("name") if isinstance(destination, dict) else None
    return name if isinstance(name, str) else ""


@dataclass(frozen=True, slots=True)
class HubMapping:
    """The principal's side. *home* is the namespace of the principal and its Argo CD."""

    home: str
    is_autonomous: IsAutonomous
    by_destination: bool = False

    def agent_of(self, obj: Object) -> AgentName | None:
        """The agent whose Application *obj* is; None if it is nobody's."""
        if self.is_view(obj) or not self.by_destination:
            return AgentName(obj.namespace) if obj.namespace else None
        name = destination_name(obj)
        return AgentName(name) if name and name != DESTINATION_IN_CLUSTER else None

    def is_view(self, obj: Object) -> bool:
        """Whether *obj* is the hub's copy of an autonomous agent's Application."""
        return bool(source_uid(obj)) and self.is_autonomous(AgentName(obj.namespace))

    def hub_namespace(self, agent: AgentName, agent_home: str, obj: Object) -> str:
        """Where the Application that *agent*, living in *agent_home*, calls *obj* is on the hub."""
        if not self.by_destination:
            return str(agent)
        is_remapped = ANNOTATION_NAMESPACE_REMAPPED in obj.annotations
        return self.home if is_remapped and obj.namespace in ("", agent_home) else obj.namespace

    def digest_key(self, kind: Kind, obj: Object) -> str:
        """The name of *obj*, an object of the hub that is sent to agents, that both ends derive alike."""
        if kind is not APPLICATION or not self.by_destination or obj.namespace == self.home:
            return f"{kind.name}//{obj.name}"
        return f"{kind.name}/{obj.namespace}/{obj.name}"


@dataclass(frozen=True, slots=True)
class SpokeMapping:
    """The agent's side. *home* is the namespace that the agent and its Argo CD live in, *hub_home* says which one the
    principal's is, empty while that is not known."""

    home: str
    by_destination: bool = False
    hub_home: Callable[[], str] = lambda: ""

    def localized(self, obj: Object) -> Object:
        """An Application of the hub, in the namespace that it has here. Owners are objects of the hub: they go."""
        bare = obj.with_metadata(owner_references=None)
        if ANNOTATION_NAMESPACE_REMAPPED in obj.annotations:  # only we may say so
            bare = bare.with_annotations({ANNOTATION_NAMESPACE_REMAPPED: None})
        if not self.by_destination:
            return bare.with_metadata(namespace=self.home)
        if obj.namespace == self.hub_home() != self.home:
            return bare.with_metadata(namespace=self.home).with_annotations({ANNOTATION_NAMESPACE_REMAPPED: "true"})
        return bare

    def digest_key(self, kind: Kind, obj: Object) -> str:
        """The name of *obj*, an object of this spoke, that both ends derive alike."""
        if kind is not APPLICATION or not self.by_destination or self._is_of_hub_home(obj):
            return f"{kind.name}//{obj.name}"
        return f"{kind.name}/{obj.namespace}/{obj.name}"

    def _is_of_hub_home(self, obj: Object) -> bool:
        return ANNOTATION_NAMESPACE_REMAPPED in obj.annotations or obj.namespace == self.home == self.hub_home()
