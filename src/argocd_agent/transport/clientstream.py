"""The agent's end of `Subscribe`, as an `EventStream`. One task sends and one receives."""

import asyncio
from collections.abc import Callable

from grpc.aio import EOF, AioRpcError, BaseError, StreamStreamCall

from argocd_agent.errors import PeerUnavailable, StreamClosed, TransportError
from argocd_agent.protocol.capabilities import PeerInfo
from argocd_agent.protocol.events import Event
from argocd_agent.protocol.names import AGENT_SOURCE
from argocd_agent.transport import frames, status
from argocd_agent.transport.ending import Ending

_ENDED = (AioRpcError, BaseError, asyncio.InvalidStateError)


class ClientStream:
    """`EventStream` over a gRPC call. *failure* says what the connection knows about its end."""

    __slots__ = ("_call", "_ending", "_failure", "_max_bytes", "address", "peer")

    def __init__(
        self,
        call: StreamStreamCall,
        peer: PeerInfo,
        address: str,
        max_bytes: int,
        failure: Callable[[], TransportError | None],
    ) -> None:
        self.peer = peer
        self.address = address
        self._call = call
        self._max_bytes = max_bytes
        self._failure = failure
        self._ending = Ending()

    async def accepted(self, timeout_seconds: float) -> dict[str, str]:
        """What the principal announces when it accepts the stream. Raises `TransportError` when it does not."""
        try:
            async with asyncio.timeout(timeout_seconds):
                pairs = await self._call.initial_metadata()
                if not pairs:  # what accepts announces; a refusal has a status instead, which may come a moment later
                    await self._call.code()
                    await self._call.wait_for_connection()  # raises the status
        except TimeoutError as error:
            self._call.cancel()
            raise PeerUnavailable(
                f"the principal at {self.address} did not accept the stream within {timeout_seconds:g} s"
            ) from error
        except _ENDED as error:
            raise self._ended(error) from error
        return {key: value for key, value in pairs if isinstance(value, str)}

    async def send(self, event: Event) -> None:
        """As `EventStream.send`."""
        self._ending.check()
        data = frames.pack(event, AGENT_SOURCE, self._max_bytes)
        try:
            async with self._ending.interrupting():
                await self._call.write(data)
        except _ENDED as error:
            raise self._ended(error) from error
        except asyncio.CancelledError:
            self._check_whose()
            raise

    async def receive(self) -> Event:
        """As `EventStream.receive`."""
        try:
            async with self._ending.interrupting():
                data = await self._call.read()
        except _ENDED as error:
            raise self._ended(error) from error
        except asyncio.CancelledError:
            self._check_whose()
            raise
        if data is EOF:
            raise self._ended(None)
        return frames.unpack(data, self._max_bytes)

    async def close(self, reason: str) -> None:
        """As `EventStream.close`. The principal learns that the stream was cancelled."""
        self._ending.end(StreamClosed(reason))
        self._call.cancel()

    def _ended(self, error: Exception | None) -> TransportError:
        """The error to raise for *error*, or for an end without one; the first is kept."""
        if isinstance(error, AioRpcError):
            meant = status.error_of_stream(error, self.address)
        else:
            meant = StreamClosed(f"stream with {self.address} ended: OK")
        known = self._failure()
        return self._ending.end(meant if known is None else type(meant)(str(known)))

    def _check_whose(self) -> None:
        """gRPC raises CancelledError for a call that `close` has cancelled, too: then it is not our task's."""
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            self._ending.check()
