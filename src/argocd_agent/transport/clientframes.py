"""The agent's end of one `StreamLogs` or `StreamTerminal`.

grpc's client forgets the status of a call that ends while something is being written, and says INTERNAL; so what a
call ended with is certain only where nothing was being written. Whoever sends logs again therefore waits a moment for
a refusal first.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from grpc.aio import EOF, AioRpcError, BaseError, StreamStreamCall, StreamUnaryCall

from argocd_agent.errors import DecodeError, PeerUnavailable, StreamClosed, TransportError
from argocd_agent.protocol.capabilities import PeerInfo
from argocd_agent.protocol.names import METADATA_LOG_BYTES
from argocd_agent.transport import status
from argocd_agent.transport.ending import Ending
from argocd_agent.wire.datastreams import LogFrame, LogReply, TerminalFrame

_ENDED = (AioRpcError, BaseError, asyncio.InvalidStateError)
_T = TypeVar("_T")


class ClientLogUpload:
    """`LogUpload` over a gRPC call."""

    __slots__ = ("_address", "_call", "_principal", "arrived_bytes")

    def __init__(self, call: StreamUnaryCall, principal: PeerInfo, address: str) -> None:
        self.arrived_bytes: int | None = None
        self._call, self._principal, self._address = call, principal, address

    async def begin(self, request_uuid: str, timeout_seconds: float) -> None:
        """Say which request this is. A principal of ours answers at once: what has arrived of it, or a refusal."""
        await self.send(LogFrame(request_uuid))
        if self._principal.is_reference:  # it says nothing until the end
            return
        try:
            async with asyncio.timeout(timeout_seconds):
                pairs = await self._call.initial_metadata()
        except TimeoutError as error:
            self.cancel()
            raise PeerUnavailable(
                f"the principal at {self._address} did not take the log within {timeout_seconds:g} s"
            ) from error
        except _ENDED as error:
            raise status.error_of_frames(error, self._address) from error
        if not pairs:  # a refusal has a status instead
            await self.answer()
        said = {key: value for key, value in pairs if isinstance(value, str)}.get(METADATA_LOG_BYTES, "")
        self.arrived_bytes = int(said) if said.isascii() and said.isdigit() and len(said) < 20 else None

    async def send(self, frame: LogFrame) -> None:
        """As `LogUpload`."""
        try:
            await self._call.write(frame.encode())
        except _ENDED as error:
            raise status.error_of_frames(error, self._address) from error
        except asyncio.CancelledError as error:
            _raise_if_not_ours(error, self._address)
            raise

    async def finish(self) -> None:
        """As `LogUpload`."""
        try:
            await self._call.done_writing()
        except _ENDED as error:
            raise status.error_of_frames(error, self._address) from error

    async def answer(self) -> LogReply:
        """As `LogUpload`."""
        try:
            data = await self._call
        except _ENDED as error:
            raise status.error_of_frames(error, self._address) from error
        except asyncio.CancelledError as error:
            _raise_if_not_ours(error, self._address)
            raise
        return _decoded(LogReply.decode, data, self._address)

    def cancel(self) -> None:
        """As `LogUpload`."""
        self._call.cancel()


class ClientTerminal:
    """`FrameStream` of a terminal over a gRPC call."""

    __slots__ = ("_address", "_call", "_ending")

    def __init__(self, call: StreamStreamCall, address: str) -> None:
        self._call, self._address = call, address
        self._ending = Ending()

    async def send(self, frame: TerminalFrame) -> None:
        """As `FrameStream`."""
        try:
            async with self._ending.interrupting():
                await self._call.write(frame.encode())
        except _ENDED as error:
            raise self._ended(error) from error
        except asyncio.CancelledError as error:
            _raise_if_not_ours(error, self._address)
            raise

    async def receive(self) -> TerminalFrame:
        """As `FrameStream`."""
        try:
            async with self._ending.interrupting():
                data = await self._call.read()
        except _ENDED as error:
            raise self._ended(error) from error
        except asyncio.CancelledError as error:
            _raise_if_not_ours(error, self._address)
            raise
        if data is EOF:
            raise self._ending.end(StreamClosed(f"terminal with {self._address}: the principal has ended it"))
        return _decoded(TerminalFrame.decode, data, self._address)

    def lost(self, reason: str) -> None:
        """As `FrameStream`."""
        self._ending.end(StreamClosed(reason))
        self._call.cancel()

    def _ended(self, error: Exception) -> TransportError:
        return self._ending.end(status.error_of_frames(error, self._address))


def _raise_if_not_ours(error: asyncio.CancelledError, address: str) -> None:
    """gRPC raises CancelledError for a call that was cancelled, too: then it is not our task's."""
    task = asyncio.current_task()
    if task is None or not task.cancelling():
        raise StreamClosed(f"call to {address}: it was cancelled") from error


def _decoded(decode: Callable[[bytes], _T], data: bytes, address: str) -> _T:
    try:
        return decode(data)
    except DecodeError as error:
        raise StreamClosed(f"call to {address}: {error}") from error
