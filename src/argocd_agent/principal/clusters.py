"""Which agents are registered: Argo CD's cluster Secrets with the agent's name on them."""

from collections.abc import Callable

from argocd_agent.peer.observe import Change
from argocd_agent.protocol.events import AgentName
from argocd_agent.resources.cluster import ClusterEntry, agent_of, cluster_entry
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("ClusterManager")


class Clusters:
    """Registered agents, by name. *registered* and *removed* are told of changes, *changed* of an agent whose cluster
    has another entry in Argo CD than before; they must not wait."""

    def __init__(
        self,
        registered: Callable[[AgentName], None],
        removed: Callable[[AgentName], None],
        changed: Callable[[AgentName], None] = lambda _: None,
    ) -> None:
        self._told_registered, self._told_removed, self._told_changed = registered, removed, changed
        self._secrets: dict[AgentName, dict[str, None]] = {}  # agent → UIDs of the Secrets that name it, oldest first
        self._entries: dict[str, ClusterEntry] = {}  # by UID

    def is_registered(self, agent: AgentName) -> bool:
        """Whether the hub knows this agent."""
        return agent in self._secrets

    def registered(self) -> tuple[AgentName, ...]:
        """The agents that the hub knows."""
        return tuple(self._secrets)

    def entry(self, agent: AgentName) -> ClusterEntry | None:
        """The cluster of *agent* in Argo CD; None if the hub does not know the agent."""
        for uid in self._secrets.get(agent, {}):
            return self._entries[uid]
        return None

    def on_change(self, change: Change) -> None:
        """One change of a cluster Secret."""
        before = agent_of(change.old) if change.old is not None else None
        after = agent_of(change.new) if change.new is not None else None
        entries = {agent: self.entry(agent) for agent in (before, after) if agent is not None}
        self._read(change)
        uid, name = change.object.uid, change.object.name
        if before != after and before is not None:
            self._unmap(before, uid, name)
        if before != after and after is not None:
            self._map(after, uid, name)
        for agent, entry in entries.items():
            if entry is not None and self.entry(agent) not in (None, entry):
                self._told_changed(agent)

    def _read(self, change: Change) -> None:
        entry = cluster_entry(change.new) if change.new is not None else None
        if entry is not None:
            self._entries[change.object.uid] = entry
        else:
            self._entries.pop(change.object.uid, None)

    def _map(self, agent: AgentName, uid: str, name: str) -> None:
        secrets = self._secrets.setdefault(agent, {})
        secrets[uid] = None
        if len(secrets) > 1:  # while one takes the place of another; for longer Argo CD would show two clusters
            log.error("More than one cluster Secret names an agent", {fields.AGENT: agent, fields.NAME: name})
            return
        log.info(f"Mapped cluster {name} to agent {agent}", {fields.AGENT: agent})
        self._told_registered(agent)

    def _unmap(self, agent: AgentName, uid: str, name: str) -> None:
        secrets = self._secrets.get(agent, {})
        secrets.pop(uid, None)
        if not secrets and self._secrets.pop(agent, None) is not None:
            log.info(f"Cluster {name} no longer stands for agent {agent}", {fields.AGENT: agent})
            self._told_removed(agent)
