"""A stream in bytes, with ours at one end and a scripted end of the reference at the other.

What ours sends is encoded as on the wire and what the script says is decoded as on the wire, so an event that only
survives as a value in memory does not survive here. The reference announces nothing.
"""

import asyncio
from typing import Protocol

from argocd_agent.errors import StreamClosed
from argocd_agent.protocol.capabilities import REFERENCE, PeerInfo
from argocd_agent.protocol.events import Event
from argocd_agent.protocol.modes import Role
from argocd_agent.protocol.names import AGENT_SOURCE
from argocd_agent.transport import frames

_SOURCES = {Role.AGENT: AGENT_SOURCE, Role.PRINCIPAL: ""}


class GoLine(Protocol):
    """What a scripted end needs of a stream."""

    @property
    def is_open(self) -> bool: ...

    def say(self, data: bytes) -> None: ...

    async def hear(self) -> bytes: ...

    def end(self, reason: str) -> None: ...


class Line:
    """One stream. `ours` is an `EventStream`; the script uses `say`, `hear` and `end`."""

    def __init__(self, our_role: Role) -> None:
        self._to_go: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._to_ours: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._reason = ""
        self.ours = OurEnd(self, _SOURCES[our_role])

    @property
    def is_open(self) -> bool:
        """Whether neither end has closed it."""
        return not self._reason

    def say(self, data: bytes) -> None:
        """Send ours *data*, a whole message. On a closed line it is lost, as on a broken connection."""
        if self.is_open:
            self._to_ours.put_nowait(data)

    async def hear(self) -> bytes:
        """What ours sent. Raises `StreamClosed`."""
        return await self._take(self._to_go)

    def end(self, reason: str) -> None:
        """Close it for both. What is under way is lost, as on a broken connection."""
        if not self.is_open:
            return
        self._reason = reason
        for queue in (self._to_go, self._to_ours):
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(None)

    def write(self, data: bytes) -> None:
        """Ours sends *data*."""
        if not self.is_open:
            raise StreamClosed(self._reason)
        self._to_go.put_nowait(data)

    async def read(self) -> bytes:
        """What the script said. Raises `StreamClosed`."""
        return await self._take(self._to_ours)

    async def _take(self, queue: asyncio.Queue[bytes | None]) -> bytes:
        data = await queue.get()
        if data is None:
            queue.put_nowait(None)  # for whoever asks again
            raise StreamClosed(self._reason)
        return data


class OurEnd:
    """`EventStream` on a `Line`."""

    def __init__(self, line: Line, source: str) -> None:
        self._line, self._source = line, source

    @property
    def peer(self) -> PeerInfo:
        """As `EventStream.peer`."""
        return REFERENCE

    @property
    def address(self) -> str:
        """As `EventStream.address`."""
        return "a scripted peer"

    async def send(self, event: Event) -> None:
        """As `EventStream.send`."""
        self._line.write(frames.pack(event, self._source, frames.MAX_MESSAGE_BYTES))

    async def receive(self) -> Event:
        """As `EventStream.receive`."""
        return frames.unpack(await self._line.read(), frames.MAX_MESSAGE_BYTES)

    async def close(self, reason: str) -> None:
        """As `EventStream.close`."""
        self._line.end(reason)
