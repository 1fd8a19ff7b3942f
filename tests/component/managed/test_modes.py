"""An agent that was started in the wrong mode and is put right."""

from tests.support.objects import an_application, at_path, path_of
from tests.support.world import a_world, passing


async def test_what_the_hub_says_reaches_an_agent_that_was_autonomous_for_a_while() -> None:
    async with a_world() as world:
        await world.hub_side().create(an_application())
        await passing(1.0)
        before = await world.spoke_side().expect("guestbook")
        for autonomous in (frozenset({"agent-1"}), frozenset[str]()):
            await world.stop("agent-1")
            await world.cut()
            world.autonomous = autonomous
            await world.start_agent()
            await world.connect()
            await passing(5.0)

        shown = await world.hub_side().expect("guestbook")
        mirror = await world.spoke_side().expect("guestbook")
        assert mirror.look("spec")["project"] == shown.look("spec")["project"]
        await world.hub_side().update(at_path(shown, "newer"))
        await passing(1.0)

        mirror = await world.spoke_side().expect("guestbook")
        assert (mirror.uid, path_of(mirror)) == (before.uid, "newer")


async def test_an_agent_in_the_wrong_mode_does_not_overwrite_the_sources_of_its_mirrors() -> None:
    async with a_world() as world:
        made = await world.hub_side().create(an_application())
        await passing(1.0)
        await world.stop("agent-1")
        await world.cut()
        world.autonomous = frozenset({"agent-1"})
        await world.start_agent()
        await world.connect()
        await passing(5.0)

        assert (await world.hub_side().expect("guestbook")).fields == made.fields
        await world.spoke_side().delete("guestbook")
        await passing(5.0)
        assert (await world.hub_side().expect("guestbook")).fields == made.fields
