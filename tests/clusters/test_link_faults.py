"""The way between agent and principal fails: cut, half-open, slow, and taken by a second of the same name."""

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest

from argocd_agent.demo.faults import CUT, HALF_OPEN, Fault, Link
from tests.support.applications import revision_of, synced, with_path
from tests.support.clusters import RealClusters
from tests.support.objects import path_of
from tests.support.pairs import Pair, ended, linked
from tests.support.programs import LOOPBACK
from tests.support.sites import Spoke

HALF_OPEN_NOTICED_SECONDS = 45.0


def through_a_link(clusters: RealClusters) -> AbstractAsyncContextManager[tuple[Pair, Link]]:
    """A principal and an agent that are connected through one."""
    return linked(clusters[0].kubeconfig, clusters[1].kubeconfig)


@pytest.mark.feature("A-16", "A-96", "C-65", "C-66")
async def test_a_cut_link_is_told_on_both_sides_and_caught_up_with(clusters: RealClusters) -> None:
    async with through_a_link(clusters) as (pair, link), pair.open() as (hub, spoke):
        await hub.create("guestbook", path="one")
        await spoke.until_there("guestbook")
        await hub.create("doomed")
        await spoke.until_there("doomed")

        link.cut()
        body = await asyncio.to_thread(pair.agent.until_not_ready, "connection to the principal")
        await asyncio.to_thread(pair.principal.until_said, "An agent disconnected", pair.spoke.agent)
        await hub.change("guestbook", with_path("two"))
        await hub.delete("doomed")
        await spoke.change("guestbook", synced("offline"))
        link.restore()
        await spoke.until("guestbook", lambda obj: path_of(obj) == "two", "the change")
        await spoke.until_gone("doomed")
        await hub.until("guestbook", lambda obj: revision_of(obj) == "offline", "the status")

        await asyncio.to_thread(pair.agent.until_ready)
        assert f"{LOOPBACK}:{link.port}" in body


@pytest.mark.feature("A-36", "A-38", "C-5", "C-65")
async def test_the_spoke_is_put_right_while_the_link_is_cut(clusters: RealClusters) -> None:
    async with through_a_link(clusters) as (pair, link), pair.open() as (hub, spoke):
        await hub.create("guestbook", path="one")
        before = await spoke.until_there("guestbook")
        link.cut()
        await asyncio.to_thread(pair.agent.until_not_ready, "connection to the principal")

        await spoke.change("guestbook", with_path("drift"))
        await spoke.until("guestbook", lambda obj: path_of(obj) == "one", "put right")
        await spoke.delete("guestbook")
        again = await spoke.until("guestbook", lambda obj: obj.uid != before.uid, "made again")

    assert path_of(again) == "one"


@pytest.mark.feature("C-63")
@pytest.mark.real_time(timeout=120)
async def test_a_half_open_link_is_noticed_by_both_and_the_spoke_works_on(clusters: RealClusters) -> None:
    async with through_a_link(clusters) as (pair, link), pair.open() as (hub, spoke):
        await hub.create("guestbook", path="one")
        await spoke.until_there("guestbook")
        since = pair.principal.mark

        link.set(HALF_OPEN)
        await hub.change("guestbook", with_path("two"))
        await spoke.change("guestbook", synced("offline"))
        await spoke.delete("guestbook")
        await spoke.until_there("guestbook")
        await asyncio.gather(
            asyncio.to_thread(
                pair.agent.until_not_ready, "connection to the principal", seconds=HALF_OPEN_NOTICED_SECONDS
            ),
            asyncio.to_thread(
                pair.principal.until_said, "An agent disconnected", since=since, seconds=HALF_OPEN_NOTICED_SECONDS
            ),
        )
        link.restore()
        await spoke.until("guestbook", lambda obj: path_of(obj) == "two", "the change", 40)
        await asyncio.to_thread(pair.agent.until_ready)


async def test_a_slow_link_carries_everything(clusters: RealClusters) -> None:
    async with through_a_link(clusters) as (pair, link), pair.open() as (hub, spoke):
        link.set(Fault(delay_seconds=0.15, bytes_per_second=100_000))
        names = [f"app-{number}" for number in range(20)]

        await asyncio.gather(*(hub.create(name, spec={"info": [{"name": "x", "value": "y" * 3000}]}) for name in names))
        await spoke.until_all(lambda found: found.keys() >= set(names), "all are there")
        await asyncio.gather(*(spoke.change(name, synced("r1")) for name in names))
        await hub.until_all(lambda found: all(revision_of(found[name]) == "r1" for name in names), "all statuses")


@pytest.mark.feature("P-35", "A-16", "A-31", "C-66")
async def test_a_link_that_flaps_loses_nothing(clusters: RealClusters) -> None:
    async with through_a_link(clusters) as (pair, link), pair.open() as (hub, spoke):
        names = [f"app-{number}" for number in range(30)]
        for name in names:
            await hub.create(name, path="one")
            if int(name[4:]) % 6 == 0:
                link.set(CUT)
                link.restore()

        await spoke.until_all(lambda found: found.keys() >= set(names), "all are there")
        await asyncio.gather(*(spoke.change(name, synced("r1")) for name in names))
        link.set(CUT)
        link.restore()
        await hub.until_all(lambda found: all(revision_of(found[name]) == "r1" for name in names), "all statuses")


@pytest.mark.feature("A-103", "C-69")
async def test_a_second_connection_supersedes_and_a_third_within_a_minute_is_a_duplicate(
    clusters: RealClusters,
) -> None:
    async with through_a_link(clusters) as (pair, _), pair.open() as (hub, spoke):
        since = pair.agent.mark
        site = pair.spoke
        twin = Spoke(site.hub, site.kubeconfig, site.agent, site.namespace)

        second = twin.start()
        with ended(second):
            await asyncio.to_thread(second.until_said, "Connected to the principal")
            lost = await asyncio.to_thread(pair.agent.until_said, "has ended", since=since)
            error = await asyncio.to_thread(pair.principal.until_said, "duplicate identity", site.agent)
            refused = await asyncio.to_thread(pair.agent.until_said, "duplicate identity", seconds=30)

            await hub.create("guestbook")
            await spoke.until_there("guestbook")
        assert "another stream took this agent's place" in lost
        assert error.count(LOOPBACK) >= 2  # both addresses
        assert "expected one agent of this name" in refused
