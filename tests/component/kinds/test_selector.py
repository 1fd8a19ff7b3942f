"""`--label-selector` of the agent: what it does not choose does not come, and the hub says why."""

from typing import Any

import pytest

from argocd_agent.protocol.names import ANNOTATION_REFUSED, CONDITION_REFUSED
from argocd_agent.resources.kinds import APPPROJECTS
from tests.support.applications import conditions_of
from tests.support.objects import a_project, an_application, at_path, path_of
from tests.support.world import a_world, passing

CHOSEN = {"tier": "web"}
WORLD: dict[str, Any] = {
    "principal": {"anti_entropy_interval_seconds": 10.0},
    "agent": {"label_selector": "tier=web", "anti_entropy_interval_seconds": 10.0},
}


@pytest.mark.feature("A-65", "C-16")
async def test_what_the_selector_does_not_choose_is_refused_until_it_is_chosen() -> None:
    async with a_world(**WORLD) as world:
        made = await world.hub_side().create(an_application())
        await passing(0.5)
        told = await world.hub_side().expect("guestbook")
        assert not await world.spoke_side().names()
        assert "--label-selector chooses (tier=web), found none" in conditions_of(told)[CONDITION_REFUSED]

        await world.hub_side().update(told.with_metadata(labels=CHOSEN))
        await passing(0.5)
        assert await world.spoke_side().names() == {made.name}
        assert CONDITION_REFUSED not in conditions_of(await world.hub_side().expect("guestbook"))


@pytest.mark.feature("A-65", "C-16")
async def test_a_mirror_whose_source_is_no_longer_chosen_stays_as_it_was_and_goes_when_the_source_goes() -> None:
    async with a_world(**WORLD) as world:
        made = await world.hub_side().create(an_application(labels=CHOSEN, path="one"))
        await passing(0.5)

        await world.hub_side().update(at_path(made, "two").with_metadata(labels={"tier": "db"}))
        await passing(30.0)
        told = await world.hub_side().expect("guestbook")
        mirror = await world.spoke_side().expect("guestbook")
        assert (path_of(mirror), mirror.labels) == ("one", CHOSEN)
        assert "found tier=db" in conditions_of(told)[CONDITION_REFUSED]

        await world.hub_side().delete("guestbook")
        await passing(0.5)
        assert not await world.spoke_side().names()


@pytest.mark.feature("A-65")
async def test_other_kinds_are_refused_alike() -> None:
    async with a_world(**WORLD) as world:
        hub = world.hub_home(APPPROJECTS)
        await hub.create(a_project())
        await passing(0.5)

        told = await hub.expect("team")
        assert not await world.spoke_side(api=APPPROJECTS).names()
        assert "found none" in told.annotations[ANNOTATION_REFUSED]
