"""The spoke's side of managed Applications: the parts that know the principal and Applications, tied together.

It needs a cluster to stand on and streams to serve, not a network: `run` gives it gRPC, tests give it memory.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

from argocd_agent.agent.buffer import Buffer
from argocd_agent.agent.config import AgentConfig
from argocd_agent.agent.drift import Drift
from argocd_agent.agent.inbound import Inbound
from argocd_agent.agent.mirrors import Mirrors
from argocd_agent.agent.outbound import Outbound
from argocd_agent.agent.resync import Resync
from argocd_agent.backends.ports import Cluster, Scope
from argocd_agent.errors import DecodeError
from argocd_agent.peer.apply import Applier
from argocd_agent.peer.link import Link
from argocd_agent.peer.observe import Change, Observer
from argocd_agent.peer.program import reporter
from argocd_agent.peer.session import Session, Watchers
from argocd_agent.protocol.events import Event, Target
from argocd_agent.protocol.heartbeat import heartbeat_for
from argocd_agent.protocol.modes import Role
from argocd_agent.protocol.names import AGENT_SOURCE
from argocd_agent.resources.identity import source_uid
from argocd_agent.resources.kinds import APPLICATIONS
from argocd_agent.resources.mapping import SpokeMapping
from argocd_agent.resources.objects import Object
from argocd_agent.resources.policy import Adoption, Mismatch, Policies, Recreate
from argocd_agent.resources.scope import is_ignored, selector
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.logs import get_log
from argocd_agent.telemetry.metrics import AgentMetrics
from argocd_agent.transport.stream import EventStream
from argocd_agent.wire.timestamps import parse_seconds

log = get_log("Agent")

APPS = "Applications"


class Spoke:
    """The parts that know the principal and Applications, tied together."""

    def __init__(self, config: AgentConfig, cluster: Cluster, health: Health, metrics: AgentMetrics) -> None:
        self._config, self._metrics = config, metrics
        clock = asyncio.get_running_loop().time
        mapping = SpokeMapping(config.namespace)
        self._link = Link("the principal", config.ack_timeout_seconds, source=AGENT_SOURCE, clock=clock)
        self._buffer = Buffer(self._link.put, config.buffer_informer_event_interval_seconds, clock)
        mirrors = Mirrors()

        def on_change(change: Change) -> None:
            applier.seen(change)
            outbound.on_change(change)

        self._applications = Observer(
            cluster,
            APPLICATIONS,
            Scope(config.namespace, labels=selector(config.label_selector)),
            on_change,
            admits=self._admits,
            report=reporter(health, APPS),
        )
        held = self._applications.objects
        applier = Applier(cluster, APPLICATIONS, config.max_concurrent_writes, self._applications.until_gone, held.get)
        self._drift = Drift(
            applier,
            mirrors,
            held,
            Recreate(config.on_application_recreate),
            clock,
            made_again=lambda obj: outbound.made_again(obj),
        )
        outbound = Outbound(
            self._link,
            mirrors,
            is_settled=self._applications.synced.is_set,
            buffer=self._buffer,
            put_right=self._drift.check,
        )
        self._resync = Resync(
            self._link,
            outbound,
            mapping,
            held,
            interval_seconds=config.anti_entropy_interval_seconds,
            ignore_unmanaged=config.ignore_unmanaged_apps,
        )
        policies = Policies(Mismatch(config.source_uid_mismatch_policy), Adoption(config.adoption_policy))
        self._inbound = Inbound(self._link, applier, mirrors, held, outbound, mapping, policies, self._resync.handle)

    def _admits(self, obj: Object) -> bool:
        return not is_ignored(obj) and (not self._config.ignore_unmanaged_apps or bool(source_uid(obj)))

    async def run(self) -> None:
        """Watch, and put right what is not as the principal wants it, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._applications.run(), name="watch Applications")
            tasks.create_task(self._drift.run(), name="put drift right")
            tasks.create_task(self._buffer.run(), name="hold back updates")

    async def read(self) -> None:
        """Wait until the Applications of this cluster have been read once."""
        try:
            async with asyncio.timeout(self._config.informer_sync_timeout_seconds):
                await self._applications.synced.wait()
        except TimeoutError:
            log.error(
                "The Applications of this cluster could not be read yet; the reason is under /readyz",
                {fields.SECONDS: self._config.informer_sync_timeout_seconds},
            )
            await self._applications.synced.wait()

    async def serve(self, stream: EventStream, heard: Callable[[], None] = lambda: None) -> str:
        """Drive one session; why it ended. *heard* is called with every event of the principal."""
        session = Session(
            self._link,
            stream,
            self._inbound.handle,
            self._watchers(heard),
            beat=heartbeat_for(Role.AGENT, stream.peer, self._config.heartbeat_interval_seconds),
            opened=self._resync.opened,
            entropy=self._resync.entropy,
        )
        return await session.run()

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
