"""What happens on either side while the other is away is there when it comes back: nothing is lost, nothing returns."""

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.capabilities import REFERENCE, PeerInfo
from tests.support.objects import an_application, at_path, path_of
from tests.support.world import World, a_world, passing

SYNCED = {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}


async def three(world: World) -> None:
    """Applications one, two and three, on both sides."""
    for name in ("one", "two", "three"):
        await world.hub_side().create(an_application(name))
    await passing(0.5)


async def change_everything(world: World) -> None:
    """On the hub: one changed, two deleted, four new. On the spoke: a status of three."""
    hub, spoke = world.hub_side(), world.spoke_side()
    await hub.update(at_path(await hub.expect("one"), "changed"))
    await hub.delete("two")
    await hub.create(an_application("four"))
    await spoke.update((await spoke.expect("three")).with_fields({"status": encode(SYNCED)}))
    await passing(0.5)


async def assert_caught_up(world: World) -> None:
    assert await world.spoke_side().names() == {"one", "three", "four"}
    assert path_of(await world.spoke_side().expect("one")) == "changed"
    assert (await world.hub_side().expect("three")).look("status") == SYNCED


@pytest.mark.feature("P-35", "A-31", "C-65", "C-66")
async def test_a_cut_link_is_made_up_for() -> None:
    async with a_world() as world:
        await three(world)

        await world.cut()
        await change_everything(world)
        assert path_of(await world.spoke_side().expect("one")) == "guestbook"
        await world.connect()

        await assert_caught_up(world)


@pytest.mark.feature("C-66")
async def test_a_restart_of_the_principal_is_made_up_for() -> None:
    async with a_world() as world:
        await three(world)

        await world.stop("principal")
        await world.cut()
        await change_everything(world)
        await world.start_principal()
        await world.connect()

        await assert_caught_up(world)


@pytest.mark.feature("C-66")
async def test_a_restart_of_the_agent_is_made_up_for() -> None:
    async with a_world() as world:
        await three(world)

        await world.cut()
        await world.stop("agent-1")
        await change_everything(world)
        await world.start_agent()
        await world.connect()

        await assert_caught_up(world)


@pytest.mark.feature("C-66")
async def test_a_restart_of_both_is_made_up_for() -> None:
    async with a_world() as world:
        await three(world)

        await world.cut()
        await world.stop("principal", "agent-1")
        await change_everything(world)
        await world.start_principal()
        await world.start_agent()
        await world.connect()

        await assert_caught_up(world)


@pytest.mark.feature("A-37", "C-5")
async def test_drift_while_the_agent_was_down_is_put_right() -> None:
    async with a_world() as world:
        await three(world)

        await world.cut()
        await world.stop("agent-1")
        spoke = world.spoke_side()
        await spoke.update(at_path(await spoke.expect("one"), "drifted"))
        await spoke.delete("two")
        await world.start_agent()
        await world.connect()

        assert path_of(await spoke.expect("one")) == "guestbook"
        assert await spoke.names() == {"one", "two", "three"}


@pytest.mark.feature("A-36", "A-38", "C-5")
async def test_drift_is_put_right_without_a_principal() -> None:
    async with a_world() as world:
        await three(world)

        await world.cut()
        spoke = world.spoke_side()
        await spoke.update(at_path(await spoke.expect("one"), "drifted"))
        await spoke.delete("two")
        await passing(0.5)

        assert path_of(await spoke.expect("one")) == "guestbook"
        assert await spoke.names() == {"one", "two", "three"}


async def test_an_operation_asked_for_while_the_principal_was_down_runs() -> None:
    async with a_world() as world:
        await three(world)

        await world.stop("principal")
        await world.cut()
        hub = world.hub_side()
        await hub.update((await hub.expect("one")).with_fields({"operation": encode({"sync": {}})}))
        await world.start_principal()
        await world.connect()

        assert (await world.spoke_side().expect("one")).look("operation") == {"sync": {}}
        assert (await hub.expect("one")).look("operation") == {"sync": {}}


@pytest.mark.feature("C-7", "C-66")
async def test_it_runs_also_if_the_spoke_had_other_news_meanwhile() -> None:
    news = {"health": {"status": "Progressing"}}
    async with a_world() as world:
        await three(world)

        await world.stop("principal")
        await world.cut()
        hub, spoke = world.hub_side(), world.spoke_side()
        await hub.update((await hub.expect("one")).with_fields({"operation": encode({"sync": {}})}))
        await spoke.update((await spoke.expect("one")).with_fields({"status": encode(news)}))
        await world.start_principal()
        await world.connect()
        await passing(3.0)

        assert (await spoke.expect("one")).look("operation") == {"sync": {}}
        assert (await hub.expect("one")).look("status") == news


async def test_a_cascade_that_ends_while_the_agent_restarts_ends_on_the_hub_too() -> None:
    finalizers = ("resources-finalizer.argocd.argoproj.io",)
    async with a_world() as world:
        await world.hub_side().create(an_application(finalizers=finalizers))
        await passing(0.5)
        await world.hub_side().delete("guestbook")
        await passing(0.5)

        await world.cut()
        await world.stop("agent-1")
        await world.start_agent()
        await world.connect()
        dying = await world.spoke_side().expect("guestbook")
        await world.spoke_side().update(dying.with_metadata(finalizers=None))
        await passing(0.5)

        assert await world.spoke_side().get("guestbook") is None
        assert await world.hub_side().get("guestbook") is None


async def test_a_source_that_dies_while_its_mirror_is_gone_is_let_go() -> None:
    async with a_world() as world:
        await world.hub_side().create(an_application(finalizers=("f.example/g",)))
        await passing(0.5)

        await world.cut()
        await world.stop("agent-1")
        await world.hub_side().delete("guestbook")
        dying = await world.spoke_side().expect("guestbook")
        await world.spoke_side().update(dying.with_metadata(finalizers=None))
        await world.spoke_side().delete("guestbook")
        await world.start_agent()
        await world.connect()

        assert await world.hub_side().get("guestbook") is None


async def test_an_agent_of_another_hub_is_not_robbed() -> None:
    async with a_world() as world:
        await three(world)

        await world.stop("principal")
        await world.cut()
        for name in ("one", "two", "three"):
            await world.hub_side().delete(name)
        await world.start_principal(uid="hub-2")
        await world.connect()

        assert await world.spoke_side().names() == {"one", "two", "three"}


@pytest.mark.feature("P-48")
@pytest.mark.parametrize("allowed", [(), ("other-*",)])
async def test_a_hub_that_does_not_admit_the_agents_namespace_deletes_nothing(allowed: tuple[str, ...]) -> None:
    async with a_world() as world:
        await three(world)

        await world.stop("principal")
        await world.cut()
        world.principal_settings["allowed_namespaces"] = allowed
        await world.start_principal()
        await world.connect()

        assert await world.spoke_side().names() == {"one", "two", "three"}


async def test_a_lost_change_heals_at_the_next_comparison() -> None:
    async with a_world(principal={"anti_entropy_interval_seconds": 300.0}) as world:
        await three(world)
        assert world.hub is not None
        hub = world.hub_side()

        await hub.update(at_path(await hub.expect("one"), "changed"))
        agent = world.hub.agents.get("agent-1")  # type: ignore[arg-type] # a name
        assert agent is not None
        agent.link.outbox.drop("application/agent-1/one")
        await passing(400.0)

        assert path_of(await world.spoke_side().expect("one")) == "changed"


@pytest.mark.feature("A-103", "C-69")
@pytest.mark.parametrize("agent_is", [None, REFERENCE])
async def test_two_streams_of_one_agent_end_with_the_newer(agent_is: PeerInfo | None) -> None:
    async with a_world() as world:
        await three(world)

        await world.connect(agent_is=agent_is)
        await passing(1.0)

        assert any("took this agent's place" in ending for ending in world.endings)
        await world.hub_side().create(an_application("four"))
        await passing(0.5)
        assert "four" in await world.spoke_side().names()
