"""The messages of the unary calls, as values, so that `transport` never sees protobuf's classes.

Fields that we do not know are ignored. `decode` raises `DecodeError` for bytes that are no such message. Tokens and
credentials are kept out of every `repr`. `VersionRequest`, `PingRequest` and `PongReply` have no fields: `EMPTY`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar

from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message

from argocd_agent.errors import DecodeError
from argocd_agent.wire.proto import authapi_pb2, eventstreamapi_pb2, versionapi_pb2

EMPTY = b""

_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRequest:
    """Who an agent says it is (wire contract, 2.2). Nothing in it has been checked: `mode` may be any text."""

    method: str
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    mode: str
    version: str
    agent_namespace: str = ""

    def encode(self) -> bytes:
        """As `authapi.AuthRequest`."""
        message = authapi_pb2.AuthRequest(
            method=self.method,
            credentials=self.credentials,
            mode=self.mode,
            version=self.version,
            agentNamespace=self.agent_namespace,
        )
        return message.SerializeToString(deterministic=True)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From `authapi.AuthRequest`."""
        message = _parse(authapi_pb2.AuthRequest, data)
        return cls(
            method=message.method,
            credentials=dict(message.credentials),
            mode=message.mode,
            version=message.version,
            agent_namespace=message.agentNamespace,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginReply:
    """Tokens, and what the principal says of itself. After a refresh: tokens only, of which the second may be empty."""

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    version: str = ""
    principal_namespace: str = ""

    def encode(self) -> bytes:
        """As `authapi.AuthResponse`."""
        message = authapi_pb2.AuthResponse(
            accessToken=self.access_token,
            refreshToken=self.refresh_token,
            version=self.version,
            principalNamespace=self.principal_namespace,
        )
        return message.SerializeToString(deterministic=True)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From `authapi.AuthResponse`."""
        message = _parse(authapi_pb2.AuthResponse, data)
        return cls(
            access_token=message.accessToken,
            refresh_token=message.refreshToken,
            version=message.version,
            principal_namespace=message.principalNamespace,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshRequest:
    """Asks for a new access token."""

    refresh_token: str = field(repr=False)

    def encode(self) -> bytes:
        """As `authapi.RefreshTokenRequest`."""
        message = authapi_pb2.RefreshTokenRequest(refreshToken=self.refresh_token)
        return message.SerializeToString(deterministic=True)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From `authapi.RefreshTokenRequest`."""
        return cls(refresh_token=_parse(authapi_pb2.RefreshTokenRequest, data).refreshToken)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionReply:
    """What version the principal claims to be, with the prefix that the wire has: `argocd-agent-0.9.0`."""

    version: str

    def encode(self) -> bytes:
        """As `versionapi.VersionResponse`."""
        return versionapi_pb2.VersionResponse(version=self.version).SerializeToString(deterministic=True)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From `versionapi.VersionResponse`."""
        return cls(version=_parse(versionapi_pb2.VersionResponse, data).version)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSummary:
    """What became of a `Push`: a sentence, and how many events came in and were dealt with (below 2^31)."""

    result: str = ""
    received: int = 0
    processed: int = 0

    def encode(self) -> bytes:
        """As `eventstreamapi.PushSummary`."""
        message = eventstreamapi_pb2.PushSummary(result=self.result, received=self.received, processed=self.processed)
        return message.SerializeToString(deterministic=True)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From `eventstreamapi.PushSummary`."""
        message = _parse(eventstreamapi_pb2.PushSummary, data)
        return cls(result=message.result, received=message.received, processed=message.processed)


def _parse(message: type[_M], data: bytes) -> _M:
    try:
        return message.FromString(data)
    except ProtobufDecodeError as error:
        name = message.DESCRIPTOR.full_name
        raise DecodeError(f"expected {name}, found {len(data)} bytes: {error}") from error
