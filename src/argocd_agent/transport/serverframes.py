"""The hub's end of one `StreamLogs` or `StreamTerminal`.

gRPC tells by cancelling the handler that the connection is gone; the service then calls `lost`, so that whoever reads
learns it as any other end.
"""

from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

import grpc
from grpc.aio import EOF, BaseError

from argocd_agent.errors import DecodeError, StreamClosed
from argocd_agent.transport.ending import Ending
from argocd_agent.transport.gate import Caller
from argocd_agent.transport.interceptors import Context, announce_to


class _Encodes(Protocol):
    def encode(self) -> bytes: ...


In = TypeVar("In")
Out = TypeVar("Out", bound=_Encodes)


class ServerFrames(Generic[In, Out]):
    """`ServedStream` over a gRPC handler's context. *decode* makes a frame of bytes."""

    __slots__ = ("_announced", "_caller", "_context", "_decode", "_ending")

    def __init__(
        self, context: Context, caller: Caller, announced: Mapping[str, str], decode: Callable[[bytes], In]
    ) -> None:
        self._context, self._caller, self._announced, self._decode = context, caller, announced, decode
        self._ending = Ending()

    async def accept(self, said: Mapping[str, str]) -> None:
        """As `ServedStream`."""
        self._ending.check()
        await announce_to(self._context, self._caller, tuple({**self._announced, **said}.items()))

    async def send(self, frame: Out) -> None:
        """As `FrameStream`."""
        try:
            async with self._ending.interrupting():
                await self._context.write(frame.encode())
        except (BaseError, grpc.RpcError) as error:
            self.lost("the connection is gone")
            raise StreamClosed(f"call of {self._caller.address}: the connection is gone") from error

    async def receive(self) -> In:
        """As `FrameStream`."""
        async with self._ending.interrupting():
            data = await self._context.read()
        if data is EOF:
            self.lost("the agent has no more")
            self._ending.check()
        try:
            return self._decode(data)
        except DecodeError as error:
            self.lost(str(error))
            raise StreamClosed(f"call of {self._caller.address}: {error}") from error

    def lost(self, reason: str) -> None:
        """As `FrameStream`."""
        self._ending.end(StreamClosed(f"call of {self._caller.address}: {reason}"))
