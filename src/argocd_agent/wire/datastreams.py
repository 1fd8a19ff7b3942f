"""The frames of container logs and terminals, as values, so that nobody else sees protobuf's classes (1.3, 7).

The first frame of either stream carries nothing but `request_uuid`, and every later one repeats it. Fields that we do
not know are ignored. `decode` raises `DecodeError` for bytes that are no such message.
"""

from dataclasses import dataclass
from typing import Self, TypeVar

from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message

from argocd_agent.errors import DecodeError
from argocd_agent.wire.proto import logstreamapi_pb2, terminalstreamapi_pb2

LARGEST_DATA_BYTES = 64 * 1024  # of one frame, as the reference sends at most

STDIN, STDOUT, STDERR, ERROR = "stdin", "stdout", "stderr", "error"  # values of `stream_type`

_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True)
class LogFrame:
    """A piece of a log. `is_end`: there is no more. `error` says why there is no more, and counts before `is_end`."""

    request_uuid: str
    data: bytes = b""
    is_end: bool = False
    error: str = ""

    def encode(self) -> bytes:
        """As `LogStreamData`."""
        message = logstreamapi_pb2.LogStreamData(
            request_uuid=self.request_uuid, data=self.data, eof=self.is_end, error=self.error
        )
        return message.SerializeToString(deterministic=True)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From `LogStreamData`."""
        message = _parse(logstreamapi_pb2.LogStreamData, data)
        return cls(message.request_uuid, message.data, message.eof, message.error)


@dataclass(frozen=True, slots=True)
class LogReply:
    """What became of a log: an HTTP status. The reference never fills the last two."""

    request_uuid: str
    status: int = 0
    error: str = ""
    lines_received: int = 0

    def encode(self) -> bytes:
        """As `LogStreamResponse`."""
        message = logstreamapi_pb2.LogStreamResponse(
            request_uuid=self.request_uuid, status=self.status, error=self.error, lines_received=self.lines_received
        )
        return message.SerializeToString(deterministic=True)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From `LogStreamResponse`."""
        message = _parse(logstreamapi_pb2.LogStreamResponse, data)
        return cls(message.request_uuid, message.status, message.error, message.lines_received)


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalFrame:
    """Something of a terminal: data of `stream_type`, a new size, its end, or what went wrong."""

    request_uuid: str
    data: bytes = b""
    stream_type: str = ""
    is_resize: bool = False
    rows: int = 0
    columns: int = 0
    is_end: bool = False
    error: str = ""

    def encode(self) -> bytes:
        """As `TerminalStreamData`. Sizes are below 2^32."""
        message = terminalstreamapi_pb2.TerminalStreamData(
            request_uuid=self.request_uuid,
            data=self.data,
            stream_type=self.stream_type,
            resize=self.is_resize,
            rows=self.rows,
            cols=self.columns,
            eof=self.is_end,
            error=self.error,
        )
        return message.SerializeToString(deterministic=True)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From `TerminalStreamData`."""
        message = _parse(terminalstreamapi_pb2.TerminalStreamData, data)
        return cls(
            request_uuid=message.request_uuid,
            data=message.data,
            stream_type=message.stream_type,
            is_resize=message.resize,
            rows=message.rows,
            columns=message.cols,
            is_end=message.eof,
            error=message.error,
        )


def _parse(message: type[_M], data: bytes) -> _M:
    try:
        return message.FromString(data)
    except ProtobufDecodeError as error:
        name = message.DESCRIPTOR.full_name
        raise DecodeError(f"expected {name}, found {len(data)} bytes: {error}") from error
