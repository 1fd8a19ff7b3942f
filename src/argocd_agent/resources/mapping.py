"""Which agent an object belongs to, and what it is called on the other side of the border.

Namespace mapping: the agent of an Application on the hub is the namespace that it is in; on the spoke everything is
in the agent's home namespace. Source: docs/protocol, "routing and namespaces".
"""

from dataclasses import dataclass

from argocd_agent.protocol.events import AgentName
from argocd_agent.resources.objects import Object


@dataclass(frozen=True, slots=True)
class HubMapping:
    """The principal's side."""

    def agent_of(self, obj: Object) -> AgentName | None:
        """The agent whose Application *obj* is; None if it is nobody's."""
        return AgentName(obj.namespace) if obj.namespace else None

    def hub_namespace(self, agent: AgentName, namespace: str) -> str:
        """Where an object that *agent* calls *namespace*/… is on the hub."""
        return str(agent)

    def digest_key(self, kind: str, obj: Object) -> str:
        """The name of *obj* that both ends derive alike."""
        return f"{kind}//{obj.name}"


@dataclass(frozen=True, slots=True)
class SpokeMapping:
    """The agent's side. `home` is the namespace that the agent and its Argo CD live in."""

    home: str

    def spoke_namespace(self, namespace: str) -> str:
        """Where an object of the hub's *namespace* is on the spoke."""
        return self.home

    def digest_key(self, kind: str, obj: Object) -> str:
        """The name of *obj* that both ends derive alike."""
        return f"{kind}//{obj.name}"
