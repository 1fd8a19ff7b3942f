"""The hub's view of held deletions, on an embedded cluster: orders sent, and an agent that obeys if it is there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.backends.ports import PatchType, Scope
from argocd_agent.cli.places import Place
from argocd_agent.codec import encode
from argocd_agent.errors import NotFound
from argocd_agent.peer.kubeevents import KubeEvents
from argocd_agent.principal.connections import Connections
from argocd_agent.principal.held import HeldReports
from argocd_agent.protocol.brake import Order
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import (
    ANNOTATION_HELD_ORDER_PREFIX,
    CONFIGMAP_HELD_DELETIONS,
    LABEL_AGENT_NAME,
    LABEL_SECRET_TYPE,
    SECRET_TYPE_CLUSTER,
)
from argocd_agent.resources.kinds import CONFIGMAPS, EVENTS, NAMESPACES, SECRETS
from argocd_agent.resources.objects import Metadata, Object, new_object
from argocd_agent.telemetry.exposition import Registry
from argocd_agent.telemetry.metrics import principal_metrics
from argocd_agent.wire.brake import HeldItem, HeldReport
from tests.support.world import HOME, passing

SINCE = "2027-01-15T08:00:00Z"


def a_report(count: int, problem: str = "") -> HeldReport:
    """An agent's word that it holds so many."""
    items = tuple(
        HeldItem(kind="Application", namespace=HOME, name=f"a{number}", uid="u", how="delete", since=SINCE)
        for number in range(min(count, 100))
    )
    return HeldReport(count=count, since=SINCE if count else "", items=items, problem=problem)


class Hub:
    """`agents` have a cluster Secret; those in `obeying` report that nothing is held when they are ordered."""

    def __init__(self, cluster: EmbeddedCluster, secrets: dict[str, Object]) -> None:
        self.cluster, self.secrets = cluster, secrets
        self.obeying: set[str] = set()
        self.sent: list[tuple[str, Order]] = []
        self.place = Place(cluster, HOME, f"namespace {HOME}")
        self.reports: HeldReports
        self.registry: Registry
        self.connections = Connections(cluster, HOME, lambda: SINCE)
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """A new process of the principal."""
        await self.stop()
        metrics, self.registry = principal_metrics("1")
        self.reports = HeldReports(
            self.cluster,
            HOME,
            KubeEvents(self.cluster, "argocd-agent-principal", lambda: 1_800_000_000.0),
            metrics,
            send=self._send,
            secret_of=self.secrets.get,
        )
        self.tasks = [
            asyncio.create_task(self.reports.run(), name="held deletions"),
            asyncio.create_task(self.connections.run(), name="connections"),
        ]

    async def stop(self) -> None:
        """End the principal's process."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def says(self, agent: str, count: int, problem: str = "") -> None:
        """*agent* reports."""
        self.reports.reported(AgentName(agent), a_report(count, problem))
        await passing(2)

    async def annotate(self, agent: str, order: str) -> None:
        """Give an order as an operator does with kubectl."""
        patch = encode({"metadata": {"annotations": {ANNOTATION_HELD_ORDER_PREFIX + agent: order}}})
        await self.cluster.patch(CONFIGMAPS, HOME, CONFIGMAP_HELD_DELETIONS, patch, PatchType.MERGE)
        await passing(2)

    async def stored(self) -> Object | None:
        """The ConfigMap; None if there is none."""
        with contextlib.suppress(NotFound):
            return await self.cluster.get(CONFIGMAPS, HOME, CONFIGMAP_HELD_DELETIONS)
        return None

    async def shown(self) -> dict[str, str]:
        """Its data."""
        found = await self.stored()
        return dict(found.look("data")) if found is not None else {}

    async def events(self) -> dict[str, str]:
        """Messages by what they are about."""
        page = await self.cluster.list(EVENTS, Scope(HOME))
        return {str(one.look("involvedObject")["name"]): str(one.look("message")) for one in page.items}

    def gauges(self) -> set[str]:
        """The lines of the metric."""
        lines = self.registry.render().decode().splitlines()
        return {line for line in lines if line.startswith("argocd_agent_held_deletions{")}

    def _send(self, agent: AgentName, order: Order) -> None:
        self.sent.append((agent, order))
        if agent in self.obeying:
            asyncio.get_running_loop().call_later(5, self.reports.reported, agent, a_report(0))


@contextlib.asynccontextmanager
async def a_hub(*agents: str) -> AsyncIterator[Hub]:
    """A hub that knows *agents*, its principal running."""
    cluster = open_memory()
    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=HOME)))
    secrets = dict[str, Object]()
    for agent in agents:
        labels = {LABEL_AGENT_NAME: agent, LABEL_SECRET_TYPE: SECRET_TYPE_CLUSTER}
        metadata = Metadata(name=f"cluster-{agent}", namespace=HOME, labels=labels)
        secrets[agent] = await cluster.create(SECRETS, new_object(SECRETS, metadata))
    hub = Hub(cluster, secrets)
    await hub.start()
    await hub.reports.read()
    try:
        yield hub
    finally:
        await hub.stop()
