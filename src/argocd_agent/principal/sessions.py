"""One agent's session on the hub: joins, is brought up to date, is driven until it ends, leaves."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from argocd_agent.errors import EventError, PeerUnavailable
from argocd_agent.peer.session import Session, Watchers
from argocd_agent.principal.agents import Agent, Agents
from argocd_agent.principal.clusterinfo import ClusterInfos
from argocd_agent.principal.connections import Connections
from argocd_agent.principal.inbound import Inbound
from argocd_agent.principal.resync import Resync
from argocd_agent.protocol.events import AgentName, Event, Target
from argocd_agent.protocol.heartbeat import heartbeat_for
from argocd_agent.protocol.modes import Role
from argocd_agent.protocol.session import HOLD_SECONDS, Decision
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.telemetry.metrics import PrincipalMetrics
from argocd_agent.transport.gate import Identity
from argocd_agent.transport.stream import EventStream

log = get_log("StreamEvent")


@dataclass(frozen=True, slots=True)
class Sessions:
    """Serves agents' streams, once the hub's own objects have been read."""

    agents: Agents
    inbound: Inbound
    resync: Resync
    connections: Connections
    metrics: PrincipalMetrics
    is_registered: Callable[[AgentName], bool]
    cluster_infos: ClusterInfos
    opened: Callable[[AgentName], None]
    ended: Callable[[AgentName], None]

    async def serve(self, identity: Identity, stream: EventStream) -> None:
        """Drive *stream* until it ends. Raises `PeerUnavailable` for a stream that is not accepted."""
        clock = asyncio.get_running_loop().time
        agent, takeover = self.agents.join(identity, stream, clock())
        if takeover.decision is Decision.HOLD:
            log.error(takeover.message, {fields.AGENT: identity.agent, fields.ADDRESS: stream.address})
            await _hold(stream)
            raise PeerUnavailable(takeover.message)
        before, agent.stream, agent.epoch = agent.stream, stream, takeover.epoch
        try:
            if before is not None:
                log.info("A new stream of an agent takes the place of the one before", {fields.AGENT: agent.name})
                await before.close("another stream took this agent's place")
                await agent.ended.wait()
            if agent.stream is not stream or self.agents.get(agent.name) is not agent:
                # A third came while the second was waiting, or the hub has forgotten the agent.
                raise PeerUnavailable("another stream took this agent's place")
            agent.connected_at = clock()
            await self._driven(agent, stream)
        finally:
            self.agents.leave(agent, stream)

    async def _driven(self, agent: Agent, stream: EventStream) -> None:
        agent.ended.clear()
        try:
            await self._drive(agent, stream)
        finally:
            agent.ended.set()

    async def take_pushed(self, identity: Identity, event: Event) -> bool:
        """Handle one event of a `Push`: Applications only. Whether it was carried out."""
        if event.target is not Target.APPLICATION:
            return False
        try:
            await self.inbound.handle(self.agents.known(identity), event)
        except EventError as error:
            log.warning("A pushed event was not carried out", {fields.AGENT: identity.agent, fields.ERROR: str(error)})
            return False
        return True

    async def _drive(self, agent: Agent, stream: EventStream) -> None:
        session = Session(
            agent.link,
            stream,
            lambda event: self.inbound.handle(agent, event),
            self._watchers(agent),
            beat=heartbeat_for(Role.PRINCIPAL, stream.peer),
            opened=lambda: self.resync.opened(agent),
            entropy=agent.entropy,
        )
        agent.session = session
        about = {fields.AGENT: agent.name, fields.MODE: agent.mode.value, fields.ADDRESS: stream.address}
        log.info("An agent connected to the subscription stream", about)
        if not self.is_registered(agent.name):
            log.warning("The agent has no cluster Secret on the hub: it is sent nothing until there is one", about)
        self.metrics.agent_connected(agent.name)
        self.connections.connected(agent.name, agent.mode, stream.address)
        self.cluster_infos.connected(agent.name)
        self.opened(agent.name)
        reason = "the principal is stopping"
        try:
            reason = await session.run()
        finally:
            self.metrics.agent_disconnected(agent.name)
            agent.session = None
            if agent.stream is stream and self.agents.get(agent.name) is agent:
                self.connections.disconnected(agent.name, agent.mode, reason)
                self.cluster_infos.disconnected(agent.name)
                self.ended(agent.name)
            log.info("An agent disconnected", about | {fields.REASON: reason})

    def _watchers(self, agent: Agent) -> Watchers:
        metrics, name = self.metrics, agent.name

        def sent(event: Event) -> None:
            metrics.event_sent(name, event.target, event.type)

        def received(event: Event) -> None:
            metrics.event_received(name, event.target, event.type)

        def processed(event: Event, status: str, seconds: float) -> None:
            metrics.event_processed(name, event.target, status, seconds)

        def refused(event: Event, _: str) -> None:
            metrics.refused(name, event.target, event.type)

        return Watchers(
            sent,
            received,
            processed,
            refused,
            resent=lambda _: metrics.resent(name),
            unsent=lambda: metrics.send_failed(name, "transport-closing"),
            depth=lambda waiting: metrics.outbox_depth(name, waiting),
        )


async def _hold(stream: EventStream) -> None:
    """Keep a stream that is not wanted open for a while: its agent would be back at once."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HOLD_SECONDS):
            while True:
                await stream.receive()
