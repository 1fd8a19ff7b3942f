"""What logs and terminals need of a network: one call of an agent, seen from either end.

One task sends and one receives. A memory pair for tests stands in tests/support/lines.py.
"""

from collections.abc import Mapping
from typing import Protocol, TypeVar

from argocd_agent.wire.datastreams import LogFrame, LogReply, TerminalFrame

In_co = TypeVar("In_co", covariant=True)
Out_contra = TypeVar("Out_contra", contravariant=True)


class FrameStream(Protocol[In_co, Out_contra]):
    """Frames both ways."""

    async def send(self, frame: Out_contra) -> None:
        """Hand *frame* to the network; waits while the network does not take more. Raises `TransportError`."""
        ...

    async def receive(self) -> In_co:
        """The next frame. Raises `TransportError` at the end, however it came; what is no frame ends the stream."""
        ...

    def lost(self, reason: str) -> None:
        """End the stream: whoever uses it still, now or later, has `StreamClosed` raised."""
        ...


class ServedStream(FrameStream[In_co, Out_contra], Protocol[In_co, Out_contra]):
    """The hub's end."""

    async def accept(self, said: Mapping[str, str]) -> None:
        """Tell the agent at once that it is wanted, and *said*; a reference agent is told nothing. Raises
        `StreamClosed`."""
        ...


LogStream = ServedStream[LogFrame, LogReply]
TerminalStream = FrameStream[TerminalFrame, TerminalFrame]


class LogUpload(Protocol):
    """The agent's end of one `StreamLogs`."""

    @property
    def arrived_bytes(self) -> int | None:
        """How much of this log has reached whoever asked for it, through calls before. None: the hub does not say."""
        ...

    async def send(self, frame: LogFrame) -> None:
        """As `FrameStream`. What ended the call is `answer`'s to say."""
        ...

    async def finish(self) -> None:
        """There is nothing more to send."""
        ...

    async def answer(self) -> LogReply:
        """What the hub says at the end. Raises `UnknownRequest`, `CallerGone`, `AuthenticationFailed`, or
        `StreamClosed` for any other end."""
        ...

    def cancel(self) -> None:
        """End the call. Nothing happens to one that has ended."""
        ...
