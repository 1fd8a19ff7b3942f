"""The agent's channel to its principal: dialled, logged in over, subscribed over.

One `HubChannel` is one connection. It is not mended: when it is gone, every call says why, and the agent dials
again, with the certificates of then. `retire` ends it on purpose, when those have changed.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import grpc
import grpc.aio

from argocd_agent.errors import DecodeError, PeerUnavailable, StreamClosed, TransportError
from argocd_agent.protocol.capabilities import REFERENCE, PeerInfo, peer_from
from argocd_agent.protocol.names import (
    METADATA_AUTHORIZATION,
    METADATA_COMPRESSION,
    METHOD_AUTHENTICATE,
    METHOD_REFRESH_TOKEN,
    METHOD_STREAM_LOGS,
    METHOD_STREAM_TERMINAL,
    METHOD_SUBSCRIBE,
    METHOD_VERSION,
    USER_AGENT,
)
from argocd_agent.transport import frames, status
from argocd_agent.transport.clientframes import ClientLogUpload, ClientTerminal
from argocd_agent.transport.clientstream import ClientStream
from argocd_agent.transport.dial import Endpoint, Link, link
from argocd_agent.transport.stream import EventStream
from argocd_agent.wire.messages import EMPTY, LoginReply, LoginRequest, RefreshRequest, VersionReply

CALL_SECONDS = 15.0
_KEEPALIVE_LEAST_SECONDS = 10.0  # as grpc-go clamps the setting
_KEEPALIVE_ANSWER_SECONDS = 20.0

_Reply = TypeVar("_Reply", LoginReply, VersionReply)


@dataclass(frozen=True, slots=True, kw_only=True)
class DialOptions:
    """How to reach the principal. `announced` is what `protocol.capabilities.announce` says of us.

    `keepalive_seconds` 0: no HTTP/2 pings, as a Go principal wants it. `compression`: gzip, all messages.
    """

    endpoint: Endpoint
    announced: Mapping[str, str] = field(default_factory=dict)
    max_message_bytes: int = frames.MAX_MESSAGE_BYTES
    compression: bool = False
    keepalive_seconds: float = 0.0
    user_agent: str = USER_AGENT


class HubChannel:
    """The calls of an agent. All raise `AuthenticationFailed` or `PeerUnavailable`, with the gRPC code in the text
    when there is one."""

    def __init__(self, options: DialOptions, link: Link, channel: grpc.aio.Channel) -> None:
        self._options = options
        self._link = link
        self._channel = channel
        self._principal = REFERENCE
        self._stream: ClientStream | None = None
        self._retired = ""

    @property
    def address(self) -> str:
        """`host:port` of the principal."""
        return self._options.endpoint.address

    async def authenticate(
        self, request: LoginRequest, timeout_seconds: float = CALL_SECONDS
    ) -> tuple[LoginReply, PeerInfo]:
        """Tokens, and what the principal announced."""
        metadata = tuple(self._options.announced.items())
        answer, announced = await self._call(METHOD_AUTHENTICATE, request.encode(), metadata, timeout_seconds)
        self._principal = peer_from(announced)
        return self._decoded(LoginReply, answer, METHOD_AUTHENTICATE), self._principal

    async def refresh(self, request: RefreshRequest, timeout_seconds: float = CALL_SECONDS) -> LoginReply:
        """A new access token, and sometimes a new refresh token."""
        answer, _ = await self._call(METHOD_REFRESH_TOKEN, request.encode(), (), timeout_seconds)
        return self._decoded(LoginReply, answer, METHOD_REFRESH_TOKEN)

    async def version(self, token: str = "", timeout_seconds: float = CALL_SECONDS) -> str:
        """The principal's version, as it stands on the wire. Needs no token; an empty one is not sent."""
        metadata = ((METADATA_AUTHORIZATION, token),) if token else ()
        answer, _ = await self._call(METHOD_VERSION, EMPTY, metadata, timeout_seconds)
        return self._decoded(VersionReply, answer, METHOD_VERSION).version

    async def subscribe(
        self, token: str, announced: Mapping[str, str] | None = None, timeout_seconds: float = CALL_SECONDS
    ) -> EventStream:
        """The event stream. *announced* None: what the options say.

        With a principal that announced itself in Authenticate it is open when this returns. A Go principal says
        nothing until it has something to say, so there it is only begun.
        """
        if self._retired:
            raise StreamClosed(self._retired)
        metadata = {METADATA_AUTHORIZATION: token, **(self._options.announced if announced is None else announced)}
        if self._options.compression:
            metadata[METADATA_COMPRESSION] = "gzip"
        call = self._channel.stream_stream(METHOD_SUBSCRIBE)(metadata=tuple(metadata.items()))
        stream = ClientStream(
            call, self._principal, self.address, self._options.max_message_bytes, lambda: self._link.failure
        )
        if not self._principal.is_reference:
            stream.peer = peer_from(await stream.accepted(timeout_seconds))
        self._stream = stream
        return stream

    async def stream_logs(
        self, token: str, request_uuid: str, timeout_seconds: float = CALL_SECONDS
    ) -> ClientLogUpload:
        """A call for the log that was asked for as *request_uuid*; the first frame is sent. Raises as
        `LogUpload.answer`."""
        call = self._channel.stream_unary(METHOD_STREAM_LOGS)(metadata=self._metadata(token))
        upload = ClientLogUpload(call, self._principal, self.address)
        await upload.begin(request_uuid, timeout_seconds)
        return upload

    async def stream_terminal(self, token: str) -> ClientTerminal:
        """A call for a terminal; its first frame is the caller's to send."""
        call = self._channel.stream_stream(METHOD_STREAM_TERMINAL)(metadata=self._metadata(token))
        return ClientTerminal(call, self.address)

    def _metadata(self, token: str) -> tuple[tuple[str, str], ...]:
        if self._retired:
            raise StreamClosed(self._retired)
        return tuple({METADATA_AUTHORIZATION: token, **self._options.announced}.items())

    async def retire(self, reason: str) -> None:
        """End the stream, because a new connection is wanted. Its `receive` raises `StreamClosed` with *reason*, and so
        does a `subscribe` that comes later."""
        self._retired = reason
        if self._stream is not None:
            await self._stream.close(reason)

    async def _call(
        self, method: str, request: bytes, metadata: tuple[tuple[str, str], ...], timeout_seconds: float
    ) -> tuple[bytes, dict[str, str]]:
        """The answer and its initial metadata."""
        call = self._channel.unary_unary(method)(request, metadata=metadata, timeout=timeout_seconds)
        try:
            answer = await call
            pairs = await call.initial_metadata()
        except grpc.aio.AioRpcError as error:
            raise await self._failure_of(error, method) from error
        return answer, {key: value for key, value in pairs if isinstance(value, str)}

    async def _failure_of(self, error: grpc.aio.AioRpcError, method: str) -> TransportError:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            # The reason of a lost connection arrives on our side of the splice at about the same time.
            await asyncio.wait({self._link.ended}, timeout=0)
            known = self._link.failure
            if known is not None:
                return known
            if self._link.ended.done():
                return PeerUnavailable(f"the principal at {self.address} closed the connection during {method}")
        return status.error_of_call(error, method, self.address, login=method == METHOD_AUTHENTICATE)

    def _decoded(self, shape: type[_Reply], answer: bytes, method: str) -> _Reply:
        try:
            return shape.decode(answer)
        except DecodeError as error:
            raise PeerUnavailable(f"{method} at {self.address}: {error}") from error


@contextlib.asynccontextmanager
async def dial(options: DialOptions) -> AsyncIterator[HubChannel]:
    """A channel over one connection, until the block is left. Raises as `dial.link`."""
    async with link(options.endpoint) as connection:
        compression = grpc.Compression.Gzip if options.compression else None
        channel = grpc.aio.insecure_channel(connection.path, options=_arguments(options), compression=compression)
        hub = HubChannel(options, connection, channel)
        try:
            yield hub
        finally:
            await hub.retire("the agent has hung up")
            await channel.close()


def _arguments(options: DialOptions) -> list[tuple[str, int | str]]:
    arguments: list[tuple[str, int | str]] = [
        ("grpc.default_authority", options.endpoint.address),
        ("grpc.primary_user_agent", options.user_agent),
        ("grpc.max_send_message_length", -1),  # `frames.pack` has refused what is too large
        ("grpc.max_receive_message_length", frames.receive_ceiling(options.max_message_bytes)),
        ("grpc.enable_retries", 0),  # what is sent again, and when, is the outbox's matter
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if options.keepalive_seconds > 0:
        interval = max(options.keepalive_seconds, _KEEPALIVE_LEAST_SECONDS)
        arguments += [
            ("grpc.keepalive_time_ms", int(interval * 1000)),
            ("grpc.keepalive_timeout_ms", int(_KEEPALIVE_ANSWER_SECONDS * 1000)),
            ("grpc.http2.max_pings_without_data", 0),
        ]
    return arguments
