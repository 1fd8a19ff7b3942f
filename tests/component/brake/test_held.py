"""Deletions that are too many are held on the spoke, durably, until an operator says what becomes of them."""

import asyncio
from dataclasses import replace

import pytest

from argocd_agent.agent import heldfile
from argocd_agent.errors import EventDeferred, Unavailable
from argocd_agent.protocol.brake import Brake, HeldDeletion, How, Order
from argocd_agent.protocol.names import CONFIGMAP_HELD_DELETIONS
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.wire.brake import record_of
from argocd_agent.wire.timestamps import format_time
from tests.component.brake.heldbench import EPOCH, a_bench
from tests.support.world import HOME, passing

SINCE = "2027-01-15T08:00:00Z"


async def test_ordinary_deletions_pass_and_nothing_is_written() -> None:
    async with a_bench(100) as bench:
        for minute in range(10):
            for number in range(10):
                assert await bench.ask(f"a{minute * 10 + number}")
            await passing(60)

        assert (bench.there, await bench.stored(), bench.reports) == (set(), None, [])


async def test_of_a_burst_the_rest_is_held_marked_reported_and_told() -> None:
    async with a_bench(100) as bench:
        passed = await bench.burst(60)
        await passing(0.5)

        assert (passed.count(True), len(bench.there), len(bench.held)) == (30, 70, 30)
        assert bench.marked == {f"a{number}" for number in range(30, 60)}
        assert (bench.reports[-1].count, bench.reports[-1].since, bench.reports[-1].items[0].name) == (30, SINCE, "a30")
        assert (await bench.events())[0].startswith("30 deletions that the principal asked for are held")


async def test_what_is_held_is_written_down_before_it_is_said_to_be_held() -> None:
    async with a_bench(20) as bench:
        await bench.burst(10)

        assert not await bench.ask("a10", How.CASCADE)

        assert await bench.stored() == f'[\n["Application","{HOME}","a10","u","cascade","{SINCE}"]\n]'
        held = HeldDeletion("Application", HOME, "a10", "u", How.CASCADE, SINCE)
        assert (bench.held.holds("Application", HOME, "a10"), bench.held.holds("AppProject", HOME, "a10")) == (
            held,
            None,
        )


async def test_a_burst_of_a_thousand_is_few_writes() -> None:
    async with a_bench(1000) as bench:
        await bench.burst(1000)

        assert len(bench.held) == 700
        assert len([write for write in bench.cluster.writes if CONFIGMAP_HELD_DELETIONS in write]) <= 3


async def test_asked_again_about_what_is_held_it_stays_held_as_said_last() -> None:
    async with a_bench(20) as bench:
        await bench.burst(11)
        await passing(3600)

        assert not await bench.ask("a10")
        assert not await bench.ask("a10", How.REPLACE, uid="u2")

        assert len(bench.held) == 1
        assert await bench.stored() == f'[\n["Application","{HOME}","a10","u2","replace","{SINCE}"]\n]'


async def test_ordinary_deletions_pass_while_others_are_held() -> None:
    async with a_bench(100) as bench:
        await bench.burst(60)
        await passing(60)

        assert await bench.ask("a70")


async def test_what_the_source_wants_again_is_held_no_more() -> None:
    async with a_bench(20) as bench:
        await bench.burst(12)
        bench.held.forget("Application", HOME, "a10")
        bench.held.forget("Application", HOME, "nobody")
        await passing(0.5)
        assert (len(bench.held), bench.marked, bench.reports[-1].count) == (1, {"a11"}, 1)

        bench.held.forget("Application", HOME, "a11")
        await passing(0.5)

        assert (await bench.stored(), bench.marked, bench.reports[-1].count) == (None, set(), 0)


async def test_what_is_held_survives_a_restart_and_so_does_the_burst() -> None:
    async with a_bench(20) as bench:
        await bench.burst(20)
        await passing(30)

        await bench.start()

        assert len(bench.held) == 10
        assert bench.reports[-1].count == 10
        assert not await bench.ask("b1")
        await passing(60)
        assert await bench.ask("b2")


async def test_a_deletion_that_cannot_be_written_down_is_deferred_and_not_carried_out() -> None:
    async with a_bench(20) as bench:
        await bench.burst(10)
        bench.cluster.error = Unavailable("etcd is gone")

        with pytest.raises(EventDeferred, match="held, which cannot be written down: etcd is gone"):
            await bench.ask("a10")
        await passing(120)
        with pytest.raises(EventDeferred):
            await bench.ask("a10")  # the minute is over, and it is held nevertheless
        bench.cluster.error = None

        assert not await bench.ask("a10")
        assert await bench.stored() is not None


async def test_who_stops_waiting_for_the_write_does_not_hurt_the_others() -> None:
    async with a_bench(20) as bench:
        await bench.burst(10)
        first = asyncio.create_task(bench.ask("a10"), name="gives up")
        second = asyncio.create_task(bench.ask("a11"), name="waits")
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)

        first.cancel()

        assert await second is False
        await asyncio.gather(first, return_exceptions=True)


async def test_with_the_configmap_full_deletions_are_deferred_until_an_operator_makes_room() -> None:
    async with a_bench(20) as bench:
        one = HeldDeletion("Application", HOME, "x" * 200, "u", How.DELETE, SINCE)
        count = heldfile.MAX_BYTES // (heldfile.cost_of(one) + 4)
        many = [replace(one, name=f"{one.name}{number:04}") for number in range(count)]
        await bench.restart_with(record_of(many))
        assert len((await bench.stored() or "").encode()) <= heldfile.MAX_BYTES + 2

        outcomes = [await asyncio.gather(bench.ask(f"{'y' * 200}{n}"), return_exceptions=True) for n in range(12)]
        refused = outcomes[-1][0]
        assert isinstance(refused, EventDeferred)
        assert "no room to hold another: ConfigMap argocd/" in str(refused)
        assert "release or discard them" in bench.reports[-1].problem
        await passing(3600)
        with pytest.raises(EventDeferred):
            await bench.ask("a1")
        await bench.annotate("discard")
        await passing(60)

        assert (len(bench.discarded), bench.reports[-1].problem) == (count, "")
        assert await bench.ask("a1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "deletions: Input data was truncated"),
        ('[["Application","n","a","u","vanish","s"]]', "Invalid enum value 'vanish'"),
        ('[["Application","n","a","u","delete","yesterday"]]', r"deletions\[0\]\[5\]: expected RFC 3339"),
    ],
)
async def test_what_cannot_be_read_at_start_is_left_as_it_is(text: str, words: str) -> None:
    async with a_bench(20) as bench:
        await bench.restart_with(text)

        assert all(await bench.burst(10))
        with pytest.raises(EventDeferred, match=words):
            await bench.ask("a10")
        await passing(3600)
        with pytest.raises(EventDeferred, match=words):
            await bench.ask("a10")

        assert await bench.stored() == text
        assert bench.reports[-1].problem.startswith(f"ConfigMap {CONFIGMAP_HELD_DELETIONS}: deletions")


async def test_an_unreadable_configmap_that_is_mended_is_read() -> None:
    async with a_bench(20) as bench:
        await bench.restart_with("[")

        await bench.store(record_of([HeldDeletion("Application", HOME, "a1", "u", How.DELETE, SINCE)]))

        assert (len(bench.held), bench.marked, bench.reports[-1].problem) == (1, {"a1"}, "")


async def test_an_unreadable_configmap_that_is_deleted_holds_nothing_any_more() -> None:
    async with a_bench(20) as bench:
        await bench.restart_with("[")

        await bench.cluster.delete(CONFIGMAPS, HOME, CONFIGMAP_HELD_DELETIONS)
        await passing(0.5)

        assert (bench.reports[-1].problem, bench.reports[-1].count) == ("", 0)
        assert not (await bench.burst(11))[10]


async def test_an_unreadable_configmap_can_be_discarded_and_not_released() -> None:
    async with a_bench(20) as bench:
        await bench.restart_with("[")

        await bench.annotate("release")
        assert await bench.stored() == "["
        await bench.annotate("discard")

        assert await bench.stored() is None


@pytest.mark.parametrize("spoiled", ["[]", "[", '[["Application","n","other","u","delete","2027-01-15T08:00:00Z"]]'])
async def test_a_configmap_changed_by_hand_is_put_right(spoiled: str) -> None:
    async with a_bench(20) as bench:
        await bench.burst(11)
        before = await bench.stored()

        await bench.store(spoiled)

        assert await bench.stored() == before


async def test_a_configmap_deleted_by_hand_comes_back() -> None:
    async with a_bench(20) as bench:
        await bench.burst(11)
        before = await bench.stored()

        await bench.cluster.delete(CONFIGMAPS, HOME, CONFIGMAP_HELD_DELETIONS)
        await passing(0.5)

        assert await bench.stored() == before


async def test_with_the_brake_off_everything_passes() -> None:
    async with a_bench(20) as bench:
        await bench.start(Brake(0, 0.3))

        assert all(await bench.burst(20))


def test_the_epoch_of_these_tests_is_the_time_that_they_name() -> None:
    assert format_time(EPOCH) == SINCE


async def test_an_order_of_the_hub_releases_everything() -> None:
    async with a_bench(100) as bench:
        await bench.burst(60)

        bench.held.order(Order.RELEASE)
        await passing(0.5)

        assert (len(bench.released), len(bench.there), bench.marked) == (30, 40, set())
        assert (await bench.stored(), bench.reports[-1].count) == (None, 0)
