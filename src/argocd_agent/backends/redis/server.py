"""Serves our own cache on a socket: what the spoke's Argo CD uses instead of Redis.

At most `CLIENTS` at one time; the next are told so, in Redis' words. A client that leaves more than `UNREAD_BYTES` of
what was said to it unread is let go, as Redis does with slow subscribers; while it leaves less, its commands wait.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from typing import cast

from argocd_agent.backends.redis.memory import MemoryCache
from argocd_agent.backends.redis.session import Session
from argocd_agent.errors import CacheUnavailable, ConfigError
from argocd_agent.settings.values import Secret, show_address
from argocd_agent.wire import resp

CLIENTS = 1000
UNREAD_BYTES = 64 * 1024 * 1024
_HIGH_WATER_BYTES = 1024 * 1024

Credentials = Callable[[], tuple[str, Secret]]
"""User and password that clients must give now; an empty password lets everybody in. May raise `CacheUnavailable`: then
nobody is let in."""


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, cache: MemoryCache, credentials: Credentials, clients: "set[_Client]") -> None:
        self._refusal = "ERR max number of clients reached" if len(clients) >= CLIENTS else ""
        try:
            username, password = credentials()
        except CacheUnavailable as error:
            username, password, self._refusal = "", Secret(), f"ERR {error}"
        self._session = Session(cache, self._say, epoch=time.time, username=username, password=password)
        self._clients = clients
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)  # a stream's; uvloop's is none by class
        self._transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)
        self._clients.add(self)
        if self._refusal:
            self._transport.write(resp.failure(self._refusal))
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self._refusal:
            return
        self._say(self._session.feed(data))
        if self._session.is_over:
            self.close()

    def pause_writing(self) -> None:
        """Called by the event loop."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop."""
        self._session.close()
        self._transport = None
        self._clients.discard(self)

    def close(self) -> None:
        """End, once what was said is written."""
        if self._transport is not None:
            self._transport.close()

    def _say(self, data: bytes) -> None:
        if self._transport is None or not data:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > UNREAD_BYTES:
            self._transport.abort()


@contextlib.asynccontextmanager
async def serving_cache(
    cache: MemoryCache, address: tuple[str, int], credentials: Credentials, *, tls: ssl.SSLContext | None, flag: str
) -> AsyncIterator[int]:
    """The port, while the block lasts. Raises `ConfigError`, naming *flag*, where it cannot be listened on."""
    host, port = address
    clients: set[_Client] = set()
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(lambda: _Client(cache, credentials, clients), host or None, port, ssl=tls)
    except OSError as error:
        raise ConfigError(f"{flag}: cannot listen on {show_address(address)}: {error.strerror}") from error
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for client in tuple(clients):
            client.close()
