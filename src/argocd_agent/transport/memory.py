"""A pair of event streams in one process, for tests on virtual time. Passes the contract of the real one.

Each direction holds a bounded number of events; a sender waits while it is full. Events are handed over as they are,
not as bytes, so a test that is about bytes needs the real transport.
"""

import asyncio
from collections import deque

from argocd_agent.errors import EventRefused, StreamClosed
from argocd_agent.protocol.capabilities import REFERENCE, PeerInfo
from argocd_agent.protocol.events import Event
from argocd_agent.transport.ending import Ending
from argocd_agent.transport.frames import MAX_MESSAGE_BYTES
from argocd_agent.transport.stream import EventStream

BUFFERED_EVENTS = 16


def memory_pair(
    *,
    of_principal: PeerInfo = REFERENCE,
    of_agent: PeerInfo = REFERENCE,
    buffered_events: int = BUFFERED_EVENTS,
    max_event_bytes: int = MAX_MESSAGE_BYTES,
) -> tuple[EventStream, EventStream]:
    """The principal's end and the agent's end of one stream. *of_agent* is what the principal sees announced.

    Needs a running loop.
    """
    ending = Ending()
    down, up = _Pipe(buffered_events), _Pipe(buffered_events)
    return (
        _MemoryStream(of_agent, "agent in memory", up, down, ending, max_event_bytes),
        _MemoryStream(of_principal, "principal in memory", down, up, ending, max_event_bytes),
    )


class _Pipe:
    """One direction."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._events: deque[Event] = deque()
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()

    async def put(self, event: Event) -> None:
        while len(self._events) >= self._capacity:
            self._drained.clear()
            await self._drained.wait()
        self._events.append(event)
        self._filled.set()

    async def take(self) -> Event:
        while not self._events:
            self._filled.clear()
            await self._filled.wait()
        self._drained.set()
        return self._events.popleft()


class _MemoryStream:
    def __init__(
        self, peer: PeerInfo, address: str, incoming: _Pipe, outgoing: _Pipe, ending: Ending, max_bytes: int
    ) -> None:
        self.peer = peer
        self.address = address
        self._incoming = incoming
        self._outgoing = outgoing
        self._ending = ending
        self._max_bytes = max_bytes

    async def send(self, event: Event) -> None:
        self._ending.check()
        if len(event.data) > self._max_bytes:
            raise EventRefused(f"event {event.event_id} is {len(event.data)} bytes, the limit is {self._max_bytes}")
        async with self._ending.interrupting():
            await self._outgoing.put(event)

    async def receive(self) -> Event:
        async with self._ending.interrupting():
            return await self._incoming.take()

    async def close(self, reason: str) -> None:
        self._ending.end(StreamClosed(reason))
