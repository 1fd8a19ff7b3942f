"""The API servers go away, come back, and forget: the programs run on and lose nothing.

These tests end an API server; they do that to the third one, which no other test needs all the time.
"""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.applications import revision_of, synced, with_path
from tests.support.clusters import RealCluster, RealClusters
from tests.support.objects import path_of
from tests.support.pairs import Pair, a_pair

pytestmark = pytest.mark.real_time(timeout=120)


STILL = [f"still-{number}" for number in range(20)]  # nothing happens to them


def events_sent(pair: Pair, side: str) -> int:
    """How many events the program of *side* says that it has sent."""
    program, port = (pair.principal, pair.hub.metrics_port) if side == "hub" else (pair.agent, pair.spoke.metrics_port)
    start = "principal_events_sent " if side == "hub" else "agent_events_sent "
    (line,) = [line for line in program.page("/metrics", port)[1].splitlines() if line.startswith(start)]
    return int(line.removeprefix(start))


@pytest.fixture
def victim(clusters: RealClusters) -> Iterator[RealCluster]:
    """An API server that may be ended; it is running again after the test."""
    cluster = clusters[2]
    yield cluster
    if cluster.program is None or not cluster.program.is_running_after(0):
        cluster.start()
        cluster.wait()


async def restart(cluster: RealCluster) -> None:
    cluster.start()
    await asyncio.to_thread(cluster.wait)


@pytest.mark.feature("P-30")
async def test_the_hubs_api_may_go_away_and_come_back(clusters: RealClusters, victim: RealCluster) -> None:
    async with a_pair(victim.kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await hub.create("guestbook", path="one")
        await spoke.until_there("guestbook")

        await asyncio.to_thread(victim.stop)
        body = await asyncio.to_thread(pair.principal.until_not_ready, "Applications")
        await spoke.change("guestbook", synced("meanwhile"))
        await restart(victim)
        await hub.change("guestbook", with_path("two"))
        await spoke.until("guestbook", lambda obj: path_of(obj) == "two", "the change", 40)
        await hub.until("guestbook", lambda obj: revision_of(obj) == "meanwhile", "the status", 40)
        await asyncio.to_thread(pair.principal.until_ready)

        assert pair.principal.is_running
        assert pair.agent.is_running
    assert str(victim.port) in body


@pytest.mark.feature("A-29", "A-72")
async def test_the_spokes_api_may_go_away_and_come_back(clusters: RealClusters, victim: RealCluster) -> None:
    async with a_pair(clusters[0].kubeconfig, victim.kubeconfig) as pair, pair.open() as (hub, spoke):
        await hub.create("guestbook", path="one")
        await spoke.until_there("guestbook")

        await asyncio.to_thread(victim.stop)
        body = await asyncio.to_thread(pair.agent.until_not_ready, "Applications")
        await hub.change("guestbook", with_path("two"))
        await hub.create("another")
        await restart(victim)
        await spoke.until("guestbook", lambda obj: path_of(obj) == "two", "the change", 40)
        await spoke.until_there("another", 40)
        await asyncio.to_thread(pair.agent.until_ready)

        assert pair.agent.is_running
    assert str(victim.port) in body


@pytest.mark.feature("A-72")
@pytest.mark.parametrize("side", ["hub", "spoke"])
async def test_deletions_in_a_gap_of_the_watch_are_noticed(
    clusters: RealClusters, victim: RealCluster, side: str
) -> None:
    sides = (victim, clusters[1]) if side == "hub" else (clusters[0], victim)
    async with (
        a_pair(*(cluster.kubeconfig for cluster in sides)) as pair,
        pair.open() as (hub, spoke),
    ):
        for name in ("kept", "lost", *STILL):
            await hub.create(name, path="one")
            await spoke.until_there(name)
        program = pair.principal if side == "hub" else pair.agent
        since, told = program.mark, events_sent(pair, side)

        # What happens while the program cannot be reached by the API, and that the API cannot tell afterwards.
        program.pause()
        await (hub if side == "hub" else spoke).delete("lost")
        for number in range(20):
            await hub.change("kept", with_path(f"p{number}"))
        await asyncio.to_thread(victim.stop)
        clusters.compact()
        await restart(victim)
        program.resume()

        await spoke.until("kept", lambda obj: path_of(obj) == "p19", "the change", 40)
        if side == "hub":
            await spoke.until_gone("lost", 40)
        else:
            await spoke.until_there("lost", 40)
        assert not program.said("Traceback", since=since)
        assert events_sent(pair, side) - told < len(STILL)
