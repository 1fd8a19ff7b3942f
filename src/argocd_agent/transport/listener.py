"""The hub's gRPC listener: serves the agents' calls from a `Gate`.

Generic handlers, bytes in and out. Certificate, key and CA are asked for at every new connection, so that they
change without a restart. The TLS floor is a matter of the process: `tlsfloor.hold` sets it, before grpc is imported,
and every call is checked again here. A port in use is an error, never shared.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import grpc
import grpc.aio

from argocd_agent.errors import ConfigError, PeerUnavailable
from argocd_agent.pki.tls import ServerTls, TlsVersion, check_pair
from argocd_agent.protocol.names import (
    METHOD_AUTHENTICATE,
    METHOD_PUSH,
    METHOD_REFRESH_TOKEN,
    METHOD_STREAM_LOGS,
    METHOD_STREAM_TERMINAL,
    METHOD_SUBSCRIBE,
    METHOD_VERSION,
)
from argocd_agent.transport import frames, status
from argocd_agent.transport.gate import Caller, Gate
from argocd_agent.transport.interceptors import UNOBSERVED, CallObserver, Context, Guard
from argocd_agent.transport.services.authentication import Authentication
from argocd_agent.transport.services.datastreams import DataStreams
from argocd_agent.transport.services.events import Events
from argocd_agent.transport.services.version import Version

Material = Callable[[], ServerTls]
"""The material of now; called from grpc's threads, at every connection, so it must be quick and must not raise."""

# Two buffers of this size per connection: gRPC's 16 KiB would be a fifth of what an idle agent costs the hub.
_TLS_FRAME_BYTES = 4096
_PING_TOLERANCE = 0.5  # a ping this much of the interval early is network jitter, not abuse


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerOptions:
    """How to listen. `material` None: plaintext. An empty `host` is every interface, port 0 a free one."""

    host: str = ""
    port: int = 8443
    material: Material | None = None
    require_client_certificates: bool = False
    minimum_tls: TlsVersion = TlsVersion.TLS_1_3
    max_message_bytes: int = frames.MAX_MESSAGE_BYTES
    announced: Mapping[str, str] = field(default_factory=dict)
    """What we can do, as `protocol.capabilities.announce` says it."""
    accepted_ping_seconds: float = 10.0
    """HTTP/2 pings that come faster than this are answered with GOAWAY."""
    ping_seconds: float = 15.0
    """Our own HTTP/2 pings: with the time to answer, a dead link is noticed within 30 s."""
    ping_timeout_seconds: float = 15.0
    bind_tries: int = 5
    bind_pause_seconds: float = 2.0
    linger_seconds: float = 5.0
    """How long a session may go on after its stream has ended, before it is cancelled."""
    stop_grace_seconds: float = 2.0
    observer: CallObserver = UNOBSERVED


class Listener:
    """A listener that serves. `port` is the one that it really has."""

    def __init__(self, server: grpc.aio.Server, events: Events, streams: DataStreams, port: int) -> None:
        self._server = server
        self._events = events
        self._streams = streams
        self.port = port

    async def stop(self, grace_seconds: float, reason: str = "the principal is stopping") -> None:
        """Take no more calls, end every stream with *reason*, and cut what is left after *grace_seconds*."""
        stopping = asyncio.create_task(self._server.stop(grace_seconds), name="grpc stop")
        await self._events.close(reason)
        self._streams.close(reason)
        await stopping

    async def wait_closed(self) -> None:
        """Until the listener has stopped."""
        await self._server.wait_for_termination()


@contextlib.asynccontextmanager
async def serve(options: ListenerOptions, gate: Gate) -> AsyncIterator[Listener]:
    """A listener that serves *gate* until the block is left, which stops it gracefully.

    Raises `ConfigError` when the port can never be had, `PeerUnavailable` when it is still in use after all tries,
    `KeyMaterialError` for a certificate and key that do not belong together.
    """
    credentials = _credentials(options)
    server = grpc.aio.server(options=_arguments(options))
    events = Events(gate, options.announced, options.max_message_bytes, options.linger_seconds)
    streams = DataStreams(gate, options.announced, events.admit)
    server.add_generic_rpc_handlers(_handlers(options, gate, events, streams))
    port = await _bind(server, options, credentials)
    await server.start()
    listener = Listener(server, events, streams, port)
    try:
        yield listener
    finally:
        await listener.stop(options.stop_grace_seconds)


def _arguments(options: ListenerOptions) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),
        ("grpc.max_send_message_length", -1),  # `frames.pack` has refused what is too large
        ("grpc.tsi.max_frame_size", _TLS_FRAME_BYTES),
        ("grpc.max_receive_message_length", frames.receive_ceiling(options.max_message_bytes)),
        ("grpc.keepalive_time_ms", int(options.ping_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", int(options.ping_timeout_seconds * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", int(options.accepted_ping_seconds * _PING_TOLERANCE * 1000)),
    ]


def _credentials(options: ListenerOptions) -> grpc.ServerCredentials | None:
    material = options.material
    if material is None:
        return None
    current = material()
    check_pair(current.certificate_pem, current.key_pem, "principal's certificate")
    if options.require_client_certificates and not current.ca_pem:
        raise ConfigError("client certificates are required, but there is no CA to check them with")

    def changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal current
        latest = material()
        if latest == current:
            return None  # a new configuration would cost every handshake the parsing of the key
        current = latest
        return _configuration(latest)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(current), changed, require_client_authentication=options.require_client_certificates
    )


def _configuration(tls: ServerTls) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(tls.key_pem.encode(), tls.certificate_pem.encode())], root_certificates=tls.ca_pem.encode() or None
    )


def _handlers(
    options: ListenerOptions, gate: Gate, events: Events, streams: DataStreams
) -> tuple[grpc.GenericRpcHandler, ...]:
    floor = options.minimum_tls if options.material is not None else None
    authentication, version = Authentication(gate, options.announced), Version(gate)

    def guard(method: str, table: status.Table) -> Guard:
        return Guard(method, table, floor, options.observer)

    handlers = {
        METHOD_AUTHENTICATE: _unary(guard(METHOD_AUTHENTICATE, status.LOGIN), authentication.authenticate),
        METHOD_REFRESH_TOKEN: _unary(guard(METHOD_REFRESH_TOKEN, status.LOGIN), authentication.refresh),
        METHOD_VERSION: _unary(guard(METHOD_VERSION, status.CALL), version.version),
        METHOD_SUBSCRIBE: _duplex(guard(METHOD_SUBSCRIBE, status.SUBSCRIBE), events.subscribe),
        METHOD_PUSH: _collecting(guard(METHOD_PUSH, status.PUSH), events.push),
        METHOD_STREAM_LOGS: _collecting(guard(METHOD_STREAM_LOGS, status.LOGS), streams.logs),
        METHOD_STREAM_TERMINAL: _duplex(guard(METHOD_STREAM_TERMINAL, status.TERMINAL), streams.terminal),
    }
    return (_Table(handlers),)


class _Table(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Method path → handler; anything else is UNIMPLEMENTED."""

    def __init__(self, handlers: Mapping[str, grpc.RpcMethodHandler]) -> None:
        self._handlers = handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """The handler of the method that is called. None: there is none."""
        return self._handlers.get(handler_call_details.method)


def _unary(guard: Guard, handler: Callable[[bytes, Context, Caller], Awaitable[bytes]]) -> grpc.RpcMethodHandler:
    async def answer(request: bytes, context: Context) -> bytes:
        return await guard.run(context, lambda context, caller: handler(request, context, caller))

    return grpc.unary_unary_rpc_method_handler(answer)


def _duplex(guard: Guard, handler: Callable[[Context, Caller], Awaitable[bytes]]) -> grpc.RpcMethodHandler:
    async def run(_requests: object, context: Context) -> None:
        await guard.run(context, handler)

    return grpc.stream_stream_rpc_method_handler(run)


def _collecting(guard: Guard, handler: Callable[[Context, Caller], Awaitable[bytes]]) -> grpc.RpcMethodHandler:
    async def run(_requests: object, context: Context) -> bytes:
        return await guard.run(context, handler)

    return grpc.stream_unary_rpc_method_handler(run)


async def _bind(server: grpc.aio.Server, options: ListenerOptions, credentials: grpc.ServerCredentials | None) -> int:
    """The port that *server* has got."""
    target = _target(options)
    for tries_left in reversed(range(options.bind_tries)):
        problem = _why_not(options.host, options.port)
        if problem is None:
            return _add_port(server, target, credentials)
        if problem.errno != errno.EADDRINUSE:
            raise ConfigError(f"cannot listen on {target}: {problem.strerror}")
        if tries_left:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(options.bind_pause_seconds):
                    await asyncio.get_running_loop().create_future()  # nothing tells when a port becomes free
    raise PeerUnavailable(f"cannot listen on {target}: the port is in use, after {options.bind_tries} tries")


def _target(options: ListenerOptions) -> str:
    host = options.host or ("::" if socket.has_dualstack_ipv6() else "0.0.0.0")  # noqa: S104  # the flag's default
    return f"[{host}]:{options.port}" if ":" in host else f"{host}:{options.port}"


def _add_port(server: grpc.aio.Server, target: str, credentials: grpc.ServerCredentials | None) -> int:
    try:
        if credentials is None:
            return int(server.add_insecure_port(target))
        return int(server.add_secure_port(target, credentials))
    except RuntimeError as error:  # the only class that grpc knows here, and it gives no reason
        raise ConfigError(f"cannot listen on {target}: gRPC accepts neither it nor the certificate: {error}") from error


def _why_not(host: str, port: int) -> OSError | None:
    """What the system says against listening there, which grpc does not pass on. None: nothing."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        return error
    return None
