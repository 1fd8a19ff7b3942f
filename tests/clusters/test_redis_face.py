"""The Redis that Argo CD talks to on the hub: in front of Debian's Redis, with an agent's service behind it."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from argocd_agent.backends.redis.client import RedisCache, RedisOptions
from argocd_agent.errors import CacheRefused, CacheUnavailable
from argocd_agent.pki.servertls import server_context
from argocd_agent.pki.tls import ClientTls, ServerTls
from argocd_agent.protocol.events import AgentName
from argocd_agent.proxies.redis.face import RedisFace
from argocd_agent.proxies.redis.lastknown import LastKnown
from argocd_agent.proxies.redis.reads import Reads
from argocd_agent.proxies.redis.subscriptions import Subscriptions
from argocd_agent.settings.values import Secret
from argocd_agent.wire.resp import command
from tests.support.asks import Line, a_line
from tests.support.authority import Authority
from tests.support.redis import RealRedis, a_redis
from tests.support.rediswire import owner
from tests.support.world import passing

AGENT = AgentName("agent-1")
TREE, SPOKE_TREE = "app|resources-tree|agent-1_guestbook|1.8.3", "app|resources-tree|guestbook|1.8.3"
MANAGED, SPOKE_MANAGED = "app|managed-resources|agent-1_guestbook|1.8.3", "app|managed-resources|guestbook|1.8.3"


class Hub:
    """A face that serves, the line to its agent, and the Redis behind it."""

    def __init__(
        self, redis: RealRedis, line: Line, upstream: Callable[[], RedisOptions], tls: ssl.SSLContext | None
    ) -> None:
        self.redis, self.line = redis, line
        self.subscriptions = Subscriptions(line, lambda *_: None)
        self.face = RedisFace(
            ("127.0.0.1", 0),
            tls=tls,
            upstream=upstream,
            owner=owner,
            reads=Reads(line, LastKnown(), lambda: 0.0, lambda *_: None),
            subscriptions=self.subscriptions,
        )

    def through(
        self, *, password: str = "", tls: ClientTls | None = None
    ) -> contextlib.AbstractAsyncContextManager[RedisCache]:
        return client(self.face.port, password=password, tls=tls)

    async def raw(self, data: bytes, until: bytes = b"") -> bytes:
        """What the face says to bytes, up to *until*, or its end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.face.port)
        writer.write(data)
        found = await (reader.readuntil(until) if until else reader.read())
        writer.close()
        return found

    async def settled(self) -> None:
        """Wait until the agent's subscription stands."""
        while not self.line.pushed:
            await passing(0.01)
        await passing(0.05)


@contextlib.asynccontextmanager
async def client(port: int, *, password: str = "", tls: ClientTls | None = None) -> AsyncIterator[RedisCache]:
    options = RedisOptions(host="127.0.0.1", port=port, password=Secret(password), tls=tls)
    cache = RedisCache(lambda: options)
    try:
        yield cache
    finally:
        await cache.close()


@contextlib.asynccontextmanager
async def a_hub(
    folder: Path, *options: str, authority: Authority | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Hub]:
    up = ClientTls(ca_pem=authority.certificate.read_text(), alpn="") if authority is not None else None
    with a_redis(folder, *options, authority=authority) as redis:
        upstream = RedisOptions(host="127.0.0.1", port=redis.port, tls=up)
        async with a_line() as line, asyncio.TaskGroup() as tasks:
            hub = Hub(redis, line, lambda: upstream, tls)
            serving = tasks.create_task(hub.face.run(), name="face")
            await hub.face.serving.wait()
            hub.subscriptions.connected(AGENT)
            yield hub
            serving.cancel()


@pytest.mark.feature("P-103", "P-104", "P-105")
async def test_own_keys_pass_through_and_agents_keys_come_from_the_spoke(tmp_path: Path) -> None:
    value = os.urandom(100_000)
    async with a_hub(tmp_path) as hub, hub.through() as cache:
        await cache.set("mfst|x", value, ttl_seconds=60)
        await hub.line.cache.set(SPOKE_TREE, value[::-1], ttl_seconds=60)

        assert await cache.get("mfst|x") == value
        assert await cache.get(TREE) == value[::-1]
        assert await cache.get(MANAGED) is None


@pytest.mark.feature("P-103")
async def test_many_clients_and_requests_at_once_all_get_their_own(tmp_path: Path) -> None:
    async with a_hub(tmp_path) as hub, contextlib.AsyncExitStack() as stack:
        for number in range(50):
            await hub.line.cache.set(f"app|resources-tree|app-{number}|1.8.3", b"%d" % number, ttl_seconds=60)
        clients = [await stack.enter_async_context(hub.through()) for _ in range(20)]

        async def one(cache: RedisCache, number: int) -> tuple[bytes | None, bytes | None]:
            await cache.set(f"own-{number}", b"own %d" % number, ttl_seconds=60)
            own, agents = await asyncio.gather(
                cache.get(f"own-{number}"), cache.get(f"app|resources-tree|agent-1_app-{number}|1.8.3")
            )
            return own, agents

        found = await asyncio.gather(*(one(cache, number) for cache in clients for number in range(50)))

    assert found == [(b"own %d" % number, b"%d" % number) for _ in range(20) for number in range(50)]


@pytest.mark.feature("P-107")
async def test_messages_of_the_spoke_and_of_the_hub_reach_a_subscriber(tmp_path: Path) -> None:
    async with (
        a_hub(tmp_path) as hub,
        hub.through() as cache,
        contextlib.aclosing(cache.subscribe(MANAGED)) as spokes,
        contextlib.aclosing(cache.subscribe("new-revoked-token")) as hubs,
    ):
        assert (await anext(spokes), await anext(hubs)) == (b"", b"")
        await hub.settled()
        assert await anext(spokes) == b""  # it stands: look again

        hub.line.cache.inner.publish(SPOKE_MANAGED, b"")
        await asyncio.to_thread(hub.redis.say, "publish", "new-revoked-token", "x")

        assert (await anext(spokes), await anext(hubs)) == (b"", b"x")


@pytest.mark.feature("P-108")
async def test_a_lost_agent_ends_nothing_but_its_own_and_comes_back(tmp_path: Path) -> None:
    async with (
        a_hub(tmp_path) as hub,
        hub.through() as cache,
        contextlib.aclosing(cache.subscribe(MANAGED)) as messages,
    ):
        await anext(messages)
        await hub.settled()
        await anext(messages)
        hub.line.cut()
        hub.subscriptions.disconnected(AGENT)

        with pytest.raises(CacheRefused, match="agent agent-1 is not connected"):
            await cache.get(TREE)
        await cache.set("own", b"1", ttl_seconds=60)
        assert await cache.get("own") == b"1"
        hub.line.mend()
        hub.subscriptions.connected(AGENT)

        assert await anext(messages) == b""


@pytest.mark.feature("P-103")
async def test_the_hubs_password_is_the_clients_own_business(tmp_path: Path) -> None:
    async with a_hub(tmp_path, "--requirepass", "right") as hub:
        await hub.line.cache.set(SPOKE_TREE, b"tree", ttl_seconds=60)
        async with hub.through(password="right") as cache:
            assert await cache.get(TREE) == b"tree"
        async with hub.through(password="wrong") as cache:
            with pytest.raises(CacheRefused, match="WRONGPASS"):
                await cache.get(TREE)

        refused = await hub.raw(command("GET", TREE) + command("QUIT"))

    assert refused.startswith(b"-NOAUTH")
    assert len(hub.line.requests) == 1


@pytest.mark.feature("P-103")
async def test_what_breaks_the_protocol_ends_that_connection_alone(tmp_path: Path) -> None:
    async with a_hub(tmp_path) as hub, hub.through() as cache:
        await cache.ping()

        broken = await hub.raw(command("ECHO", "hello") + b"GET / HTTP/1.1\r\n\r\n")

        assert broken == b"$5\r\nhello\r\n-ERR Protocol error: expected '*', got 'G'\r\n"
        await cache.ping()


async def test_a_redis_that_is_away_is_told_in_words(tmp_path: Path) -> None:
    async with a_hub(tmp_path) as hub:
        hub.redis.stop()

        told = await hub.raw(command("PING"))

    assert told.startswith(b"-ERR no connection to Redis: ")


async def test_a_redis_that_goes_ends_its_clients_and_a_new_one_is_served(tmp_path: Path) -> None:
    async with a_hub(tmp_path) as hub, hub.through() as cache:
        await cache.ping()
        hub.redis.stop()
        with pytest.raises(CacheUnavailable):
            await cache.ping()
        with a_redis(tmp_path, port=hub.redis.port):
            async with hub.through() as again:
                await again.ping()


@pytest.mark.feature("P-109", "C-50")
async def test_tls_toward_argo_cd_and_toward_redis(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = [tmp_path.joinpath(name).read_text() for name in ("server.crt", "server.key")]
    tls = ClientTls(ca_pem=authority.certificate.read_text(), alpn="")
    async with a_hub(tmp_path, authority=authority, tls=server_context(ServerTls(*pair))) as hub:
        await hub.line.cache.set(SPOKE_TREE, b"tree", ttl_seconds=60)
        async with hub.through(tls=tls) as cache:
            await cache.set("own", b"1", ttl_seconds=60)

            assert (await cache.get("own"), await cache.get(TREE)) == (b"1", b"tree")
            assert await asyncio.to_thread(hub.redis.say, "get", "own") == "1"


@pytest.mark.feature("P-103")
async def test_a_large_value_passes_both_ways(tmp_path: Path) -> None:
    value = os.urandom(20 * 1024 * 1024)
    async with a_hub(tmp_path) as hub, hub.through() as cache:
        await hub.line.cache.set(SPOKE_TREE, value, ttl_seconds=60)
        await cache.set("large", value, ttl_seconds=60)

        assert await cache.get("large") == value
        assert await cache.get(TREE) == value


async def test_clients_that_come_and_go_leave_nothing_behind(tmp_path: Path) -> None:
    async with a_hub(tmp_path) as hub:
        for _ in range(20):
            async with hub.through() as cache, contextlib.aclosing(cache.subscribe(MANAGED)) as messages:
                await anext(messages)
        while len(hub.subscriptions):
            await passing(0.01)

        clients = await asyncio.to_thread(hub.redis.say, "client", "list")
        while clients.count("\n") > 0:
            await passing(0.01)
            clients = await asyncio.to_thread(hub.redis.say, "client", "list")
