"""HTTP/1.1 over TLS for Argo CD: nobody without a certificate of our CA gets as far as a request.

At most `CONNECTIONS` are open; more are closed unanswered. A handshake has `HANDSHAKE_SECONDS`, the first request
`FIRST_REQUEST_SECONDS`; a connection that is used no more stays open for `IDLE_SECONDS`, longer than client-go keeps
it. When the certificate or the CA is new, the listening socket goes on under the new ones: no moment without a
listener, and connections that are open stay. Whoever goes away cancels what it asked for.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from argocd_agent.errors import ConfigError
from argocd_agent.pki.tls import ServerTls, server_context
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("ResourceProxy", "resource-proxy")

CONNECTIONS = 4096
HANDSHAKE_SECONDS = 10.0
FIRST_REQUEST_SECONDS = 10.0
IDLE_SECONDS = 120.0
LINGERING_SECONDS = 1.0
SHUTDOWN_SECONDS = 1.0
BACKLOG = 512

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. An empty host is every address; port 0 takes a free one."""

    host: str
    port: int


class Listener:
    """An open socket. `run` serves on it."""

    def __init__(self, opened: socket.socket, tls: Callable[[], ServerTls], handle: Handle) -> None:
        self._socket, self._tls, self._handle = opened, tls, handle
        self._renewed = asyncio.Event()
        self._silent: dict[web.RequestHandler, asyncio.TimerHandle] = {}  # for FIRST_REQUEST_SECONDS at most
        self._server = web.Server(
            self._first_words,
            request_factory=self._request,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGERING_SECONDS,
        )

    @property
    def port(self) -> int:
        """The port in use."""
        return int(self._socket.getsockname()[1])

    def renew(self) -> None:
        """The certificate or the CA is new: connections from now on see it."""
        self._renewed.set()

    async def run(self) -> None:
        """Serve, until cancelled. Raises `KeyMaterialError` where the first certificate cannot be used."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._renewed.clear()
                server = await loop.create_server(
                    self._connect,
                    sock=self._socket.dup(),
                    backlog=BACKLOG,
                    ssl=server_context(self._tls()),
                    ssl_handshake_timeout=HANDSHAKE_SECONDS,
                    ssl_shutdown_timeout=SHUTDOWN_SECONDS,
                )
                try:
                    await self._renewed.wait()
                finally:
                    server.close()
                log.info("The resource proxy has a new certificate or CA")
        finally:
            await self._server.shutdown(SHUTDOWN_SECONDS)

    def _connect(self) -> asyncio.Protocol:
        if len(self._server.connections) >= CONNECTIONS:
            log.warning("Too many connections: one is closed", {fields.COUNT: CONNECTIONS})
            return _Closed()
        connection = self._server()
        loop = asyncio.get_running_loop()
        self._silent[connection] = loop.call_later(FIRST_REQUEST_SECONDS, self._close_silent, connection)
        return connection

    def _close_silent(self, connection: web.RequestHandler) -> None:
        del self._silent[connection]
        if connection.transport is not None:
            connection.transport.abort()

    async def _first_words(self, request: web.BaseRequest) -> web.StreamResponse:
        timer = self._silent.pop(request.protocol, None)
        if timer is not None:
            timer.cancel()
        return await self._handle(request)

    @staticmethod
    def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.Request:
        """Handlers of logs and terminals want the richer kind."""
        return web.Request(message, payload, protocol, writer, task, asyncio.get_running_loop())


class _Closed(asyncio.Protocol):
    """A connection that there is no room for."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "it is a stream"
        transport.abort()


@contextlib.asynccontextmanager
async def serving(
    address: Address, tls: Callable[[], ServerTls], handle: Handle, setting: str
) -> AsyncIterator[Listener]:
    """A listener at *address* that serves until the end of the block. Raises `ConfigError`, naming *setting*."""
    try:
        opened = socket.create_server((address.host, address.port), backlog=BACKLOG, dualstack_ipv6=False)
    except OSError as error:
        where = address.host or "any address"
        raise ConfigError(f"{setting}: cannot listen on {where}, port {address.port}: {error}") from error
    with opened:
        opened.setblocking(False)
        listener = Listener(opened, tls, handle)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(listener.run(), name="resource proxy")
            try:
                yield listener
            finally:
                running.cancel()
