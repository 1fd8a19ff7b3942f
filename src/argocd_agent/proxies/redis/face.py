"""Serves Redis to Argo CD on the hub: every client gets a connection of its own to the hub's Redis.

Where that cannot be made within `DIAL_SECONDS`, the client is told why and let go. At most `CLIENTS` at one time; the
next are told so, in Redis' words. Who is let go has `LINGER_SECONDS` to read the last words. When the principal stops,
all connections end.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from functools import partial
from secrets import token_hex
from uuid import uuid4

from argocd_agent.backends.redis.client import RedisOptions
from argocd_agent.errors import CacheError, ConfigError, KeyMaterialError
from argocd_agent.pki.tls import client_context
from argocd_agent.protocol.events import AgentName
from argocd_agent.proxies.redis.connection import Connection
from argocd_agent.proxies.redis.effects import Get, Join, Leave
from argocd_agent.proxies.redis.ports import Owner
from argocd_agent.proxies.redis.reads import Reads
from argocd_agent.proxies.redis.sides import Pair
from argocd_agent.proxies.redis.subscriptions import Subscriptions
from argocd_agent.settings.values import show_address
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.cachekeys import app_key

log = get_log("RedisProxy", "redis-proxy")

CLIENTS = 1000
DIAL_SECONDS = 30.0
LINGER_SECONDS = 5.0


def route_by(owner: Owner, key: bytes) -> AgentName | None:
    """The agent that *key* belongs to; None: the hub."""
    try:
        about = app_key(key.decode())
    except UnicodeDecodeError:
        return None
    return None if about is None else owner(about.namespace, about.name)


class _ForOne:
    """What one client's machine asks for, done by the parts that all clients share."""

    def __init__(self, reads: Reads, subscriptions: Subscriptions, tasks: asyncio.TaskGroup, name: str) -> None:
        self._reads, self._subscriptions, self._tasks, self._name = reads, subscriptions, tasks, name
        self._asking: set[asyncio.Task[None]] = set()
        self._listeners: dict[bytes, Callable[[], None]] = {}

    def get(self, effect: Get, answered: Callable[[int, bytes | None, str], None]) -> None:
        """See `sides.Agents`."""
        task = self._tasks.create_task(self._ask(effect, answered), name=f"GET of {effect.agent} for {self._name}")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def join(self, effect: Join, pushed: Callable[[bytes], None]) -> None:
        """See `sides.Agents`."""
        listener = self._listeners[effect.channel] = partial(pushed, effect.channel)
        self._subscriptions.join(effect.agent, effect.channel.decode(), listener)

    def leave(self, effect: Leave) -> None:
        """See `sides.Agents`."""
        self._subscriptions.leave(effect.agent, effect.channel.decode(), self._listeners.pop(effect.channel))

    def ended(self) -> None:
        """Nobody waits for answers any more."""
        for task in self._asking:
            task.cancel()

    async def _ask(self, effect: Get, answered: Callable[[int, bytes | None, str], None]) -> None:
        answer = await self._reads.get(effect.agent, effect.key.decode(), self._name)
        answered(effect.number, answer.value, answer.failure)


class RedisFace:
    """`run` serves at *host* and *port* until cancelled. *upstream* says how to reach the hub's Redis now."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        tls: ssl.SSLContext | None,
        upstream: Callable[[], RedisOptions],
        owner: Owner,
        reads: Reads,
        subscriptions: Subscriptions,
    ) -> None:
        self._address, self._tls, self._upstream = address, tls, upstream
        self._route = partial(route_by, owner)
        self._reads, self._subscriptions = reads, subscriptions
        self._clients = 0
        self.serving = asyncio.Event()
        self.port = 0  # of the listener, once it serves

    async def run(self) -> None:
        """Serve. Raises `ConfigError` where the address cannot be listened on."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._subscriptions.run(), name="channels of agents")
            async with self._listening(tasks):
                await asyncio.get_running_loop().create_future()

    @contextlib.asynccontextmanager
    async def _listening(self, tasks: asyncio.TaskGroup) -> AsyncIterator[None]:
        host, port = self._address
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(lambda: self._client(tasks), host or None, port, ssl=self._tls)
        except OSError as error:
            where = show_address(self._address)
            raise ConfigError(f"--redis-proxy-listen: cannot listen on {where}: {error.strerror}") from error
        self.port = server.sockets[0].getsockname()[1]
        self.serving.set()
        log.info("Redis is served to Argo CD", {fields.ADDRESS: show_address((host, self.port))})
        try:
            yield
        finally:
            server.close()

    def _client(self, tasks: asyncio.TaskGroup) -> asyncio.Protocol:
        name = str(uuid4())
        agents = _ForOne(self._reads, self._subscriptions, tasks, name)
        pair = Pair(Connection(self._route, lambda: token_hex(16).encode()), agents)
        tasks.create_task(self._serve(pair), name=f"Redis client {name}")
        return pair.client

    async def _serve(self, pair: Pair) -> None:
        self._clients += 1
        try:
            if self._clients > CLIENTS:
                pair.turn_away("ERR max number of clients reached")
            else:
                await self._connect(pair)
            await pair.over.wait()
            if pair.reason:
                log.debug("A connection of Argo CD to Redis ended", {fields.REASON: pair.reason})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    await pair.ended.wait()
        finally:
            pair.close()
            self._clients -= 1

    async def _connect(self, pair: Pair) -> None:
        try:
            options = self._upstream()
            async with asyncio.timeout(DIAL_SECONDS):
                await _dial(options, pair)
        except TimeoutError:
            problem = f"no connection to Redis within {DIAL_SECONDS:g} s"
        except (OSError, CacheError, KeyMaterialError, ConfigError) as error:
            problem = f"no connection to Redis: {error}"
        else:
            pair.start()
            return
        log.warning("The hub's Redis cannot be reached for Argo CD", {fields.ERROR: problem})
        pair.turn_away(f"ERR {problem}")


async def _dial(options: RedisOptions, pair: Pair) -> None:
    context = client_context(options.tls) if options.tls is not None else None
    name = (options.tls.server_name or options.host) if options.tls is not None else None
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: pair.upstream, options.host, options.port, ssl=context, server_hostname=name)
