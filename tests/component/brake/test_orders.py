"""What an operator orders is carried out: through the hub, or by an annotation on the spoke."""

from argocd_agent.errors import Unavailable
from argocd_agent.protocol.brake import How, Order
from tests.component.brake.heldbench import a_bench
from tests.support.world import HOME, passing


async def test_the_annotation_release_carries_the_deletions_out() -> None:
    async with a_bench(20) as bench:
        await bench.burst(12)

        await bench.annotate("release")

        assert (bench.released, bench.discarded, bench.marked) == (["a10", "a11"], [], set())
        assert (await bench.stored(), bench.reports[-1].count) == (None, 0)


async def test_the_annotation_discard_keeps_the_objects() -> None:
    async with a_bench(20) as bench:
        await bench.burst(12)

        await bench.annotate("discard")

        assert (bench.released, bench.discarded, bench.marked) == ([], ["a10", "a11"], set())
        assert (len(bench.there), await bench.stored()) == (10, None)


async def test_another_word_is_not_obeyed_and_stays_for_its_author_to_see() -> None:
    async with a_bench(20) as bench:
        await bench.burst(12)

        await bench.annotate("yes")
        assert len(bench.held) == 2
        await bench.annotate("release")

        assert len(bench.held) == 0


async def test_an_order_is_over_when_it_is_carried_out() -> None:
    async with a_bench(20) as bench:
        await bench.burst(12)
        await bench.annotate("release")

        assert not await bench.ask("a12")
        await passing(3600)

        assert len(bench.held) == 1


async def test_an_order_outlives_a_restart_and_what_cannot_be_done_is_tried_again() -> None:
    async with a_bench(20) as bench:
        await bench.burst(12)
        bench.refusing = {"a11"}
        await bench.annotate("release")
        assert (bench.released, len(bench.held)) == (["a10"], 1)

        await bench.start()
        await passing(300)
        bench.refusing = set()
        await passing(60)

        assert (bench.released, await bench.stored()) == (["a10", "a11"], None)


async def test_a_newer_order_takes_the_place_of_one_that_is_not_done() -> None:
    async with a_bench(20) as bench:
        await bench.burst(12)
        bench.refusing = {"a10", "a11"}
        bench.held.order(Order.RELEASE)
        await passing(10)

        bench.refusing = set()
        bench.held.order(Order.DISCARD)
        await passing(60)

        assert (bench.released, bench.discarded) == ([], ["a10", "a11"])


async def test_what_is_released_passes_the_brake_once_if_it_is_asked_again() -> None:
    async with a_bench(20) as bench:
        await bench.burst(12)
        bench.held.order(Order.RELEASE)
        await passing(0.5)

        assert await bench.ask("a10")
        assert not await bench.ask("a10")


async def test_what_is_wanted_again_loses_its_pardon() -> None:
    async with a_bench(20) as bench:
        await bench.burst(12)
        bench.held.order(Order.RELEASE)
        await passing(0.5)

        bench.held.forget("Application", HOME, "a10")

        assert not await bench.ask("a10")


async def test_what_is_said_anew_while_it_is_released_is_released_as_said_last() -> None:
    async with a_bench(20) as bench:
        await bench.burst(11)
        bench.refusing = {"a10"}
        bench.held.order(Order.RELEASE)
        await passing(0.5)
        bench.held.forget("Application", HOME, "a10")
        assert not await bench.ask("a10", How.REPLACE)

        bench.refusing = set()
        await passing(60)

        assert (bench.released, len(bench.held)) == (["a10"], 0)


async def test_with_nothing_held_an_order_is_answered_by_a_report() -> None:
    async with a_bench(20) as bench:
        bench.held.order(Order.RELEASE)
        await passing(0.5)

        assert [report.count for report in bench.reports] == [0]
        assert all(await bench.burst(10))
        assert not await bench.ask("a10")
        await passing(10)
        assert len(bench.held) == 1


async def test_what_was_released_goes_from_the_configmap_when_it_can_be_written_again() -> None:
    async with a_bench(20) as bench:
        await bench.burst(12)
        bench.refusing = {"a11"}
        bench.cluster.error = Unavailable("etcd is gone")
        bench.held.order(Order.RELEASE)
        await passing(10)
        assert "a10" in (await bench.stored() or "")

        bench.cluster.error = None
        await passing(120)

        assert "a10" not in (await bench.stored() or "")
