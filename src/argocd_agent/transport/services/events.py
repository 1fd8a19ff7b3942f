"""The event stream: Subscribe, and Push. Ping is not registered, so gRPC answers UNIMPLEMENTED, as the reference."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping

import grpc
from grpc.aio import EOF

from argocd_agent.errors import AuthenticationFailed, LocalProtocolError, PeerUnavailable, StreamClosed
from argocd_agent.protocol.events import Event
from argocd_agent.protocol.names import METADATA_AUTHORIZATION, METADATA_COMPRESSION
from argocd_agent.transport import frames
from argocd_agent.transport.ending import Ending
from argocd_agent.transport.gate import Caller, Gate, Identity
from argocd_agent.transport.interceptors import Context, announce_to
from argocd_agent.transport.serverstream import ServerStream


class Events:
    """Holds the open streams, so that a stop can end them with a reason."""

    def __init__(self, gate: Gate, announced: Mapping[str, str], max_bytes: int, linger_seconds: float) -> None:
        self._gate = gate
        self._announced = tuple(announced.items())
        self._max_bytes = max_bytes
        self._linger_seconds = linger_seconds
        self._open: set[ServerStream] = set()
        self._stopping = ""

    async def subscribe(self, context: Context, caller: Caller) -> bytes:
        """Drive one agent's session. Raises what decides the status; ends normally for OK."""
        identity = self.admit(caller)
        if caller.metadata.get(METADATA_COMPRESSION) == "gzip":
            context.set_compression(grpc.Compression.Gzip)
        ending = Ending()
        stream = ServerStream(context, caller, self._max_bytes, ending)
        self._open.add(stream)  # before the agent hears of it: a stop from now on must end it
        try:
            await announce_to(context, caller, self._announced)
            await self._drive(self._gate.serve(identity, stream), stream, ending, f"session of {identity.agent}")
        finally:
            self._open.discard(stream)
            stream.lost("it has ended")  # for whoever still holds it
        return b""

    async def push(self, context: Context, caller: Caller) -> bytes:
        """Take events until the caller has no more."""
        identity = self.admit(caller)
        return (await self._gate.push(identity, self._pushed(context))).encode()

    async def close(self, reason: str) -> None:
        """End every open stream, for *reason*, and refuse those that still come."""
        self._stopping = reason
        for stream in tuple(self._open):
            await stream.close(reason)

    async def _drive(
        self, serving: Coroutine[None, None, None], stream: ServerStream, ending: Ending, name: str
    ) -> None:
        """Run the session. When its stream ends it has a while to end by itself, whoever ended the stream."""
        session = asyncio.create_task(serving, name=name)
        try:
            await asyncio.wait({session, ending.happened}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:  # how grpc tells that the agent has gone
            stream.lost("the connection is gone")
        if not (await asyncio.wait({session}, timeout=self._linger_seconds))[0]:
            session.cancel()
            await asyncio.wait({session}, timeout=self._linger_seconds)
        if not session.done():
            raise LocalProtocolError(
                f"{name}: it went on for {2 * self._linger_seconds:g} s after its stream had ended"
            )
        if ending.error is not None and (session.cancelled() or session.exception() is None):
            raise ending.error
        if session.cancelled():
            raise StreamClosed(f"{name}: it was cancelled")
        session.result()

    def admit(self, caller: Caller) -> Identity:
        """Whose token *caller* has. Raises `AuthenticationFailed`; `PeerUnavailable` when we are stopping."""
        if self._stopping:
            raise PeerUnavailable(self._stopping)
        token = caller.metadata.get(METADATA_AUTHORIZATION, "")
        if not token:
            raise AuthenticationFailed(f"{caller.address}: expected an access token, found none")
        return self._gate.admit(token, caller)

    async def _pushed(self, context: Context) -> AsyncIterator[Event]:
        while (data := await context.read()) is not EOF:
            yield frames.unpack(data, self._max_bytes)
