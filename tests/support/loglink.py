"""An agent's server of logs joined with a hub's, without a network. A cut loses what is on its way."""

import asyncio
from dataclasses import dataclass, field

from argocd_agent.errors import PeerUnavailable, StreamClosed, TransportError
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import METADATA_LOG_BYTES
from argocd_agent.proxies.logs import Logs
from argocd_agent.transport.gate import Identity
from argocd_agent.wire.datastreams import LogFrame, LogReply
from tests.support.framepair import ServedEnd
from tests.support.loghub import HubTerminal

ON_ITS_WAY = 4  # frames that the line holds


@dataclass
class JoinedLog:
    """`LogUpload`: one call, from the agent to the hub."""

    stream: ServedEnd[LogFrame, LogReply]
    serving: asyncio.Task[LogReply]
    sent: int = 1
    is_cut: bool = False

    @property
    def arrived_bytes(self) -> int | None:
        said = (self.stream.said or {}).get(METADATA_LOG_BYTES)
        return None if said is None else int(said)

    async def send(self, frame: LogFrame) -> None:
        while self.sent - self.stream.taken >= ON_ITS_WAY and not self.is_cut and not self.serving.done():
            await _moved(self.stream)
        if self.is_cut or self.serving.done():
            raise StreamClosed("the call has ended")
        self.sent += 1
        self.stream.feed(frame)

    async def finish(self) -> None:
        return

    async def answer(self) -> LogReply:
        try:
            return await asyncio.shield(self.serving)
        except asyncio.CancelledError:
            if self.is_cut:
                raise StreamClosed("the connection is gone") from None
            raise

    def cancel(self) -> None:
        self.cut()

    def cut(self) -> None:
        """The connection is gone, and with it what the hub has not taken."""
        if not self.is_cut:
            self.is_cut = True
            self.stream.drop("the connection is gone")
            self.serving.cancel()


@dataclass
class LogLink:
    """`HubCalls` to *logs*."""

    logs: Logs
    agent: AgentName
    calls: list[JoinedLog] = field(default_factory=list)
    up: asyncio.Event = field(default_factory=asyncio.Event)

    async def connected(self) -> None:
        await self.up.wait()

    async def log(self, request_uuid: str) -> JoinedLog:
        if not self.up.is_set():
            raise PeerUnavailable("there is no connection to the principal")
        stream: ServedEnd[LogFrame, LogReply] = ServedEnd()
        serving = asyncio.create_task(self.logs.stream(Identity(self.agent, Mode.MANAGED), stream))
        serving.add_done_callback(lambda _: stream.moved.set())
        call = JoinedLog(stream, serving)
        self.calls.append(call)
        stream.feed(LogFrame(request_uuid))
        while stream.said is None and not serving.done():
            await _moved(stream)
        if serving.done():
            raise _ended(serving)
        return call

    async def terminal(self) -> HubTerminal:
        raise StreamClosed("no terminals here")

    async def renew(self, reason: str) -> None:
        return

    def cut(self) -> None:
        """The connection is gone; `up.set()` brings it back."""
        self.up.clear()
        for call in self.calls:
            call.cut()


async def _moved(stream: ServedEnd[LogFrame, LogReply]) -> None:
    stream.moved.clear()
    await stream.moved.wait()


def _ended(serving: asyncio.Task[LogReply]) -> TransportError:
    error = None if serving.cancelled() else serving.exception()
    return error if isinstance(error, TransportError) else StreamClosed("the connection is gone")
