"""A hub without a network, as an agent's servers of logs and terminals see it. Notes what it gets, and can be cut."""

import asyncio
from dataclasses import dataclass, field

from argocd_agent.errors import PeerUnavailable, StreamClosed, TransportError
from argocd_agent.wire.datastreams import LogFrame, LogReply, TerminalFrame


@dataclass
class HubLog:
    """One call for a log. `arrived_bytes` is what the hub said at its beginning."""

    uuid: str
    hub: "LogHub"
    arrived_bytes: int | None
    frames: list[LogFrame] = field(default_factory=list)
    outcome: "asyncio.Future[LogReply]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    is_cancelled: bool = False

    async def send(self, frame: LogFrame) -> None:
        await self.hub.taking.wait()
        if self.outcome.done():
            raise StreamClosed("the call has ended")
        self.frames.append(frame)
        lost = self.hub.loses_bytes
        self.hub.arrived[self.uuid] = self.hub.arrived.get(self.uuid, b"") + (b"" if lost else frame.data)
        if frame.error:
            self.end(StreamClosed(f"INTERNAL: {frame.error}"))
        elif frame.is_end:
            self.end(LogReply(self.uuid, 200))

    async def finish(self) -> None:
        return

    async def answer(self) -> LogReply:
        return await asyncio.shield(self.outcome)

    def cancel(self) -> None:
        self.is_cancelled = True
        self.end(StreamClosed("cancelled"))

    def end(self, outcome: LogReply | TransportError) -> None:
        if self.outcome.done():
            return
        if isinstance(outcome, LogReply):
            self.outcome.set_result(outcome)
        else:
            self.outcome.set_exception(outcome)
            self.outcome.exception()


@dataclass
class HubTerminal:
    """One call for a terminal. The test types into `down` and looks at `frames`."""

    frames: list[TerminalFrame] = field(default_factory=list)
    down: "asyncio.Queue[TerminalFrame | TransportError]" = field(default_factory=asyncio.Queue)
    is_lost: bool = False

    async def send(self, frame: TerminalFrame) -> None:
        self.frames.append(frame)

    async def receive(self) -> TerminalFrame:
        found = await self.down.get()
        if isinstance(found, TransportError):
            raise found
        return found

    def lost(self, reason: str) -> None:
        self.is_lost = True


@dataclass
class LogHub:
    """`HubCalls`. `refuses` is raised instead of a call; `says_arrived` False: a hub of the reference."""

    says_arrived: bool = True
    refuses: TransportError | None = None
    loses_bytes: bool = False
    calls: list[HubLog] = field(default_factory=list)
    terminals: list[HubTerminal] = field(default_factory=list)
    arrived: dict[str, bytes] = field(default_factory=dict)
    renewed: list[str] = field(default_factory=list)
    taking: asyncio.Event = field(default_factory=asyncio.Event)
    up: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.taking.set()
        self.up.set()

    async def connected(self) -> None:
        await self.up.wait()

    async def log(self, request_uuid: str) -> HubLog:
        self._check()
        arrived = len(self.arrived.get(request_uuid, b"")) if self.says_arrived else None
        self.calls.append(HubLog(request_uuid, self, arrived))
        return self.calls[-1]

    async def terminal(self) -> HubTerminal:
        self._check()
        self.terminals.append(HubTerminal())
        return self.terminals[-1]

    async def renew(self, reason: str) -> None:
        self.renewed.append(reason)

    def cut(self) -> None:
        """The connection is gone; `up.set()` brings it back."""
        self.up.clear()
        for call in self.calls:
            call.end(StreamClosed("the connection is gone"))

    def _check(self) -> None:
        if self.refuses is not None:
            raise self.refuses
        if not self.up.is_set():
            raise PeerUnavailable("there is no connection to the principal")
