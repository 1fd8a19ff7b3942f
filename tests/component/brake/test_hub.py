"""What agents hold is shown on the hub, and orders about it reach them."""

from argocd_agent.backends.ports import Scope
from argocd_agent.codec import decode_any
from argocd_agent.principal.heldfile import MAX_BYTES, data_of
from argocd_agent.protocol.brake import Order
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import CONFIGMAP_HELD_DELETIONS
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.resources.objects import Metadata, new_object
from tests.component.brake.hubbench import SINCE, a_hub, a_report
from tests.support.world import HOME, passing


async def test_what_agents_hold_is_shown_and_told() -> None:
    async with a_hub("one", "two") as hub:
        await hub.says("one", 3)
        await hub.says("two", 150)

        shown = {agent: decode_any(text) for agent, text in (await hub.shown()).items()}
        assert (shown["one"]["count"], shown["one"]["since"], len(shown["two"]["items"])) == (3, SINCE, 100)
        assert hub.gauges() == {
            'argocd_agent_held_deletions{agent_name="one"} 3',
            'argocd_agent_held_deletions{agent_name="two"} 150',
        }
        assert (await hub.events())["cluster-two"] == (
            f"Agent two holds 150 deletions since {SINCE}: they were too many within a minute. "
            "See argocd-agentctl deletions list two"
        )


async def test_an_agent_that_holds_nothing_is_not_shown_and_nothing_is_written_for_it() -> None:
    async with a_hub("one") as hub:
        await hub.says("one", 0)
        assert await hub.stored() is None

        await hub.says("one", 3)
        await hub.says("one", 0)

        assert await hub.stored() is None


async def test_a_problem_is_shown_even_if_nothing_is_known_to_be_held() -> None:
    async with a_hub("one") as hub:
        await hub.says("one", 0, "cannot be read")

        assert decode_any((await hub.shown())["one"])["problem"] == "cannot be read"
        assert "cannot be read" in (await hub.events())["cluster-one"]


async def test_a_burst_of_reports_is_one_write_a_second() -> None:
    async with a_hub("one") as hub:
        before = (await hub.cluster.list(CONFIGMAPS, Scope(HOME))).version
        for count in range(1, 1000):
            hub.reports.reported(AgentName("one"), a_report(count))
        await passing(2)

        found = await hub.stored()
        assert found is not None
        assert decode_any(found.look("data")["one"])["count"] == 999
        assert int(found.version) == int(before) + 1


async def test_an_order_is_sent_once_and_taken_off_when_nothing_is_held() -> None:
    async with a_hub("one", "two") as hub:
        await hub.says("one", 3)
        await hub.says("two", 3)

        await hub.annotate("one", "release")
        assert hub.sent == [("one", Order.RELEASE)]
        await hub.says("one", 0)

        found = await hub.stored()
        assert found is not None
        assert (set(found.look("data")), found.annotations) == ({"two"}, {})
        await hub.says("one", 5)
        assert hub.sent == [("one", Order.RELEASE)]


async def test_an_order_is_sent_again_with_each_report_until_it_is_obeyed() -> None:
    async with a_hub("one") as hub:
        await hub.says("one", 3)
        await hub.annotate("one", "discard")

        await hub.says("one", 2)

        assert hub.sent == [("one", Order.DISCARD)] * 2


async def test_a_changed_order_is_sent() -> None:
    async with a_hub("one") as hub:
        await hub.says("one", 3)
        await hub.annotate("one", "release")
        await hub.annotate("one", "discard")

        assert [order for _, order in hub.sent] == [Order.RELEASE, Order.DISCARD]


async def test_an_order_to_an_agent_that_holds_nothing_is_taken_off() -> None:
    async with a_hub("one", "two") as hub:
        await hub.says("one", 3)

        await hub.annotate("two", "release")

        found = await hub.stored()
        assert found is not None
        assert (hub.sent, found.annotations) == ([], {})


async def test_an_order_that_is_not_understood_is_told_and_left() -> None:
    async with a_hub("one") as hub:
        await hub.says("one", 3)

        await hub.annotate("one", "yes")

        found = await hub.stored()
        assert found is not None
        assert (hub.sent, list(found.annotations.values())) == ([], ["yes"])
        expected = "order 'yes' for agent one: expected release or discard"
        assert (await hub.events())[CONFIGMAP_HELD_DELETIONS] == expected


async def test_reports_and_orders_outlive_a_restart_of_the_hub() -> None:
    async with a_hub("one", "two") as hub:
        await hub.says("one", 3)
        await hub.says("two", 4)
        await hub.stop()
        await hub.annotate("one", "release")

        await hub.start()
        hub.reports.reported(AgentName("two"), a_report(0))  # before the ConfigMap has been read
        await passing(2)

        assert set(await hub.shown()) == {"one"}
        assert hub.sent == [("one", Order.RELEASE)]
        await hub.says("one", 3)
        assert len(hub.sent) == 2


async def test_an_agent_that_is_no_longer_registered_is_forgotten() -> None:
    async with a_hub("one") as hub:
        await hub.says("one", 3)
        await hub.annotate("one", "release")

        hub.reports.forgotten(AgentName("one"))
        await passing(2)

        assert (await hub.stored(), hub.gauges()) == (None, set())


async def test_a_configmap_deleted_or_changed_by_hand_is_put_right() -> None:
    async with a_hub("one") as hub:
        await hub.says("one", 3)
        before = await hub.shown()

        await hub.cluster.delete(CONFIGMAPS, HOME, CONFIGMAP_HELD_DELETIONS)
        await passing(3)
        assert await hub.shown() == before
        metadata = Metadata(name=CONFIGMAP_HELD_DELETIONS, namespace=HOME)
        await hub.cluster.update(CONFIGMAPS, new_object(CONFIGMAPS, metadata, data={"x": "y"}))
        await passing(3)

        assert await hub.shown() == before


async def test_a_report_that_cannot_be_read_at_start_gives_way_to_the_agents_next() -> None:
    async with a_hub("one") as hub:
        await hub.stop()
        metadata = Metadata(name=CONFIGMAP_HELD_DELETIONS, namespace=HOME)
        await hub.cluster.create(CONFIGMAPS, new_object(CONFIGMAPS, metadata, data={"one": "{"}))

        await hub.start()
        await hub.says("one", 2)

        assert decode_any((await hub.shown())["one"])["count"] == 2


def test_reports_of_many_agents_fit_into_one_configmap() -> None:
    reports = {f"agent-{number:04}": a_report(500) for number in range(2000)}

    data = data_of(reports)

    assert sum(map(len, data.values())) <= MAX_BYTES
    assert {decode_any(text)["count"] for text in data.values()} == {500}
    assert len(decode_any(data_of({"one": a_report(500)})["one"])["items"]) == 100
