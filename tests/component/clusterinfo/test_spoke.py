"""The spoke's side of cluster information: when the hub hears how much there is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from argocd_agent.agent.clusterinfo import ClusterInfoReports
from argocd_agent.codec import encode
from argocd_agent.wire.cachevalues import Compression, pack
from argocd_agent.wire.payloads import ClusterCacheInfo
from tests.support.caches import MovableCache
from tests.support.world import passing

KEY = "cluster|info|https://kubernetes.default.svc|1.8.3"


class Spoke:
    """A spoke's Redis, and what was sent to the hub of it."""

    def __init__(self) -> None:
        self.cache = MovableCache()
        self.sent: list[tuple[float, int]] = []
        self.reports = ClusterInfoReports(self.cache, 10.0, self._send)

    def _send(self, counts: ClusterCacheInfo) -> None:
        assert (counts.apis_count, counts.resources_count) == (2, 3)
        self.sent.append((asyncio.get_running_loop().time(), counts.applications_count))

    async def write(self, applications: int, compression: Compression = Compression.GZIP) -> None:
        """As Argo CD's controller does."""
        document = {"applicationsCount": applications, "cacheInfo": {"apisCount": 2, "resourcesCount": 3}}
        value = pack(encode(document) + b"\n", compression)
        await self.cache.inner.set(KEY + compression.suffix, value, ttl_seconds=10_000)


@contextlib.asynccontextmanager
async def a_spoke() -> AsyncIterator[Spoke]:
    spoke = Spoke()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(spoke.reports.run(), name="reports")
        yield spoke
        task.cancel()


@pytest.mark.feature("A-90")
@pytest.mark.parametrize("compression", Compression)
async def test_counts_are_sent_once_and_again_when_they_change(compression: Compression) -> None:
    async with a_spoke() as spoke:
        await spoke.write(1, compression)
        spoke.reports.opened()
        await passing(95)
        await spoke.write(2, compression)
        await passing(95)

        assert spoke.sent == [(0, 1), (100, 2)]


@pytest.mark.feature("A-90")
async def test_counts_that_stay_are_repeated_every_five_minutes() -> None:
    async with a_spoke() as spoke:
        await spoke.write(1)
        spoke.reports.opened()
        await passing(905)

        assert [at for at, _ in spoke.sent] == [0, 300, 600, 900]


@pytest.mark.feature("A-90")
async def test_a_new_connection_hears_the_counts_again() -> None:
    async with a_spoke() as spoke:
        await spoke.write(1)
        spoke.reports.opened()
        await passing(1)
        spoke.reports.closed()
        spoke.reports.opened()
        await passing(15)

        assert spoke.sent == [(0, 1), (10, 1)]


@pytest.mark.feature("A-90")
async def test_without_a_connection_nothing_is_read() -> None:
    async with a_spoke() as spoke:
        await spoke.write(1)
        await passing(1000)
        assert spoke.cache.reads == []

        spoke.reports.opened()
        await passing(15)
        spoke.reports.closed()
        before = len(spoke.cache.reads)
        await passing(1000)

        assert len(spoke.cache.reads) == before


async def test_a_spoke_without_the_document_says_nothing() -> None:
    async with a_spoke() as spoke:
        spoke.reports.opened()
        await passing(1000)

        assert spoke.sent == []


async def test_a_redis_that_was_away_and_a_document_that_cannot_be_read_are_got_over() -> None:
    async with a_spoke() as spoke:
        await spoke.cache.inner.set(KEY, b"nonsense", ttl_seconds=10_000)
        spoke.cache.is_away = True
        spoke.reports.opened()
        await passing(100)
        spoke.cache.is_away = False
        await passing(100)
        assert spoke.sent == []

        await spoke.write(1)
        await passing(100)

        assert [counts for _, counts in spoke.sent] == [1]
