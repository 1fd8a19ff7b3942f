"""The hub's side of managed Applications: the parts that know agents and Applications, tied together.

It needs a cluster to stand on and streams to serve, not a network: `run` gives it gRPC, tests give it memory.
"""

import asyncio
import time

from argocd_agent.backends.ports import Cluster, Scope
from argocd_agent.peer.apply import Applier
from argocd_agent.peer.link import Link
from argocd_agent.peer.observe import Change, Observer, pause
from argocd_agent.peer.program import reporter
from argocd_agent.principal.agents import Agents
from argocd_agent.principal.clusters import Clusters
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.principal.connections import Connections
from argocd_agent.principal.inbound import Inbound
from argocd_agent.principal.outbound import Outbound
from argocd_agent.principal.resync import Resync
from argocd_agent.principal.sessions import Sessions
from argocd_agent.protocol.events import AgentName
from argocd_agent.resources.cluster import CLUSTER_SELECTOR
from argocd_agent.resources.kinds import APPLICATIONS, SECRETS
from argocd_agent.resources.mapping import HubMapping
from argocd_agent.resources.patterns import matches_any
from argocd_agent.resources.scope import admits, selector
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.metrics import PrincipalMetrics
from argocd_agent.wire.timestamps import format_time

APPS, CLUSTERS = "Applications", "cluster Secrets"
_MEASURE_SECONDS = 180.0  # as the reference does


class Hub:
    """The parts that know agents and Applications, tied together."""

    def __init__(
        self, config: PrincipalConfig, cluster: Cluster, health: Health, metrics: PrincipalMetrics, uid: str
    ) -> None:
        self.uid, self._config, self._metrics = uid, config, metrics
        self._mapping = HubMapping()
        clock = asyncio.get_running_loop().time
        self.agents = Agents(
            lambda name, mode: self.resync.new_agent(
                name, mode, Link(name, config.ack_timeout_seconds, source="", clock=clock)
            )
        )
        self.clusters = Clusters(self._registered, self._removed)
        self.connections = Connections(cluster, config.namespace, lambda: format_time(time.time()))
        self.applications = Observer(
            cluster,
            APPLICATIONS,
            Scope(labels=selector(config.label_selector)),
            self._on_change,
            admits=lambda obj: admits(obj, config.allowed_namespaces),
            report=reporter(health, APPS),
        )
        self.secrets = Observer(
            cluster,
            SECRETS,
            Scope(config.namespace, labels=CLUSTER_SELECTOR),
            self.clusters.on_change,
            report=reporter(health, CLUSTERS),
        )
        held = self.applications.objects
        self._applier = Applier(
            cluster, APPLICATIONS, config.max_concurrent_writes, self.applications.until_gone, held.get
        )
        self.outbound = Outbound(
            self.agents,
            self._mapping,
            held,
            uid,
            is_registered=self.clusters.is_registered,
            count=metrics.application_queued,
        )
        self.resync = Resync(
            self.outbound,
            self._mapping,
            held,
            namespace=config.namespace,
            principal_uid=uid,
            interval_seconds=config.anti_entropy_interval_seconds,
            serves=self._serves,
        )
        self.inbound = Inbound(self._applier, self._mapping, held, self.outbound, self.resync.handle)
        self.sessions = Sessions(
            self.agents,
            self.inbound,
            self.resync,
            self.connections,
            metrics,
            self.clusters.is_registered,
        )

    async def read(self) -> None:
        """Wait until the hub's own objects have been read once."""
        await self.applications.synced.wait()
        await self.secrets.synced.wait()

    async def run(self) -> None:
        """Watch the hub and write down connections, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.applications.run(), name="watch Applications")
            tasks.create_task(self.secrets.run(), name="watch cluster Secrets")
            tasks.create_task(self.connections.run(), name="write down connections")
            tasks.create_task(self._measure_connections(), name="measure connections")

    async def _measure_connections(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await pause(_MEASURE_SECONDS)
            ages = [clock() - agent.connected_at for agent in self.agents if agent.stream is not None]
            self._metrics.average_connection_time(sum(ages) / len(ages) if ages else 0.0)

    def dismiss(self, name: AgentName, why: str) -> None:
        """End the session of agent *name*, if it has one."""
        agent = self.agents.get(name)
        if agent is not None and agent.session is not None:
            agent.session.dismiss(f"the hub does not want this agent any more: {why}")

    def _serves(self, name: AgentName) -> bool:
        return self.clusters.is_registered(name) and matches_any(self._config.allowed_namespaces, name)

    def _on_change(self, change: Change) -> None:
        self._applier.seen(change)
        self.outbound.on_change(change)

    def _registered(self, name: AgentName) -> None:
        agent = self.agents.get(name)
        if agent is not None:
            self.resync.registered(agent)

    def _removed(self, name: AgentName) -> None:
        self.dismiss(name, "it is no longer registered")
        self.agents.forget(name)
        self.connections.forgotten(name)
