"""What a driver needs of a network: one agent's stream of events, either end of it."""

from typing import Protocol

from argocd_agent.protocol.capabilities import PeerInfo
from argocd_agent.protocol.events import Event


class EventStream(Protocol):
    """One end of an open stream. Both ends see the events of the other in order, or the stream ends."""

    @property
    def peer(self) -> PeerInfo:
        """What the other end announced."""
        ...

    @property
    def address(self) -> str:
        """Where the other end is, for people."""
        ...

    async def send(self, event: Event) -> None:
        """Hand *event* to the network; waits while the network does not take more. Raises `StreamClosed`;
        `EventRefused` for an event above the size limit, and the stream lives."""
        ...

    async def receive(self) -> Event:
        """The next event. Raises `StreamClosed` at the end; `RemoteProtocolError` for a broken frame or one without
        content; `UndecodableEvent` for an event that cannot be understood, and the stream lives."""
        ...

    async def close(self, reason: str) -> None:
        """End the stream for both. The other end's `receive` raises `StreamClosed`. Calling it twice is fine."""
        ...
