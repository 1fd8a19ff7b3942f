"""What a program sees of a cluster: no step back in time when a watch breaks, no storm when the API is away."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.backends.ports import Cluster, Scope, WatchEvent, WatchType
from argocd_agent.codec import encode
from argocd_agent.errors import Gone
from argocd_agent.peer.observe import Change, Observer
from argocd_agent.resources.kinds import APPLICATIONS, NAMESPACES, Api
from argocd_agent.resources.objects import Metadata, new_object
from tests.component.managed.unruly import Unruly, unruly_hub
from tests.support.objects import an_application
from tests.support.world import HOME, a_world, passing

HOUR = 3600.0


class Fleeting:
    """A cluster that ends every watch after *seconds*, with nothing on it."""

    def __init__(self, cluster: EmbeddedCluster, seconds: float) -> None:
        self._cluster, self._seconds = cluster, seconds
        self.watches = 0

    async def watch(self, api: Api, scope: Scope, since: str) -> AsyncGenerator[WatchEvent, None]:
        self.watches += 1
        async with contextlib.aclosing(self._cluster.watch(api, scope, since)) as events:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    async for event in events:
                        yield event

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._cluster, verb)


@dataclass
class Seen:
    """What an observer said."""

    changes: list[Change] = field(default_factory=list)
    reports: list[str | None] = field(default_factory=list)


async def a_cluster() -> EmbeddedCluster:
    cluster = open_memory()
    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=HOME)))
    return cluster


@contextlib.asynccontextmanager
async def observed(cluster: Cluster) -> AsyncIterator[Seen]:
    """An observer of the Applications of *cluster*, at rest."""
    seen = Seen()
    observer = Observer(cluster, APPLICATIONS, Scope(HOME), seen.changes.append, report=seen.reports.append)
    task = asyncio.create_task(observer.run())
    await observer.synced.wait()
    await passing(1.0)
    yield seen
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_watch_that_breaks_goes_on_from_where_it_was() -> None:
    cluster = Unruly(await a_cluster())
    async with observed(cluster) as seen:
        current = await cluster.user.create(an_application())
        await passing(0.1)
        for health in ("Progressing", "Degraded", "Healthy"):
            current = await cluster.user.update(current.with_fields({"status": encode({"health": {"status": health}})}))
            await passing(0.1)
        await cluster.user.create(an_application("other"))
        await passing(1.0)
        await cluster.user.delete("other")
        await passing(1.0)
        before = list(seen.changes)
        assert [change.object.name for change in before] == ["guestbook"] * 4 + ["other"] * 2

        cluster.break_watches()
        await passing(5.0)

        assert seen.changes == before


async def test_what_happens_while_a_watch_is_broken_is_seen_once() -> None:
    cluster = Unruly(await a_cluster())
    async with observed(cluster) as seen:
        created = await cluster.user.create(an_application())
        await passing(1.0)

        cluster.is_down = True
        cluster.break_watches()
        await passing(1.0)
        changed = await cluster.user.update(created.with_fields({"status": encode({"health": {"status": "Healthy"}})}))
        cluster.is_down = False
        await passing(60.0)

        assert seen.changes == [Change(None, created), Change(created, changed)]


async def test_an_operation_that_ran_is_not_run_again_when_the_hubs_watch_breaks() -> None:
    async with a_world() as world:
        hub = await unruly_hub(world)
        created = await world.hub_side().create(an_application())
        await passing(1.0)
        await world.hub_side().update(created.with_fields({"operation": encode({"sync": {}})}))
        await passing(1.0)
        spoke = world.spoke_side()
        mirror = await spoke.expect("guestbook")
        assert mirror.look("operation") == {"sync": {}}
        ran = {"operationState": {"phase": "Succeeded", "operation": {"sync": {}}, "startedAt": "2026-01-01T00:00:00Z"}}
        await spoke.update(mirror.with_fields({"operation": None, "status": encode(ran)}))
        await passing(1.0)
        before = await spoke.expect("guestbook")

        hub.break_watches()
        await passing(10.0)

        assert await spoke.expect("guestbook") == before
        assert "operation" not in before.fields


async def test_an_api_that_is_away_for_an_hour_is_asked_less_and_less_and_never_called_well() -> None:
    cluster = Unruly(await a_cluster())
    async with observed(cluster) as seen:
        assert seen.reports == [None]

        cluster.is_down = True
        cluster.break_watches()
        await passing(HOUR)

        assert set(seen.reports[1:]) == {"connection reset by peer", "connection refused"}
        assert 100 < cluster.watches_begun < 1000  # four a second would be 14,400


async def test_an_api_that_is_back_is_called_well_though_nothing_changes_there() -> None:
    cluster = Unruly(await a_cluster())
    async with observed(cluster) as seen:
        cluster.is_down = True
        cluster.break_watches()
        await passing(HOUR)

        cluster.is_down = False
        await passing(60.0)

        assert seen.reports[-1] is None


async def test_a_watch_that_ends_at_once_is_begun_once_a_second() -> None:
    cluster = Fleeting(await a_cluster(), seconds=0.001)

    async with observed(cluster):
        await passing(9.0)

    assert 9 <= cluster.watches <= 11


async def test_a_watch_that_ends_after_minutes_is_begun_again_at_once() -> None:
    cluster = Fleeting(await a_cluster(), seconds=300.0)

    async with observed(cluster) as seen:
        await passing(299.5)
        again = cluster.watches
        await cluster.create(APPLICATIONS, an_application("new", uid="", version=""))
        await passing(0.1)

    assert again == 2
    assert [change.object.name for change in seen.changes] == ["new"]


class AlwaysGone(Fleeting):
    """A cluster that says of every version that it is too old."""

    async def watch(self, api: Api, scope: Scope, since: str) -> AsyncGenerator[WatchEvent, None]:
        self.watches += 1
        await passing(self._seconds)
        if self.watches:
            raise Gone("too old")
        yield WatchEvent(WatchType.BOOKMARK, an_application())


async def test_a_server_that_finds_every_version_too_old_is_not_asked_without_pause() -> None:
    cluster = AlwaysGone(await a_cluster(), seconds=0.001)

    async with observed(cluster):
        await passing(9.0)

    assert 8 <= cluster.watches <= 11
