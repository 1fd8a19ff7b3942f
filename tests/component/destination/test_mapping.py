"""Applications mapped by destination: the agent is the one they name, and the namespace is the same on both sides."""

from typing import Any

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import ANNOTATION_NAMESPACE_REMAPPED, CONDITION_REFUSED
from argocd_agent.resources.kinds import APPLICATIONS, NAMESPACES
from argocd_agent.resources.objects import Metadata, Object, new_object
from tests.support.applications import conditions_of
from tests.support.objects import an_application, at_path, path_of
from tests.support.world import HOME, Side, World, a_world, passing

SYNCED = {"sync": {"status": "Synced"}}


def by_destination(**agent: Any) -> dict[str, Any]:
    return {
        "principal": {"destination_based_mapping": True, "allowed_namespaces": ("team-*",)},
        "agent": {
            "destination_based_mapping": True,
            "allowed_namespaces": ("team-*",),
            "create_namespace": True,
            **agent,
        },
    }


def for_agent(agent: str, name: str = "guestbook", **more: Any) -> Object:
    return an_application(name, destination={"name": agent, "namespace": "default"}, **more)


async def hub_namespace(world: World, name: str) -> Side:
    await world.hub_cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=name)))
    return Side(world.hub_cluster, name)


def on_spoke(world: World, agent: str, namespace: str) -> Side:
    return Side(world.spoke_clusters[agent], namespace, APPLICATIONS)


@pytest.mark.feature("P-52", "A-67", "A-69", "C-19", "C-20")
async def test_an_application_reaches_the_agent_that_it_names_in_its_own_namespace() -> None:
    async with a_world("agent-1", "agent-2", **by_destination()) as world:
        hub = await hub_namespace(world, "team-a")
        await hub.create(for_agent("agent-1"))
        await hub.create(for_agent("agent-2", "other"))
        await passing(0.5)

        assert await on_spoke(world, "agent-1", "team-a").names() == {"guestbook"}
        assert await on_spoke(world, "agent-2", "team-a").names() == {"other"}
        mirror = await on_spoke(world, "agent-1", "team-a").expect("guestbook")
        assert mirror.look("spec")["destination"] == {"name": "in-cluster", "namespace": "default"}

        await on_spoke(world, "agent-1", "team-a").update(mirror.with_fields({"status": encode(SYNCED)}))
        await passing(0.5)
        assert (await hub.expect("guestbook")).look("status") == SYNCED


@pytest.mark.feature("P-53", "C-23")
async def test_a_new_destination_moves_it() -> None:
    async with a_world("agent-1", "agent-2", **by_destination()) as world:
        hub = await hub_namespace(world, "team-a")
        made = await hub.create(for_agent("agent-1"))
        await passing(0.5)

        wanted = for_agent("agent-2", path="moved").fields["spec"]
        await hub.update(made.with_fields({"spec": wanted}))
        await passing(0.5)

        assert await on_spoke(world, "agent-1", "team-a").names() == set()
        assert path_of(await on_spoke(world, "agent-2", "team-a").expect("guestbook")) == "moved"


@pytest.mark.feature("P-53")
@pytest.mark.parametrize("who", ["principal", "agent-1"])
async def test_a_move_while_one_side_was_down_is_followed(who: str) -> None:
    async with a_world("agent-1", "agent-2", **by_destination()) as world:
        hub = await hub_namespace(world, "team-a")
        made = await hub.create(for_agent("agent-1"))
        await passing(0.5)
        await world.stop(who)
        for agent in ("agent-1", "agent-2") if who == "principal" else ("agent-1",):
            await world.cut(agent)
        await hub.update(made.with_fields({"spec": for_agent("agent-2").fields["spec"]}))
        await passing(0.5)

        await (world.start_principal() if who == "principal" else world.start_agent())
        for agent in ("agent-1", "agent-2") if who == "principal" else ("agent-1",):
            await world.connect(agent)
        await passing(2.0)

        assert await on_spoke(world, "agent-1", "team-a").names() == set()
        assert await on_spoke(world, "agent-2", "team-a").names() == {"guestbook"}


@pytest.mark.feature("P-54")
@pytest.mark.parametrize("name", ["", "in-cluster", "nobody"])
async def test_what_is_for_the_hub_itself_or_for_nobody_is_not_sent(name: str) -> None:
    async with a_world(**by_destination()) as world:
        hub = await hub_namespace(world, "team-a")

        await hub.create(for_agent(name))
        await passing(1.0)

        assert await on_spoke(world, "agent-1", "team-a").names() == set()


@pytest.mark.feature("P-48", "A-68", "C-21")
async def test_namespaces_that_the_hub_does_not_allow_stay_at_home_and_those_of_the_agent_are_refused() -> None:
    async with a_world(**by_destination(allowed_namespaces=("/^team-[ab]$/",))) as world:
        for namespace in ("else", "team-c", "team-b"):
            await (await hub_namespace(world, namespace)).create(for_agent("agent-1"))
        await passing(1.0)

        for namespace in ("else", "team-c"):
            assert await on_spoke(world, "agent-1", namespace).names() == set()
        assert await on_spoke(world, "agent-1", "team-b").names() == {"guestbook"}
        refused = await Side(world.hub_cluster, "team-c").expect("guestbook")
        assert "--allowed-namespaces" in conditions_of(refused)[CONDITION_REFUSED]


@pytest.mark.feature("A-69", "C-20")
async def test_a_missing_namespace_is_said_and_waited_for() -> None:
    async with a_world(**by_destination(create_namespace=False)) as world:
        hub = await hub_namespace(world, "team-a")
        await hub.create(for_agent("agent-1"))
        await passing(1.0)
        assert "--create-namespace" in conditions_of(await hub.expect("guestbook"))[CONDITION_REFUSED]

        spoke = world.spoke_clusters["agent-1"]
        await spoke.create(NAMESPACES, new_object(NAMESPACES, Metadata(name="team-a")))
        await passing(60.0)

        assert await on_spoke(world, "agent-1", "team-a").names() == {"guestbook"}
        assert CONDITION_REFUSED not in conditions_of(await hub.expect("guestbook"))


@pytest.mark.feature("P-52", "C-66")
@pytest.mark.parametrize("who", ["principal", "agent-1"])
async def test_namespaces_count_when_both_sides_are_compared(who: str) -> None:
    async with a_world(**by_destination()) as world:
        sides = {}
        for namespace in ("team-a", "team-b"):
            sides[namespace] = await hub_namespace(world, namespace)
            for name in ("goes", "changes"):
                await sides[namespace].create(for_agent("agent-1", name))
        await Side(world.hub_cluster, HOME).create(for_agent("agent-1", "home"))
        await passing(0.5)
        await world.stop(who)
        await world.cut()
        await sides["team-a"].delete("goes")
        await sides["team-b"].update(at_path(await sides["team-b"].expect("changes"), "new"))
        await sides["team-b"].create(for_agent("agent-1", "comes"))

        await (world.start_principal() if who == "principal" else world.start_agent())
        await world.connect()
        await passing(2.0)

        assert await on_spoke(world, "agent-1", "team-a").names() == {"changes"}
        assert await on_spoke(world, "agent-1", "team-b").names() == {"goes", "changes", "comes"}
        assert path_of(await on_spoke(world, "agent-1", "team-b").expect("changes")) == "new"
        assert await on_spoke(world, "agent-1", HOME).names() == {"home"}


async def test_at_rest_nothing_differs() -> None:
    async with a_world(**by_destination()) as world:
        hub = await hub_namespace(world, "team-a")
        await hub.create(for_agent("agent-1"))
        await Side(world.hub_cluster, HOME).create(for_agent("agent-1", "home"))
        await passing(5.0)
        sides = [
            (hub, "guestbook"),
            (on_spoke(world, "agent-1", "team-a"), "guestbook"),
            (on_spoke(world, "agent-1", HOME), "home"),
        ]
        before = [(await side.expect(name)).version for side, name in sides]

        await world.cut()
        await world.connect()
        await passing(700.0)

        assert [(await side.expect(name)).version for side, name in sides] == before
        assert world.hub is not None
        agent = world.hub.agents.get(AgentName("agent-1"))
        assert agent is not None
        assert agent.link.outbox.is_idle


@pytest.mark.feature("P-55", "A-67")
async def test_the_hubs_own_namespace_becomes_the_agents_home_and_statuses_find_back() -> None:
    async with a_world(**by_destination(), spoke_home="argocd-spoke") as world:
        hub = Side(world.hub_cluster, HOME)
        await hub.create(for_agent("agent-1"))
        await passing(0.5)
        spoke = on_spoke(world, "agent-1", "argocd-spoke")
        mirror = await spoke.expect("guestbook")
        assert mirror.annotations[ANNOTATION_NAMESPACE_REMAPPED] == "true"

        await spoke.update(mirror.with_fields({"status": encode(SYNCED)}))
        await passing(0.5)

        shown = await hub.expect("guestbook")
        assert shown.look("status") == SYNCED
        assert ANNOTATION_NAMESPACE_REMAPPED not in shown.annotations

        await world.stop("agent-1")
        await world.cut()
        await hub.update(at_path(shown, "new"))
        await world.start_agent()
        await world.connect()
        await passing(2.0)
        assert path_of(await spoke.expect("guestbook")) == "new"
