"""What an autonomous agent publishes never takes the place of what is another's, whatever it is called."""

import pytest

from argocd_agent.protocol.names import ANNOTATION_SOURCE_UID
from argocd_agent.resources.kinds import APPPROJECTS
from tests.support.objects import a_project, an_application
from tests.support.world import Side, a_world, passing

SHORT, LONG = "agent", "agent-b"


@pytest.mark.feature("C-60")
async def test_of_two_projects_with_one_name_on_the_hub_the_first_stays() -> None:
    async with a_world(SHORT, LONG, autonomous=(SHORT, LONG)) as world:
        theirs = await world.spoke_side(LONG, APPPROJECTS).create(a_project("c"))
        await passing(1.0)
        shown = await world.hub_home(APPPROJECTS).expect("agent-b-c")

        await world.spoke_side(SHORT, APPPROJECTS).create(a_project("b-c"))
        await passing(5.0)

        assert await world.hub_home(APPPROJECTS).expect("agent-b-c") == shown
        assert shown.annotations[ANNOTATION_SOURCE_UID] == theirs.uid
        await world.spoke_side(SHORT, APPPROJECTS).delete("b-c")
        await passing(5.0)
        assert await world.hub_home(APPPROJECTS).expect("agent-b-c") == shown


@pytest.mark.feature("C-60")
async def test_a_project_of_the_hubs_own_is_neither_overwritten_nor_deleted() -> None:
    async with a_world(SHORT, autonomous=(SHORT,)) as world:
        own = await world.hub_home(APPPROJECTS).create(a_project("agent-team"))
        await passing(0.5)

        await world.spoke_side(SHORT, APPPROJECTS).create(a_project("team"))
        await passing(2.0)
        await world.spoke_side(SHORT, APPPROJECTS).delete("team")
        await passing(2.0)

        assert await world.hub_home(APPPROJECTS).expect("agent-team") == own


@pytest.mark.feature("C-60")
async def test_where_applications_are_mapped_by_destination_another_agents_is_not_overwritten() -> None:
    settings = {"destination_based_mapping": True, "allowed_namespaces": ("*",)}
    async with a_world("auto", "managed", autonomous=("auto",), principal=settings) as world:
        other = Side(world.hub_cluster, "auto")
        own = await other.create(an_application(destination={"name": "managed", "namespace": "default"}))
        await passing(1.0)

        await world.spoke_side("auto").create(an_application(path="elsewhere"))
        await passing(2.0)

        assert (await other.expect("guestbook")).fields["spec"] == own.fields["spec"]
        assert ANNOTATION_SOURCE_UID not in (await other.expect("guestbook")).annotations
