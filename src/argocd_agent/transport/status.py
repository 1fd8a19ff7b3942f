"""Error class ↔ gRPC status: one table for each direction.

The Go agent decides by these codes what it does next (wire contract, 2.6 and 2.10): a `Subscribe` that ends with
anything but OK, UNAVAILABLE, UNAUTHENTICATED or CANCELLED makes it spin for ever, so no other code is in that table.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from grpc import StatusCode
from grpc.aio import AioRpcError

from argocd_agent.errors import (
    ArgocdAgentError,
    AuthenticationFailed,
    DecodeError,
    LocalProtocolError,
    PeerUnavailable,
    RemoteProtocolError,
    StreamClosed,
    TransportError,
    UndecodableEvent,
)
from argocd_agent.transport.gate import (
    CallerGone,
    StreamFailed,
    UnknownMode,
    UnknownRequest,
    VersionMismatch,
    VersionMissing,
)


@dataclass(frozen=True, slots=True)
class Status:
    """How a call ends."""

    code: StatusCode
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What an error becomes. `text` None: the error's own, which the caller may read."""

    error: type[BaseException]
    code: StatusCode
    text: str | None = None


Table = tuple[Row, ...]

_INTERNAL = Row(BaseException, StatusCode.UNAVAILABLE, "internal error at the principal, see its log")
_CANCELLED = Row(asyncio.CancelledError, StatusCode.UNAVAILABLE, "the principal is stopping")

# First match counts.
LOGIN: Table = (
    Row(UnknownMode, StatusCode.UNKNOWN),
    Row(VersionMissing, StatusCode.INVALID_ARGUMENT),
    Row(VersionMismatch, StatusCode.FAILED_PRECONDITION),
    Row(AuthenticationFailed, StatusCode.UNAUTHENTICATED, "authentication failed"),
    Row(DecodeError, StatusCode.UNAUTHENTICATED, "authentication failed"),
    Row(PeerUnavailable, StatusCode.UNAVAILABLE),
    _CANCELLED,
    _INTERNAL,
)
CALL: Table = (
    Row(AuthenticationFailed, StatusCode.UNAUTHENTICATED, "invalid authentication data"),
    Row(PeerUnavailable, StatusCode.UNAVAILABLE),
    Row(StreamClosed, StatusCode.UNAVAILABLE),
    Row(RemoteProtocolError, StatusCode.UNAVAILABLE),
    _CANCELLED,
    _INTERNAL,
)
SUBSCRIBE = CALL
PUSH: Table = (Row(UndecodableEvent, StatusCode.INVALID_ARGUMENT), *CALL)

LOGS: Table = (
    Row(UnknownRequest, StatusCode.NOT_FOUND),
    Row(CallerGone, StatusCode.CANCELLED),
    Row(StreamFailed, StatusCode.INTERNAL),
    *CALL,
)
TERMINAL: Table = (Row(UnknownRequest, StatusCode.UNKNOWN), *CALL)

RECONNECTING = frozenset({StatusCode.OK, StatusCode.UNAVAILABLE, StatusCode.UNAUTHENTICATED, StatusCode.CANCELLED})
"""The codes after which a Go agent opens a new stream."""

OK = Status(StatusCode.OK)

_REFUSALS = frozenset(
    {
        StatusCode.UNAUTHENTICATED,
        StatusCode.PERMISSION_DENIED,
        StatusCode.FAILED_PRECONDITION,
        StatusCode.INVALID_ARGUMENT,
    }
)
_HINTS = {
    StatusCode.UNIMPLEMENTED: "something that speaks gRPC answered, but not an argocd-agent principal",
    StatusCode.DEADLINE_EXCEEDED: "no answer in time",
    # grpc's client says so, and forgets the status, when a stream ends under a write.
    StatusCode.INTERNAL: "the stream ended while something was being sent",
}


def status_of(error: BaseException, table: Table) -> Status:
    """What *error* becomes in *table*. Of an exception group, the member whose row comes first."""
    leaves = list(_leaves(error))
    for row in table:
        for leaf in leaves:
            if isinstance(leaf, row.error):
                return Status(row.code, str(leaf) if row.text is None else row.text)
    raise AssertionError("every table ends with a row for everything")


def is_expected(error: BaseException) -> bool:
    """Whether *error* is one that sessions end with, and not a defect of ours."""
    return all(
        isinstance(leaf, ArgocdAgentError | asyncio.CancelledError) and not isinstance(leaf, LocalProtocolError)
        for leaf in _leaves(error)
    )


def error_of_call(error: AioRpcError, method: str, address: str, *, login: bool = False) -> TransportError:
    """What the failure of a unary call means. *login*: UNKNOWN is a refusal, too, as the reference's of a mode."""
    code = error.code()
    text = f"{method} at {address}: {_described(error)}"
    if code in _REFUSALS or (login and code is StatusCode.UNKNOWN):
        return AuthenticationFailed(text)
    return PeerUnavailable(text)


def error_of_stream(error: AioRpcError, address: str) -> TransportError:
    """What the end of a stream means."""
    text = f"stream with {address} ended: {_described(error)}"
    return AuthenticationFailed(text) if error.code() is StatusCode.UNAUTHENTICATED else StreamClosed(text)


def error_of_frames(error: BaseException, address: str) -> TransportError:
    """What the end of a call for logs or a terminal means."""
    if not isinstance(error, AioRpcError):
        return StreamClosed(f"call to {address} ended: {error or type(error).__name__}")
    match error.code():
        case StatusCode.NOT_FOUND:
            return UnknownRequest()
        case StatusCode.CANCELLED:
            return CallerGone(f"call to {address} ended: {_described(error)}")
        case StatusCode.UNAUTHENTICATED | StatusCode.PERMISSION_DENIED:
            return AuthenticationFailed(f"call to {address} ended: {_described(error)}")
    return StreamClosed(f"call to {address} ended: {_described(error)}")


def _described(error: AioRpcError) -> str:
    code = error.code()
    hint = _HINTS.get(code)
    details = error.details() or "no details"
    return f"{code.name}: {details} ({hint})" if hint else f"{code.name}: {details}"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
