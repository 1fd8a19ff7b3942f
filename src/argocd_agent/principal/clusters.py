"""Which agents are registered: Argo CD's cluster Secrets with the agent's name on them."""

from collections.abc import Callable

from argocd_agent.peer.observe import Change
from argocd_agent.protocol.events import AgentName
from argocd_agent.resources.cluster import agent_of
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("ClusterManager")


class Clusters:
    """Registered agents, by name. *registered* and *removed* are told of changes; they must not wait."""

    def __init__(self, registered: Callable[[AgentName], None], removed: Callable[[AgentName], None]) -> None:
        self._registered, self._removed = registered, removed
        self._secrets: dict[AgentName, str] = {}  # agent → UID of the Secret that registered it first

    def is_registered(self, agent: AgentName) -> bool:
        """Whether the hub knows this agent."""
        return agent in self._secrets

    def on_change(self, change: Change) -> None:
        """One change of a cluster Secret."""
        before = agent_of(change.old) if change.old is not None else None
        after = agent_of(change.new) if change.new is not None else None
        uid, name = change.object.uid, change.object.name
        if before == after:
            return
        if before is not None and self._secrets.get(before) == uid:
            del self._secrets[before]
            log.info(f"Cluster {name} no longer stands for agent {before}", {fields.AGENT: before})
            self._removed(before)
        if after is None:
            return
        if after in self._secrets:
            log.error("A second cluster Secret names an agent and is ignored", {fields.AGENT: after, fields.NAME: name})
            return
        self._secrets[after] = uid
        log.info(f"Mapped cluster {name} to agent {after}", {fields.AGENT: after})
        self._registered(after)
