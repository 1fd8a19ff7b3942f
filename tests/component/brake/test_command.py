"""`argocd-agentctl deletions`: what an operator reads, orders, and is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from argocd_agent.backends.embedded import open_memory
from argocd_agent.cli.commands import deletions
from argocd_agent.cli.ctl import run
from argocd_agent.cli.places import Place
from argocd_agent.cli.session import Session
from argocd_agent.errors import ConfigError
from argocd_agent.principal.heldfile import data_of
from argocd_agent.protocol.brake import Order
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import CONFIGMAP_HELD_DELETIONS
from argocd_agent.resources.kinds import CONFIGMAPS, NAMESPACES
from argocd_agent.resources.objects import Metadata, new_object
from argocd_agent.wire.brake import HeldReport
from tests.component.brake.hubbench import SINCE, a_hub
from tests.support.world import HOME, passing


async def test_the_list_shows_every_agent_or_one() -> None:
    async with a_hub("one", "two", "three") as hub:
        await hub.says("one", 2)
        await hub.says("two", 101, "no room")

        everything = await deletions.listing(hub.place)
        one = await deletions.listing(hub.place, "one")
        none = await deletions.listing(hub.place, "three")

        assert (set(everything), none) == ({"one", "two"}, {})
        line = f"delete since {SINCE}"
        names = ("Application argocd/a0", "Application argocd/a1")
        assert one == {"one": {"held": 2, "since": SINCE, "deletions": dict.fromkeys(names, line)}}
        two = everything["two"]
        assert isinstance(two, dict)
        assert (two["problem"], two["notShown"]) == ("no room", 1)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (Order.RELEASE, "Agent one has carried out the 3 deletions that it held"),
        (Order.DISCARD, "Agent one keeps the 3 objects whose deletions it held; they are no longer the hub's"),
    ],
)
async def test_an_order_is_given_and_waited_for(order: Order, words: str) -> None:
    async with a_hub("one") as hub:
        hub.obeying = {"one"}
        await hub.says("one", 3)
        before = asyncio.get_running_loop().time()

        said = await deletions.give(hub.place, "one", order, 60)

        assert (said, hub.sent, await hub.stored()) == (words, [("one", order)], None)
        assert 5 <= asyncio.get_running_loop().time() - before <= 7


async def test_of_several_agents_only_the_one_named_is_waited_for() -> None:
    async with a_hub("one", "two") as hub:
        hub.obeying = {"one"}
        await hub.says("one", 3)
        await hub.says("two", 3)

        await deletions.give(hub.place, "one", Order.RELEASE, 60)

        assert set(await hub.shown()) == {"two"}


async def test_an_agent_that_the_hub_does_not_know_is_named_with_those_it_knows() -> None:
    async with a_hub("one", "two") as hub:
        with pytest.raises(ConfigError, match="agent three is not known in namespace argocd: expected one, two"):
            await deletions.give(hub.place, "three", Order.RELEASE, 60)
        with pytest.raises(ConfigError, match="agent three is not known"):
            await deletions.listing(hub.place, "three")


async def test_an_agent_that_holds_nothing_needs_no_order() -> None:
    async with a_hub("one", "two") as hub:
        await hub.says("two", 3)

        with pytest.raises(ConfigError, match="agent one holds no deletions"):
            await deletions.give(hub.place, "one", Order.RELEASE, 60)

        assert hub.sent == []


async def test_an_agent_that_is_away_obeys_when_it_is_back() -> None:
    async with a_hub("one") as hub:
        await hub.says("one", 3)
        hub.connections.disconnected(AgentName("one"), Mode.MANAGED, "cut")
        await passing(2)

        with pytest.raises(ConfigError, match=f"agent one is not connected since {SINCE}: the order to discard stands"):
            await deletions.give(hub.place, "one", Order.DISCARD, 60)
        hub.obeying = {"one"}
        await hub.says("one", 3)
        await passing(10)

        assert (hub.sent[-1], await hub.stored()) == (("one", Order.DISCARD), None)


async def test_an_agent_that_is_not_done_in_time_goes_on_obeying() -> None:
    async with a_hub("one") as hub:
        await hub.says("one", 3)
        hub.connections.connected(AgentName("one"), Mode.MANAGED, "10.0.0.1")
        await passing(2)

        with pytest.raises(
            ConfigError, match="agent one still holds 3 deletions after 60s: the order to release stands"
        ):
            await deletions.give(hub.place, "one", Order.RELEASE, 60)

        found = await hub.stored()
        assert found is not None
        assert list(found.annotations.values()) == ["release"]


class OneHub:
    """The hub's side of a command, made anew for each; *reports* are what agents hold."""

    principal_context, agent_context = "hub", ""

    def __init__(self, **reports: HeldReport) -> None:
        self.reports = reports

    @asynccontextmanager
    async def principal(self) -> AsyncIterator[Place]:
        cluster = open_memory()
        await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=HOME)))
        metadata = Metadata(name=CONFIGMAP_HELD_DELETIONS, namespace=HOME)
        await cluster.create(CONFIGMAPS, new_object(CONFIGMAPS, metadata, data=data_of(self.reports)))
        yield Place(cluster, HOME, f"namespace {HOME} of context hub")

    @asynccontextmanager
    async def agent(self, namespace: str = "") -> AsyncIterator[Place]:
        async with self.principal() as place:
            yield place


def ctl(hub: OneHub, *argv: str) -> int:
    return run(["deletions", *argv], Session(hub, lambda: datetime(2026, 1, 1, tzinfo=UTC)))


def test_the_list_is_text_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    hub = OneHub(one=HeldReport(count=2, since=SINCE))

    assert ctl(hub, "list") == 0
    text = capsys.readouterr().out
    assert ctl(hub, "list", "one", "-o", "json") == 0

    assert text == f"One:\n  Held:      2\n  Since:     {SINCE}\n  Deletions:\n  NotShown:  2\n"
    assert '"held": 2' in capsys.readouterr().out


def test_with_nothing_held_the_list_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(OneHub(), "list") == 0

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "no deletions are held\n")


def test_wrong_arguments_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    hub = OneHub()

    assert [ctl(hub, "release"), ctl(hub, "release", "one", "--timeout", "soon"), ctl(hub, "discard", "one")] == [1] * 3

    found = capsys.readouterr().err
    assert "Missing argument 'AGENT_NAME'" in found
    assert "[FATAL]: --timeout: 'soon' is not a duration" in found
    assert "[FATAL]: agent one is not known in namespace argocd of context hub: expected no agent" in found
