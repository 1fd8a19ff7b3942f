"""Where an autonomous agent's objects arrive on the hub, and which of them do."""

from typing import Any

import pytest

from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import CONDITION_REFUSED, LABEL_IGNORE_SYNC
from argocd_agent.resources.kinds import APPPROJECTS, NAMESPACES
from tests.support.applications import conditions_of
from tests.support.objects import a_project, an_application
from tests.support.world import World, a_world, passing

NAME = "agent-1"
AUTONOMOUS: dict[str, Any] = {"autonomous": (NAME,)}
CREATES = {
    "namespace_create_enabled": True,
    "namespace_create_pattern": "^agent-",
    "namespace_create_labels": (("team", "edge"),),
}


async def lose_its_namespace(world: World) -> None:
    await world.hub_cluster.delete(NAMESPACES, "", NAME)
    await passing(1.0)


@pytest.mark.feature("P-70", "C-22")
async def test_the_first_application_of_an_agent_makes_its_namespace() -> None:
    async with a_world(**AUTONOMOUS, is_up=False, principal=CREATES) as world:
        await lose_its_namespace(world)
        await world.start_principal()
        await world.start_agent()
        await world.connect()

        await world.spoke_side().create(an_application())
        await passing(1.0)

        assert await world.hub_side().names() == {"guestbook"}
        assert (await world.hub_cluster.get(NAMESPACES, "", NAME)).labels["team"] == "edge"


@pytest.mark.feature("P-70", "C-22")
async def test_where_the_pattern_does_not_fit_the_application_on_the_spoke_says_so() -> None:
    principal = CREATES | {"namespace_create_pattern": "^edge-"}
    async with a_world(**AUTONOMOUS, is_up=False, principal=principal) as world:
        await lose_its_namespace(world)
        await world.start_principal()
        await world.start_agent()
        await world.connect()

        await world.spoke_side().create(an_application())
        await passing(1.0)

        refused = conditions_of(await world.spoke_side().expect("guestbook"))[CONDITION_REFUSED]
        assert "--namespace-create-pattern" in refused
        assert await world.hub_side().names() == set()


@pytest.mark.feature("P-40")
async def test_an_agent_whose_namespace_goes_loses_its_session() -> None:
    async with a_world() as world:
        assert world.hub is not None

        await lose_its_namespace(world)

        assert any("its namespace is gone" in ending for ending in world.endings)
        assert world.hub.agents.get(AgentName(NAME)) is None


@pytest.mark.feature("A-65", "C-16")
async def test_only_what_the_label_selector_of_the_agent_chooses_is_shown() -> None:
    async with a_world(**AUTONOMOUS, agent={"label_selector": "tier=web"}) as world:
        for name, labels in (("chosen", {"tier": "web"}), ("other", {"tier": "db"}), ("bare", None)):
            await world.spoke_side().create(an_application(name, labels=labels))
            await world.spoke_side(api=APPPROJECTS).create(a_project(name, labels=labels))
        await passing(1.0)

        assert await world.hub_side().names() == {"chosen"}
        assert await world.hub_home(APPPROJECTS).names() == {f"{NAME}-chosen"}


@pytest.mark.feature("A-64", "C-15")
async def test_a_project_that_is_labelled_on_the_spoke_is_not_shown_until_the_label_goes() -> None:
    async with a_world(**AUTONOMOUS) as world:
        spoke, hub = world.spoke_side(api=APPPROJECTS), world.hub_home(APPPROJECTS)
        made = await spoke.create(a_project(labels={LABEL_IGNORE_SYNC: "true"}))
        await passing(1.0)
        assert await hub.names() == set()

        for value in ("false", "True"):
            made = await spoke.update(made.with_metadata(labels={LABEL_IGNORE_SYNC: value}))
            await passing(1.0)
            assert await hub.names() == {f"{NAME}-team"}

        await spoke.update(made.with_metadata(labels={LABEL_IGNORE_SYNC: "true"}))
        await passing(1.0)
        assert await hub.names() == set()


@pytest.mark.parametrize("where", ["mirror", "view"])
async def test_the_label_on_a_copy_is_taken_off_again(where: str) -> None:
    async with a_world(autonomous=(NAME,) if where == "view" else ()) as world:
        source, copy = world.hub_side(), world.spoke_side()
        if where == "view":
            source, copy = copy, source
        await source.create(an_application(labels={"tier": "web"}))
        await passing(1.0)

        held = await copy.expect("guestbook")
        await copy.update(held.with_metadata(labels={"tier": "web", LABEL_IGNORE_SYNC: "true"}))
        await passing(2.0)

        again = await copy.expect("guestbook")
        assert (again.labels, again.uid) == ({"tier": "web"}, held.uid)
