"""What happens around every call: who calls, the floor of TLS versions, observation, the status at the end.

From the outside in: observation, caller, TLS floor, then the handler. grpc's own interceptors see neither the peer
nor its certificate, so these wrap handlers instead.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol
from urllib.parse import unquote

from grpc import Compression, StatusCode
from grpc.aio import BaseError

from argocd_agent.errors import AuthenticationFailed, StreamClosed
from argocd_agent.pki.tls import TlsVersion
from argocd_agent.protocol.capabilities import peer_from
from argocd_agent.protocol.names import METHOD_AUTHENTICATE
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.transport.gate import Caller
from argocd_agent.transport.status import OK, Status, Table, is_expected, status_of


class Context(Protocol):
    """What we use of `grpc.aio.ServicerContext`, which has no types."""

    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """As grpc's."""
        ...

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """As grpc's."""
        ...

    def peer(self) -> str:
        """As grpc's."""
        ...

    def set_code(self, code: StatusCode) -> None:
        """As grpc's."""
        ...

    def set_details(self, details: str) -> None:
        """As grpc's."""
        ...

    def set_compression(self, compression: Compression) -> None:
        """As grpc's."""
        ...

    async def send_initial_metadata(self, initial_metadata: Iterable[tuple[str, str]]) -> None:
        """As grpc's."""
        ...

    async def read(self) -> bytes:
        """As grpc's."""
        ...

    async def write(self, message: bytes) -> None:
        """As grpc's."""
        ...


Handler = Callable[[Context, Caller], Awaitable[bytes]]

log = get_log("Listener")

_TLS_NAMES = {TlsVersion.TLS_1_2: ("TLSv1.2", "TLSv1.3"), TlsVersion.TLS_1_3: ("TLSv1.3",)}


class CallObserver(Protocol):
    """Where metrics and logs of calls attach."""

    def ended(self, method: str, caller: Caller, status: Status, error: BaseException | None, seconds: float) -> None:
        """A call has ended. *error* is what its handler raised; a defect of ours when `status.is_expected` says no."""
        ...


class Unobserved:
    """Observes nothing."""

    def ended(self, method: str, caller: Caller, status: Status, error: BaseException | None, seconds: float) -> None:
        """Nothing."""


UNOBSERVED = Unobserved()


def caller_of(context: Context) -> Caller:
    """Who is calling, from what gRPC knows of the connection."""
    pairs = context.invocation_metadata() or ()
    metadata = {key.lower(): value for key, value in reversed(tuple(pairs)) if isinstance(value, str)}
    facts = context.auth_context()
    certificate = _first(facts.get("x509_pem_cert", ()))
    return Caller(
        address=_readable(context.peer()),
        certificate=ssl.PEM_cert_to_DER_cert(certificate) if certificate else None,
        tls_version=_first(facts.get("ssl_tls_version", ())),
        metadata=metadata,
        peer=peer_from(metadata),
    )


def check_floor(caller: Caller, minimum: TlsVersion | None) -> None:
    """Nothing, or `AuthenticationFailed` for a connection below *minimum*. None: plaintext is served.

    The second line: the first is the list of cipher suites (`tlsfloor`), which gRPC reads once per process.
    """
    if minimum is not None and caller.tls_version not in _TLS_NAMES[minimum]:
        found = caller.tls_version or "no TLS"
        raise AuthenticationFailed(f"{caller.address}: expected at least {minimum}, found {found}")


async def announce_to(context: Context, caller: Caller, announced: Iterable[tuple[str, str]]) -> None:
    """Say at once what we can do, to a caller that said so itself. Raises `StreamClosed` when it has gone."""
    if caller.peer.is_reference:
        return
    try:
        await context.send_initial_metadata(announced)
    except BaseError as error:
        raise StreamClosed(f"{caller.address}: the connection is gone") from error


class Guard:
    """Runs the handlers of one method: whatever they raise becomes a status of its table, and is observed."""

    def __init__(self, method: str, table: Table, floor: TlsVersion | None, observer: CallObserver) -> None:
        self._method = method
        self._table = table
        self._floor = floor
        self._observer = observer

    async def run(self, context: Context, handler: Handler) -> bytes:
        """What *handler* answers; no bytes, and a status on *context*, when it fails."""
        clock = asyncio.get_running_loop().time
        began = clock()
        caller = caller_of(context)
        # A task, so that its end is a value that can be looked at, whatever it is.
        work = asyncio.create_task(self._checked(context, caller, handler), name=f"call of {self._method}")
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:  # how grpc tells that the caller has gone; handlers end soon after
            work.cancel()
            await asyncio.wait({work})
        error = asyncio.CancelledError() if work.cancelled() else work.exception()
        status = OK if error is None else status_of(error, self._table)
        finish(context, status)
        seconds = clock() - began
        _log_end(self._method, caller, status, error, seconds)
        self._observer.ended(self._method, caller, status, error, seconds)
        return b"" if error is not None else work.result()

    async def _checked(self, context: Context, caller: Caller, handler: Handler) -> bytes:
        check_floor(caller, self._floor)
        return await handler(context, caller)


def finish(context: Context, status: Status) -> None:
    """End the call of *context* with *status* once its handler returns."""
    if status.code is not StatusCode.OK:
        context.set_code(status.code)
        context.set_details(status.text)


def _log_end(method: str, caller: Caller, status: Status, error: BaseException | None, seconds: float) -> None:
    about = {fields.METHOD: method, fields.CLIENT_ADDRESS: caller.address, fields.SECONDS: round(seconds, 6)}
    if error is None:
        log.debug("call ended", about)
    elif isinstance(error, AuthenticationFailed) and method != METHOD_AUTHENTICATE:  # a login's is told by the gate
        log.warning("a call was refused", about | {fields.ERROR: str(error), fields.REASON: status.code.name})
    elif is_expected(error):
        log.debug("call refused or broken off", about | {fields.ERROR: str(error), fields.REASON: status.code.name})
    else:
        log.error("call failed on a defect; the caller was told to come back", about, error)


def _first(values: Iterable[bytes]) -> str:
    return next((value.decode("ascii", "replace") for value in values), "")


def _readable(peer: str) -> str:
    """`ipv4:10.0.0.7:5123`, as grpc writes it, as `10.0.0.7:5123`."""
    return unquote(peer).removeprefix("ipv4:").removeprefix("ipv6:")
