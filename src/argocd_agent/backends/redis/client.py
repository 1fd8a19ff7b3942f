"""The port `Cache` on a Redis server, version 6 or later: one connection for everything, subscriptions included.

It is made when first needed, and made again when something is asked for after it was lost; between attempts that fail,
requests fail at once with the reason of the last, for a pause that grows from half a second to thirty. What is asked at
one time goes out together, without waiting for answers. The options are asked for at every attempt, so that a new
password or CA is used from the next connection on. Database 0, which every connection begins with.

Limits: an answer that takes longer than `answer_timeout_seconds` ends the connection, and what else waits on it fails;
`REQUESTS_UNDER_WAY` at one time, more fail at once; a subscriber who leaves too much unread is ended (`listener`).
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from argocd_agent.backends.redis.connection import Connection
from argocd_agent.errors import CacheError, CacheRefused, CacheUnavailable, ConfigError, KeyMaterialError
from argocd_agent.pki.tls import ClientTls, client_context
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.settings.values import Secret, show_address
from argocd_agent.wire.resp import Failure

_PAUSES = Backoff(first=0.5, factor=2.0, ceiling=30.0)
_DEFAULT_USER = "default"  # Redis' own name for whoever gives a password alone


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisOptions:
    """Where Redis is, and who we are there. `tls` None: plaintext."""

    host: str
    port: int
    username: str = ""
    password: Secret = field(default_factory=Secret)
    tls: ClientTls | None = None
    connect_timeout_seconds: float = 10.0
    answer_timeout_seconds: float = 10.0

    @property
    def address(self) -> str:
        """`host:port`, for people."""
        return show_address((self.host, self.port))


class RedisCache:
    """The port `Cache`. *options* may raise `CacheUnavailable` while something is missing."""

    def __init__(self, options: Callable[[], RedisOptions]) -> None:
        self._options = options
        self._connection: Connection | None = None
        self._dialling: asyncio.Event | None = None
        self._failures, self._retry_at = 0, 0.0
        self._last_failure: CacheError = CacheUnavailable("Redis: not tried yet")

    async def get(self, key: str) -> bytes | None:
        """As the port."""
        found = await (await self._connected()).ask("GET", key)
        if found is None or isinstance(found, bytes):
            return found
        raise CacheRefused(f"GET {key}: expected a string, found {type(found).__name__}", "WRONGTYPE")

    async def set(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """As the port."""
        milliseconds = max(1, round(ttl_seconds * 1000))
        await (await self._connected()).ask("SET", key, value, "PX", milliseconds)

    async def ping(self) -> None:
        """As the port."""
        await (await self._connected()).ask("PING")

    async def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        """As the port."""
        connection = await self._connected()
        listener = connection.listen(channel)
        try:
            yield await connection.first(listener)
            while True:
                yield await listener.next()
        finally:
            connection.unlisten(listener)

    async def close(self) -> None:
        """As the port."""
        if self._connection is not None:
            self._connection.end(CacheUnavailable("Redis: the connection was closed here"))

    async def _connected(self) -> Connection:
        while self._dialling is not None:
            await self._dialling.wait()
        if self._connection is not None and self._connection.is_open:
            return self._connection
        now = asyncio.get_running_loop().time
        if self._failures and now() < self._retry_at:
            raise self._last_failure
        self._dialling = asyncio.Event()
        try:
            self._connection = await _dial(self._options())
        except CacheError as error:
            self._failures += 1
            self._retry_at = now() + _PAUSES.delay(self._failures)
            self._last_failure = error
            raise
        finally:
            self._dialling.set()
            self._dialling = None
        self._failures = 0
        return self._connection


async def _dial(options: RedisOptions) -> Connection:
    """A connection that has been let in. Raises `CacheError`."""
    place = f"Redis at {options.address}"
    try:
        async with asyncio.timeout(options.connect_timeout_seconds):
            connection = await _open(options)
    except TimeoutError as error:
        raise CacheUnavailable(f"{place}: no connection within {options.connect_timeout_seconds:g} s") from error
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or error
        raise CacheUnavailable(f"{place}: TLS failed: {reason}") from error
    except OSError as error:
        raise CacheUnavailable(f"{place}: {error.strerror or error}") from error
    except (KeyMaterialError, ConfigError) as error:
        raise CacheUnavailable(f"{place}: {error}") from error
    try:
        await _hello(connection, options)
    except BaseException as error:
        connection.end(error if isinstance(error, CacheError) else CacheUnavailable(f"{place}: given up"))
        raise
    return connection


async def _open(options: RedisOptions) -> Connection:
    context = client_context(options.tls) if options.tls is not None else None
    name = (options.tls.server_name or options.host) if options.tls is not None else None
    loop = asyncio.get_running_loop()
    transport, connection = await loop.create_connection(
        lambda: Connection(f"Redis at {options.address}", options.answer_timeout_seconds),
        options.host,
        options.port,
        ssl=context,
        server_hostname=name,
    )
    _keep_alive(transport.get_extra_info("socket"))
    return connection


def _keep_alive(connected: socket.socket) -> None:
    """Notice within a minute that nobody is at the other end, where only messages are waited for."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, seconds in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):  # not everywhere outside Linux
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)


async def _hello(connection: Connection, options: RedisOptions) -> None:
    """Say who we are. Version 3, because there messages and answers share a connection."""
    words: list[str] = ["HELLO", "3"]
    if options.username or options.password:
        words += ["AUTH", options.username or _DEFAULT_USER, options.password.reveal()]
    answer = await connection.exchange(*words)
    if isinstance(answer, Failure):
        place = f"Redis at {options.address}"
        raise CacheRefused(f"{place}: HELLO 3, which Redis 6 and later know, is refused: {answer.text}", answer.code)
