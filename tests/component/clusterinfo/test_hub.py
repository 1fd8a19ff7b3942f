"""The hub's side of cluster information: what stands in Argo CD's Redis, and for how long."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec
import pytest

from argocd_agent.codec import decode_any
from argocd_agent.principal.clusterinfo import ClusterInfos
from argocd_agent.protocol.events import AgentName
from argocd_agent.resources.cluster import ClusterEntry
from argocd_agent.telemetry.metrics import principal_metrics
from argocd_agent.wire.cachevalues import Compression, unpack
from argocd_agent.wire.payloads import ClusterCacheInfo
from tests.support.caches import MovableCache
from tests.support.world import passing

AGENT = AgentName("agent-1")
SERVER = "https://proxy:9090?agentName=agent-1"
KEY = f"cluster|info|{SERVER}|1.8.3"
COUNTS = ClusterCacheInfo(applications_count=1, apis_count=2, resources_count=3)
LATER = ClusterCacheInfo(applications_count=4, apis_count=5, resources_count=6)


@dataclass
class Hub:
    """The part under test, with what it sees of the rest of the hub."""

    cache: MovableCache = field(default_factory=MovableCache)
    entries: dict[AgentName, ClusterEntry] = field(default_factory=dict)
    compression: Compression = Compression.NONE

    def __post_init__(self) -> None:
        self.metrics, self.registry = principal_metrics("test")
        self.infos = self.another()

    def another(self) -> ClusterInfos:
        """As a new process would make it."""
        return ClusterInfos(
            self.cache,
            self.compression,
            entry=self.entries.get,
            registered=lambda: tuple(self.entries),
            now=lambda: f"at {asyncio.get_running_loop().time():g}",
            metrics=self.metrics,
        )

    def register(self, server: str = SERVER) -> None:
        self.entries[AGENT] = ClusterEntry(AGENT, "cluster-agent-1", "agent-1", server)
        self.infos.registered(AGENT)

    def remove(self) -> None:
        del self.entries[AGENT]
        self.infos.removed(AGENT)

    async def document(self, key: str = KEY) -> dict[str, object] | None:
        found = await self.cache.inner.get(key)
        document: dict[str, object] | None = None if found is None else decode_any(unpack(found))
        return document

    async def connection(self) -> object:
        document = await self.document()
        return None if document is None else document.get("connectionState")

    async def counts(self) -> tuple[object, object]:
        document = await self.document()
        assert document is not None
        return document["applicationsCount"], document.get("cacheInfo")


@contextlib.asynccontextmanager
async def a_hub(*, is_registered: bool = True, compression: Compression = Compression.NONE) -> AsyncIterator[Hub]:
    hub = Hub(compression=compression)
    if is_registered:
        hub.register()
    async with running(hub.infos):
        yield hub


@contextlib.asynccontextmanager
async def running(infos: ClusterInfos) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(infos.run(), name="cluster information")
        await passing(0.1)
        yield
        task.cancel()


def connected(at: float) -> dict[str, object]:
    return {
        "status": "Successful",
        "message": "Agent: 'agent-1' is connected with principal",
        "attemptedAt": f"at {at:g}",
    }


def disconnected(at: float) -> dict[str, object]:
    return {
        "status": "Failed",
        "message": "Agent: 'agent-1' is disconnected with principal",
        "attemptedAt": f"at {at:g}",
    }


@pytest.mark.feature("P-41")
async def test_an_agent_that_connects_and_leaves_is_shown_so() -> None:
    async with a_hub() as hub:
        hub.infos.connected(AGENT)
        await passing(1)
        assert await hub.connection() == connected(0.1)

        hub.infos.disconnected(AGENT)
        await passing(1)
        assert await hub.connection() == disconnected(1.1)


@pytest.mark.feature("P-41", "C-51")
async def test_the_document_is_compressed_where_argo_cd_compresses() -> None:
    async with a_hub(compression=Compression.GZIP) as hub:
        hub.infos.connected(AGENT)
        await passing(1)

        packed = await hub.cache.inner.get(KEY + ".gz")
        assert packed is not None
        assert packed.startswith(b"\x1f\x8b")
        assert (await hub.document(KEY + ".gz") or {})["connectionState"] == connected(0.1)


@pytest.mark.feature("P-42")
async def test_the_state_stands_for_days_and_nothing_happening() -> None:
    async with a_hub() as hub:
        hub.infos.connected(AGENT)

        for _ in range(2 * 24 * 12):
            await passing(300)
            assert await hub.connection() == connected(0.1)


@pytest.mark.feature("P-42")
async def test_the_state_outlives_a_redis_that_lost_everything() -> None:
    async with a_hub() as hub:
        hub.infos.connected(AGENT)
        hub.infos.counted(AGENT, COUNTS)
        await passing(1)
        hub.cache.inner.store.clear()

        await passing(180)

        assert await hub.connection() == connected(0.1)
        assert (await hub.counts())[0] == 1


@pytest.mark.feature("P-42")
async def test_a_principal_that_is_gone_lets_the_state_expire() -> None:
    async with a_hub() as hub:
        hub.infos.connected(AGENT)
        await passing(1)

    await passing(601)

    assert await hub.connection() is None


@pytest.mark.feature("P-43", "C-38")
async def test_the_version_that_an_agent_tells_is_shown_and_kept_when_it_tells_none() -> None:
    async with a_hub() as hub:
        hub.infos.connected(AGENT)
        hub.infos.counted(AGENT, msgspec.structs.replace(COUNTS, server_version="1.36"))
        await passing(1)
        hub.infos.counted(AGENT, LATER)
        await passing(1)

        document = await hub.document()

    assert document is not None
    assert (document["serverVersion"], document["applicationsCount"]) == ("1.36", 4)


@pytest.mark.feature("P-43")
async def test_counts_stand_beside_the_state_and_survive_a_reconnect() -> None:
    async with a_hub() as hub:
        hub.infos.connected(AGENT)
        hub.infos.counted(AGENT, COUNTS)
        await passing(1)
        assert await hub.connection() == connected(0.1)

        hub.infos.disconnected(AGENT)
        hub.infos.connected(AGENT)
        await passing(1)

        assert await hub.counts() == (1, {"resourcesCount": 3, "apisCount": 2})
        assert await hub.connection() == connected(1.1)


@pytest.mark.feature("P-43")
async def test_counts_survive_a_restart_of_the_principal() -> None:
    async with a_hub() as hub:
        hub.infos.connected(AGENT)
        hub.infos.counted(AGENT, COUNTS)
        await passing(1)
    new = hub.another()

    async with running(new):
        new.connected(AGENT)
        await passing(1)

        assert await hub.connection() == connected(1.2)
        assert await hub.counts() == (1, {"resourcesCount": 3, "apisCount": 2})


async def test_what_others_wrote_into_the_document_is_kept() -> None:
    async with a_hub() as hub:
        await hub.cache.inner.set(
            KEY, b'{"serverVersion":"1.36","apiVersions":["v1"],"cacheInfo":{"lastCacheSyncTime":"x"}}', ttl_seconds=600
        )
        hub.infos.connected(AGENT)
        hub.infos.counted(AGENT, COUNTS)
        await passing(1)

        assert await hub.document() == {
            "serverVersion": "1.36",
            "apiVersions": ["v1"],
            "cacheInfo": {"lastCacheSyncTime": "x", "resourcesCount": 3, "apisCount": 2},
            "applicationsCount": 1,
            "connectionState": connected(0.1),
        }


async def test_a_document_that_cannot_be_read_is_written_anew() -> None:
    async with a_hub() as hub:
        await hub.cache.inner.set(KEY, b"no document", ttl_seconds=600)

        hub.infos.connected(AGENT)
        await passing(1)

        assert await hub.connection() == connected(0.1)


@pytest.mark.feature("P-41")
async def test_a_secret_that_comes_after_the_connection_shows_it() -> None:
    async with a_hub(is_registered=False) as hub:
        hub.infos.connected(AGENT)
        await passing(10)
        assert await hub.document() is None

        hub.register()
        await passing(1)

        assert await hub.connection() == connected(0.1)


@pytest.mark.feature("P-41")
async def test_a_secret_that_goes_leaves_failed_and_then_nothing() -> None:
    async with a_hub() as hub:
        hub.infos.connected(AGENT)
        await passing(1)

        hub.remove()
        await passing(1)
        assert await hub.connection() == disconnected(1.1)

        await passing(601)
        assert await hub.connection() is None


async def test_an_agent_without_a_secret_that_comes_back_is_not_shown_under_the_old_one() -> None:
    async with a_hub() as hub:
        hub.infos.connected(AGENT)
        await passing(1)
        hub.remove()
        hub.infos.connected(AGENT)
        await passing(700)

        assert await hub.document() is None


async def test_a_new_address_in_the_secret_is_used_from_the_next_refresh_on() -> None:
    async with a_hub() as hub:
        hub.infos.connected(AGENT)
        await passing(1)
        hub.entries[AGENT] = ClusterEntry(AGENT, "cluster-agent-1", "agent-1", "https://elsewhere")

        await passing(180)

        found = await hub.document("cluster|info|https://elsewhere|1.8.3")
        assert (found or {})["connectionState"] == connected(0.1)


@pytest.mark.feature("P-41")
async def test_after_a_restart_who_does_not_come_back_is_shown_as_failed() -> None:
    async with a_hub() as hub:
        hub.infos.connected(AGENT)
        await passing(1)
    new = hub.another()

    async with running(new):
        new.registered(AGENT)
        await passing(100)
        assert await hub.connection() == connected(0.1)

        await passing(100)
        assert await hub.connection() == disconnected(181.1)


async def test_an_agent_that_was_never_seen_has_no_document() -> None:
    async with a_hub() as hub:
        await passing(1000)

        assert await hub.document() is None


async def test_while_redis_is_away_only_the_newest_state_is_kept_and_it_is_tried_ever_less() -> None:
    async with a_hub() as hub:
        hub.cache.is_away = True
        for _ in range(500):
            hub.infos.connected(AGENT)
            hub.infos.disconnected(AGENT)
            hub.infos.counted(AGENT, LATER)
            await passing(1)
        hub.infos.connected(AGENT)
        assert hub.cache.tries < 20

        hub.cache.is_away = False
        await passing(60)

        assert await hub.connection() == connected(500.1)
        assert (await hub.counts())[0] == 4
        assert f"argocd_principal_cache_errors_total {hub.cache.tries}" in hub.registry.render().decode()


async def test_a_refresh_is_not_put_off_by_a_busy_agent() -> None:
    async with a_hub() as hub:
        hub.infos.connected(AGENT)
        await passing(1)
        other = AgentName("agent-2")
        hub.entries[other] = ClusterEntry(other, "cluster-agent-2", "agent-2", "https://two")

        for _ in range(400):
            hub.infos.counted(other, COUNTS)
            await passing(1)
            hub.infos.counted(other, LATER)
            await passing(1)

        assert await hub.connection() == connected(0.1)
