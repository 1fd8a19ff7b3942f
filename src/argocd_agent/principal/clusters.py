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
        self._secrets: dict[AgentName, dict[str, None]] = {}  # agent → UIDs of the Secrets that name it, oldest first

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
        if before is not None:
            self._unmap(before, uid, name)
        if after is not None:
            self._map(after, uid, name)

    def _map(self, agent: AgentName, uid: str, name: str) -> None:
        secrets = self._secrets.setdefault(agent, {})
        secrets[uid] = None
        if len(secrets) > 1:  # while one takes the place of another; for longer Argo CD would show two clusters
            log.error("More than one cluster Secret names an agent", {fields.AGENT: agent, fields.NAME: name})
            return
        log.info(f"Mapped cluster {name} to agent {agent}", {fields.AGENT: agent})
        self._registered(agent)

    def _unmap(self, agent: AgentName, uid: str, name: str) -> None:
        secrets = self._secrets.get(agent, {})
        secrets.pop(uid, None)
        if not secrets and self._secrets.pop(agent, None) is not None:
            log.info(f"Cluster {name} no longer stands for agent {agent}", {fields.AGENT: agent})
            self._removed(agent)
