"""What agents' brakes hold, as the hub knows it: shown in a ConfigMap, and orders about it sent.

An agent's report is the whole truth of its moment. The ConfigMap (`heldfile`) outlives a restart of the hub, so that
an agent that is away is still shown. An order in it is sent when it is given, and again with each report that does not
say that nothing is held: an agent that was away obeys when it is back. It is taken off when the report says so.

Written at most once a second, with the newest state; a failed write is tried again after a growing pause. Everything
that holds something is also a gauge per agent and an Event on the agent's cluster Secret.
"""

import asyncio
from collections.abc import Callable

from argocd_agent.backends.ports import Cluster, Scope
from argocd_agent.errors import ClusterError, NotFound
from argocd_agent.peer.kubeevents import KubeEvents
from argocd_agent.peer.observe import Change, Observer, pause
from argocd_agent.principal.heldfile import data_of, holds_something, orders_in, reports_in, with_reports
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.brake import Order
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import CONDITION_DELETION_HELD, CONFIGMAP_HELD_DELETIONS
from argocd_agent.resources.kinds import CONFIGMAPS, SECRETS
from argocd_agent.resources.objects import Metadata, Object, new_object
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.telemetry.metrics import PrincipalMetrics
from argocd_agent.wire.brake import HeldReport

log = get_log("Brake")

REASON_ORDER = "OrderNotUnderstood"
_PAUSES = Backoff(first=1.0, factor=2.0, ceiling=60.0)


class HeldReports:
    """Keeps the ConfigMap in *namespace*. *send* gives an order to an agent if it is there; *secret_of* finds its
    cluster Secret. Neither may wait. `run` until cancelled."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        events: KubeEvents,
        metrics: PrincipalMetrics,
        *,
        send: Callable[[AgentName, Order], None],
        secret_of: Callable[[AgentName], Object | None],
        problem: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self._cluster, self._namespace, self._events, self._metrics = cluster, namespace, events, metrics
        self._send, self._secret_of = send, secret_of
        self._reports: dict[str, HeldReport] = {}
        self._heard: set[str] = set()  # agents of which we know more than the ConfigMap of the hub that ran before
        self._told: dict[str, int] = {}  # counts that Events have been recorded about
        self._orders: dict[str, str] = {}
        self._wrong: dict[str, str] = {}  # orders not understood, to be told
        self._wake = asyncio.Event()
        scope = Scope(namespace, fields=f"metadata.name={CONFIGMAP_HELD_DELETIONS}")
        self._observer = Observer(cluster, CONFIGMAPS, scope, self._on_change, report=problem)

    def reported(self, agent: AgentName, report: HeldReport) -> None:
        """*agent* says what it holds now."""
        self._hear(agent)
        before = self._reports.pop(agent, None)
        if holds_something(report):
            self._reports[agent] = report
            self._order(agent)
        self._metrics.held_deletions(agent, report.count)
        if before != self._reports.get(agent):
            about = {fields.AGENT: agent, fields.COUNT: report.count}
            if holds_something(report):
                log.warning(_words(agent, report), about)
            else:
                log.info(f"Agent {agent} holds no deletions any more", about)
            self._wake.set()

    def forgotten(self, agent: AgentName) -> None:
        """*agent* is no longer registered."""
        self._hear(agent)
        self._metrics.agent_forgotten(agent)
        if self._reports.pop(agent, None) is not None:
            self._wake.set()

    async def read(self) -> None:
        """Wait until the ConfigMap has been read once."""
        await self._observer.synced.wait()

    async def run(self) -> None:
        """Show reports and send orders, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._observer.run(), name="watch orders about held deletions")
            tasks.create_task(self._keep(), name="show held deletions")

    def _hear(self, agent: str) -> None:
        if not self._observer.synced.is_set():
            self._heard.add(agent)

    def _on_change(self, change: Change) -> None:
        obj = change.new
        if obj is not None and not self._observer.synced.is_set():
            self._load(obj)
        before, self._orders = self._orders, orders_in(obj) if obj is not None else {}
        for agent, text in self._orders.items():
            if before.get(agent) == text:
                continue
            if text not in tuple(Order):
                self._wrong[agent] = text
            elif agent in self._reports:
                self._order(agent)
        self._wake.set()  # what is out of place is put right

    def _load(self, obj: Object) -> None:
        found, wrong = reports_in(obj)
        for text in wrong:
            log.warning("A report about held deletions cannot be read; the agent's next takes its place",
                        {fields.ERROR: text})  # fmt: skip
        for agent, report in found.items():
            if agent not in self._heard and holds_something(report):
                self._reports[agent] = report
                self._told[agent] = report.count
                self._metrics.held_deletions(agent, report.count)
        self._heard.clear()

    def _order(self, agent: str) -> None:
        text = self._orders.get(agent)
        if text in tuple(Order):
            log.info(f"Asking agent {agent} to {text} the deletions that it holds", {fields.AGENT: agent})
            self._send(AgentName(agent), Order(text))

    async def _keep(self) -> None:
        failures = 0
        await self._observer.synced.wait()
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                stored = await self._write()
            except ClusterError as error:
                failures += 1
                log.warning("Held deletions cannot be shown", {fields.ERROR: str(error)})
                self._wake.set()
            else:
                failures = 0
                await self._tell(stored)
            await pause(_PAUSES.delay(failures + 1))

    async def _write(self) -> Object | None:
        reports = dict(self._reports)
        try:
            found = await self._cluster.get(CONFIGMAPS, self._namespace, CONFIGMAP_HELD_DELETIONS)
        except NotFound:
            if not reports:
                return None
            metadata = Metadata(name=CONFIGMAP_HELD_DELETIONS, namespace=self._namespace)
            return await self._cluster.create(CONFIGMAPS, new_object(CONFIGMAPS, metadata, data=data_of(reports)))
        if not reports:
            await self._cluster.delete(CONFIGMAPS, self._namespace, found.name, uid=found.uid, version=found.version)
            return None
        wanted = with_reports(found, reports)
        return found if wanted is found else await self._cluster.update(CONFIGMAPS, wanted)

    async def _tell(self, stored: Object | None) -> None:
        """Events: on the ConfigMap about orders not understood, on cluster Secrets about what came to be held."""
        wrong, self._wrong = self._wrong, {}
        for agent, text in wrong.items():
            message = f"order {text[:100]!r} for agent {agent}: expected {' or '.join(Order)}"
            log.warning("An order about held deletions is not understood", {fields.DETAIL: message})
            if stored is not None:
                await self._events.record(CONFIGMAPS, stored, REASON_ORDER, message)
        told, self._told = self._told, {agent: report.count for agent, report in self._reports.items()}
        for agent, report in tuple(self._reports.items()):
            secret = self._secret_of(AgentName(agent))
            if secret is not None and (report.problem or report.count > told.get(agent, 0)):
                await self._events.record(SECRETS, secret, CONDITION_DELETION_HELD, _words(agent, report))


def _words(agent: str, report: HeldReport) -> str:
    held = f"Agent {agent} holds {report.count} deletions"
    if report.count:
        held += f" since {report.since}: they were too many within a minute"
    return held + (f"; {report.problem}" if report.problem else "") + f". See argocd-agentctl deletions list {agent}"
