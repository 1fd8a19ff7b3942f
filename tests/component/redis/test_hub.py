"""The proxy as the settings make it, with a cache of ours as the hub's Redis, over sockets."""

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.backends.redis.client import RedisCache, RedisOptions
from argocd_agent.backends.redis.memory import MemoryCache
from argocd_agent.backends.redis.server import serving_cache
from argocd_agent.codec import decode_any
from argocd_agent.errors import CacheRefused, ConfigError
from argocd_agent.pki.tls import ClientTls, client_context
from argocd_agent.principal.clusterinfo import ClusterInfos
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.principal.redisface import RedisProxy, is_served
from argocd_agent.protocol.events import AgentName
from argocd_agent.proxies.redis.lastknown import LastKnown
from argocd_agent.resources.cluster import ClusterEntry
from argocd_agent.resources.kinds import NAMESPACES, SECRETS
from argocd_agent.resources.objects import Metadata, new_object
from argocd_agent.settings.values import Method, Secret
from argocd_agent.telemetry.exposition import Registry
from argocd_agent.telemetry.metrics import principal_metrics
from argocd_agent.wire.cachevalues import Compression, unpack
from tests.support.asks import Line, a_line
from tests.support.authority import Authority
from tests.support.rediswire import owner
from tests.support.world import passing

pytestmark = pytest.mark.real_time(timeout=30)

AGENT, SERVER = AgentName("agent-1"), "https://proxy:9090?agentName=agent-1"
KEY = f"cluster|info|{SERVER}|1.8.3.gz"
TREE, SPOKE_TREE = "app|resources-tree|agent-1_guestbook|1.8.3", "app|resources-tree|guestbook|1.8.3"
DOCUMENT = b'{"nodes":[{"kind":"Deployment"}]}'


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass
class Hub:
    """The proxy, the states of clusters, the cache that is the hub's Redis, and the line to the agent."""

    proxy: RedisProxy
    infos: ClusterInfos
    behind: MemoryCache
    line: Line
    cluster: EmbeddedCluster
    registry: Registry

    def connected(self) -> None:
        self.infos.connected(AGENT)
        self.proxy.connected(AGENT)

    def disconnected(self) -> None:
        self.infos.disconnected(AGENT)
        self.proxy.disconnected(AGENT)

    def through(self, tls: ClientTls | None = None) -> RedisCache:
        port = self.proxy.face.port
        return RedisCache(lambda: RedisOptions(host="127.0.0.1", port=port, password=Secret("right"), tls=tls))

    async def state(self) -> dict[str, Any]:
        """The document of the agent's cluster, as soon as there is one."""
        while (found := await self.behind.get(KEY)) is None:
            await passing(0.01)
        document: dict[str, Any] = decode_any(unpack(found))
        return document


def configured(**settings: Any) -> PrincipalConfig:
    given: dict[str, Any] = {"namespace": "argocd", "auth": Method("mtls", "subject:CN=([^,]+)")}
    return PrincipalConfig(**(given | {"redis_proxy_listen": ("127.0.0.1", 0)} | settings))


@contextlib.asynccontextmanager
async def a_hub(**settings: Any) -> AsyncIterator[Hub]:
    cluster, behind, known = open_memory(), MemoryCache(), LastKnown()
    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name="argocd")))
    metrics, registry = principal_metrics("test")
    entry = ClusterEntry(AGENT, "cluster-agent-1", "agent-1", SERVER)
    infos = ClusterInfos(
        behind,
        Compression.GZIP,
        entry=lambda _: entry,
        registered=lambda: (AGENT,),
        now=lambda: "now",
        metrics=metrics,
        shown_as_of=known.newest,
    )
    async with (
        a_line() as line,
        serving_cache(behind, ("127.0.0.1", 0), lambda: ("", Secret("right")), tls=None, flag="--x") as port,
        asyncio.TaskGroup() as tasks,
    ):
        upstream = RedisOptions(host="127.0.0.1", port=port)
        config = configured(**settings)
        proxy = RedisProxy(config, cluster, lambda: upstream, owner=owner, asks=line, known=known, metrics=metrics)
        proxy.read_files()
        running = [tasks.create_task(part, name="a part") for part in (proxy.run(), infos.run())]
        yield Hub(proxy, infos, behind, line, cluster, registry)
        for task in running:
            task.cancel()


async def serving(hub: Hub) -> None:
    await hub.proxy.face.serving.wait()


@pytest.mark.feature("P-104")
async def test_an_agent_that_is_away_is_shown_as_it_was_and_both_say_since_when() -> None:
    async with a_hub() as hub:
        await serving(hub)
        hub.connected()
        await hub.line.cache.set(SPOKE_TREE, DOCUMENT, ttl_seconds=60)
        cache = hub.through()
        fresh = await cache.get(TREE)
        hub.line.cut()
        hub.disconnected()
        stale = await cache.get(TREE)
        while (await hub.state())["connectionState"]["status"] != "Failed":
            await passing(0.01)
        message = (await hub.state())["connectionState"]["message"]
        await cache.close()

    assert fresh == DOCUMENT
    (info,) = decode_any(stale or b"")["nodes"][0]["info"]
    since, _, _ = info["value"].partition(",")
    assert info["name"] == "as of"
    assert message == f"Agent: 'agent-1' is disconnected with principal; its resource trees are shown as of {since}"


async def test_commands_asked_of_agents_are_counted_as_long_as_the_agent_is_registered() -> None:
    async with a_hub() as hub:
        await serving(hub)
        cache = hub.through()
        await cache.get(TREE)
        hub.line.cut()
        with contextlib.suppress(CacheRefused):
            await cache.get(TREE)
        await cache.close()
        page = hub.registry.render().decode()
        hub.proxy.removed(AGENT)
        afterwards = hub.registry.render().decode()

    labels = '{agent_name="agent-1",command="get"}'
    assert f"argocd_principal_redis_proxy_requests_total{labels} 2" in page
    assert f"argocd_principal_redis_proxy_errors_total{labels} 1" in page
    assert labels not in afterwards


@pytest.mark.feature("P-110")
def test_the_proxy_can_be_switched_off() -> None:
    assert is_served(configured())
    for off in ({"redis_proxy_disabled": True}, {"redis_server_address": None}, {"redis_proxy_listen": None}):
        assert not is_served(configured(**off))


@pytest.mark.feature("P-109")
async def test_the_certificate_comes_from_a_secret_however_late_and_is_renewed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first, second = Authority(tmp_path / "one"), Authority(tmp_path / "two")
    about = Metadata(name="argocd-redis-proxy-tls", namespace="argocd")

    def pair(authority: Authority) -> dict[str, str]:
        folder = authority.certificate.parent
        return {name: encoded((folder / f"server.{name[4:]}").read_text()) for name in ("tls.crt", "tls.key")}

    async with a_hub(redis_tls_enabled=True, redis_tls_insecure=True) as hub:
        held = await hub.cluster.create(SECRETS, new_object(SECRETS, about, data=pair(first)))
        await serving(hub)
        port = hub.proxy.face.port
        await greeted(port, first)

        renewed = new_object(SECRETS, about, data=pair(second))
        await hub.cluster.update(SECRETS, held.with_fields({"data": renewed.fields["data"]}))
        while True:
            with contextlib.suppress(OSError):
                await greeted(port, second)
                break
            await passing(0.01)


async def greeted(port: int, authority: Authority) -> None:
    """A handshake that *authority* vouches for. Raises OSError."""
    context = client_context(ClientTls(ca_pem=authority.certificate.read_text(), alpn=""))
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="127.0.0.1")
    writer.close()


async def test_an_address_that_is_taken_ends_the_program() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port: int = taken.getsockname()[1]

        with pytest.raises(ExceptionGroup) as ended:
            async with a_hub(redis_proxy_listen=("127.0.0.1", port)):
                await passing(5)

    found = ended.value.split(ConfigError)[0]
    assert found is not None
    assert f"--redis-proxy-listen: cannot listen on 127.0.0.1:{port}" in str(leaf(found))


def leaf(error: BaseException) -> BaseException:
    return leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
