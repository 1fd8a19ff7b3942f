"""The spoke's side: what is owned or mirrored here, and the one link to the principal, tied together.

It needs a cluster to stand on and streams to serve, not a network: `run` gives it gRPC, tests give it memory.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

from argocd_agent.agent.autonomous import PUBLISHED, Autonomous
from argocd_agent.agent.braking import HELD, Braking
from argocd_agent.agent.buffer import Buffer
from argocd_agent.agent.clusterinfo import ClusterInfoReports
from argocd_agent.agent.config import AgentConfig
from argocd_agent.agent.holdings import PARTS
from argocd_agent.agent.hublogin import HubLogin
from argocd_agent.agent.managed import Managed
from argocd_agent.agent.view import Sights, View
from argocd_agent.backends.ports import Cache, Cluster
from argocd_agent.errors import DecodeError
from argocd_agent.peer.kubeevents import KubeEvents
from argocd_agent.peer.link import Link
from argocd_agent.peer.reports import Reports
from argocd_agent.peer.session import Session, Watchers
from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.heartbeat import heartbeat_for
from argocd_agent.protocol.modes import Mode, Role
from argocd_agent.protocol.names import AGENT_SOURCE
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.logs import get_log
from argocd_agent.telemetry.metrics import AgentMetrics
from argocd_agent.transport.stream import EventStream
from argocd_agent.wire.payloads import ClusterCacheInfo
from argocd_agent.wire.timestamps import parse_seconds

log = get_log("Agent")


def parts_of(mode: Mode) -> tuple[str, ...]:
    """What an agent in *mode* must have read before it is ready, as named in health."""
    return (*PARTS.values(), HELD) if mode is Mode.MANAGED else tuple(PARTS[kind] for kind in PUBLISHED)


class Spoke:
    """The parts that know the principal and what travels, tied together."""

    def __init__(
        self,
        config: AgentConfig,
        cluster: Cluster,
        health: Health,
        metrics: AgentMetrics,
        cache: Cache,
        sights: Sights,
    ) -> None:
        self._config, self._metrics = config, metrics
        clock = asyncio.get_running_loop().time
        self._login = HubLogin()
        self._link = Link("the principal", config.ack_timeout_seconds, source=AGENT_SOURCE, clock=clock)
        self._buffer = Buffer(self._link.put, config.buffer_informer_event_interval_seconds, clock)
        events = KubeEvents(cluster, "argocd-agent", time.time)
        self._counts = ClusterInfoReports(cache, config.cache_refresh_interval_seconds, self._count)
        self._braking: Braking | None = None
        if config.mode is Mode.AUTONOMOUS:
            self._side: Managed | Autonomous = self._autonomous(cluster, health, events)
            self._view = View(config, cluster, self._link, self._side.applications, cache, sights, metrics)
            return
        self._braking = Braking(config, cluster, health, metrics, self._link, events, lambda: managed)
        managed = self._side = self._managed(cluster, health, self._braking)
        self._view = View(config, cluster, self._link, managed.applications, cache, sights, metrics)

    def _managed(self, cluster: Cluster, health: Health, brake: Braking) -> Managed:
        return Managed(
            self._config,
            cluster,
            health,
            self._link,
            self._buffer,
            lambda: self._login,
            brake=brake,
            more={Target.BRAKE: brake.handle},
        )

    def _autonomous(self, cluster: Cluster, health: Health, events: KubeEvents) -> Autonomous:
        return Autonomous(
            self._config,
            cluster,
            health,
            self._link,
            self._buffer,
            lambda: self._login,
            report=Reports(cluster, events).refused,
            more={},
        )

    async def run(self) -> None:
        """Watch, and put right what is not as it should be, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, part in {**self._side.parts(), **self._view.parts()}.items():
                tasks.create_task(part, name=name)
            tasks.create_task(self._buffer.run(), name="hold back updates")
            if self._braking is not None:
                tasks.create_task(self._braking.part(), name="hold deletions")
                tasks.create_task(self._counts.run(), name="count what is on the cluster")

    async def read(self) -> None:
        """Wait until this cluster's objects have been read once."""
        try:
            async with asyncio.timeout(self._config.informer_sync_timeout_seconds):
                await self._read_all()
        except TimeoutError:
            log.error(
                "The objects of this cluster could not be read yet; the reason is under /readyz",
                {fields.SECONDS: self._config.informer_sync_timeout_seconds},
            )
            await self._read_all()

    async def _read_all(self) -> None:
        for observer in self._side.observers:
            await observer.synced.wait()
        if self._braking is not None:
            await self._braking.read()

    async def handle(self, event: Event) -> None:
        """Do what *event* of the principal asks. Raises `EventError`."""
        await (self._view.handlers.get(event.target) or self._side.handle)(event)

    async def serve(self, stream: EventStream, login: HubLogin, heard: Callable[[], None] = lambda: None) -> str:
        """Drive one session; why it ended. *heard* is called with every event of the principal."""
        self._login = login
        session = Session(
            self._link,
            stream,
            self.handle,
            self._watchers(heard),
            beat=heartbeat_for(Role.AGENT, stream.peer, self._config.heartbeat_interval_seconds),
            opened=self._opened,
            entropy=self._side.entropy,
        )
        try:
            return await session.run()
        finally:
            self._counts.closed()
            self._view.closed()

    def _opened(self) -> None:
        self._side.opened()
        if self._braking is not None:
            self._braking.opened()
            self._counts.opened()

    def _count(self, counts: ClusterCacheInfo) -> None:
        kind = EventType.CLUSTER_CACHE_INFO_UPDATE
        self._link.put(self._link.message(Target.CLUSTER_CACHE_INFO, kind, counts, key="cluster info"))

    def _watchers(self, heard: Callable[[], None]) -> Watchers:
        metrics = self._metrics

        def sent(event: Event) -> None:
            metrics.event_sent(event.target, event.type)

        def received(event: Event) -> None:
            heard()
            metrics.event_received(event.target, event.type)
            if event.sent_at and event.target is not Target.ACK:
                with contextlib.suppress(DecodeError):  # a peer's odd clock is no reason to lose an event
                    metrics.propagation_latency(event.target, time.time() - parse_seconds(event.sent_at))

        def processed(event: Event, status: str, seconds: float) -> None:
            metrics.event_processed(event.target, status, seconds)

        def refused(event: Event, _: str) -> None:
            metrics.refused(event.target, event.type)

        return Watchers(
            sent,
            received,
            processed,
            refused,
            resent=lambda _: metrics.resent(),
            unsent=lambda: None,
            depth=metrics.outbox_depth,
        )
