"""Watches on a cluster in memory, on virtual time: bookmarks, idleness, the end."""

import asyncio
import contextlib

import pytest

from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.backends.ports import Scope, WatchEvent, WatchType
from argocd_agent.errors import Gone, NotFound, Unavailable
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS, CRDS, Api
from tests.support.loop import Deadlock, run
from tests.unit.backends.embedded.builders import a_configmap, an_application
from tests.unit.backends.embedded.test_engine import a_definition

WIDGETS = Api("example.com", "v1", "widgets", "Widget")


async def _first(cluster: EmbeddedCluster, api: Api, since: str, count: int = 1) -> list[WatchEvent]:
    seen: list[WatchEvent] = []
    async with contextlib.aclosing(cluster.watch(api, Scope(), since)) as events:
        async for event in events:
            seen.append(event)
            if len(seen) == count:
                break
    return seen


async def test_a_bookmark_comes_a_minute_after_news_of_other_kinds() -> None:
    cluster = open_memory()
    start = (await cluster.list(APPLICATIONS)).version
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(_first(cluster, APPLICATIONS, start))
        await asyncio.wait([watch], timeout=100)  # virtual: nothing was written, so nothing is due
        other = await cluster.create(CONFIGMAPS, a_configmap())

    [event] = watch.result()
    assert event.type is WatchType.BOOKMARK
    assert event.object.version == other.version
    assert asyncio.get_running_loop().time() == 160


def test_an_idle_cluster_sets_no_timers() -> None:
    async def wait_forever() -> None:
        cluster = open_memory()
        start = (await cluster.list(APPLICATIONS)).version
        await _first(cluster, APPLICATIONS, start)

    with pytest.raises(Deadlock):
        run(wait_forever())


async def test_from_nothing_a_watch_starts_with_what_is_there() -> None:
    cluster = open_memory()
    for name in ("a", "b"):
        await cluster.create(APPLICATIONS, an_application(name))

    seen = await _first(cluster, APPLICATIONS, "0", 2)

    assert [(event.type, event.object.name) for event in seen] == [(WatchType.ADDED, "a"), (WatchType.ADDED, "b")]


async def test_closing_the_cluster_ends_its_watches_and_refuses_the_rest() -> None:
    cluster = open_memory()
    start = (await cluster.list(APPLICATIONS)).version
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(_first(cluster, APPLICATIONS, start))
        await asyncio.wait([watch], timeout=1)  # it is waiting now
        await cluster.close()
        await cluster.close()

    assert watch.result() == []
    with pytest.raises(Unavailable, match="closed"):
        await cluster.list(APPLICATIONS)


async def test_a_reader_that_falls_out_of_the_window_is_told_and_nobody_waits() -> None:
    cluster = open_memory(window=10)
    start = (await cluster.list(CONFIGMAPS)).version
    async with contextlib.aclosing(cluster.watch(CONFIGMAPS, Scope(), start)) as slow:
        await cluster.create(CONFIGMAPS, a_configmap("first"))
        await anext(slow)
        for number in range(11):
            await cluster.create(CONFIGMAPS, a_configmap(f"cm-{number}"))

        with pytest.raises(Gone, match="watch configmaps in all namespaces"):
            await anext(slow)


async def test_a_withdrawn_kind_ends_its_watches() -> None:
    cluster = open_memory()
    await cluster.create(CRDS, a_definition())
    start = (await cluster.list(WIDGETS)).version
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(_first(cluster, WIDGETS, start))
        await asyncio.wait([watch], timeout=1)  # it is waiting now
        await cluster.delete(CRDS, "", "widgets.example.com")

    assert watch.result() == []
    with pytest.raises(NotFound, match=r"list widgets\.example\.com"):
        await cluster.list(WIDGETS)


async def test_an_abandoned_watch_leaves_nothing_behind() -> None:
    cluster = open_memory()
    await cluster.create(APPLICATIONS, an_application())

    await _first(cluster, APPLICATIONS, "0")

    bucket = cluster.engine.store.buckets[APPLICATIONS.resource]
    assert (bucket.bells, cluster.engine.store.idle) == (set(), set())
