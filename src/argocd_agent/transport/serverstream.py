"""The hub's end of one `Subscribe`, as an `EventStream`.

One task sends and one receives. gRPC tells by cancelling the handler that the connection is gone; the service then
calls `lost`, so that a session learns it as it learns any other end: `receive` raises `StreamClosed`.
"""

import grpc
from grpc.aio import EOF, BaseError

from argocd_agent.errors import StreamClosed
from argocd_agent.protocol.capabilities import PeerInfo
from argocd_agent.protocol.events import Event
from argocd_agent.transport import frames
from argocd_agent.transport.ending import Ending
from argocd_agent.transport.gate import Caller
from argocd_agent.transport.interceptors import Context

PRINCIPAL_SOURCE = ""  # a principal names no source, as the reference


class ServerStream:
    """`EventStream` over a gRPC handler's context."""

    __slots__ = ("_caller", "_context", "_ending", "_max_bytes")

    def __init__(self, context: Context, caller: Caller, max_bytes: int, ending: Ending) -> None:
        self._context = context
        self._caller = caller
        self._max_bytes = max_bytes
        self._ending = ending

    @property
    def peer(self) -> PeerInfo:
        """What the agent announced."""
        return self._caller.peer

    @property
    def address(self) -> str:
        """The agent's address."""
        return self._caller.address

    async def send(self, event: Event) -> None:
        """As `EventStream.send`."""
        self._ending.check()
        data = frames.pack(event, PRINCIPAL_SOURCE, self._max_bytes)
        try:
            async with self._ending.interrupting():
                await self._context.write(data)
        except (BaseError, grpc.RpcError) as error:
            self.lost("the connection is gone")
            raise StreamClosed(f"stream with {self.address}: the connection is gone") from error

    async def receive(self) -> Event:
        """As `EventStream.receive`."""
        async with self._ending.interrupting():
            data = await self._context.read()
        if data is EOF:
            self._ending.end(StreamClosed(f"stream with {self.address}: the agent closed it"))
            self._ending.check()
        return frames.unpack(data, self._max_bytes)

    async def close(self, reason: str) -> None:
        """As `EventStream.close`: the agent sees UNAVAILABLE with *reason*."""
        self._ending.end(StreamClosed(reason))

    def lost(self, reason: str) -> None:
        """The network took the stream away."""
        self._ending.end(StreamClosed(f"stream with {self.address}: {reason}"))
