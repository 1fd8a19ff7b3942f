"""What we have written counts at once, also before the watch shows it."""

from tests.component.managed.unruly import unruly_spoke
from tests.support.objects import an_application, at_path, path_of
from tests.support.world import a_world, passing


async def test_a_deletion_right_after_the_creation_deletes() -> None:
    async with a_world() as world:
        spoke = await unruly_spoke(world)
        spoke.stop_showing()
        await world.hub_side().create(an_application())
        await passing(0.5)
        assert await spoke.user.names() == {"guestbook"}

        await world.hub_side().delete("guestbook")
        await passing(0.5)
        assert await spoke.user.names() == set()
        spoke.go_on_showing()
        await passing(60.0)

        assert await spoke.user.names() == set()


async def test_a_change_straight_back_to_what_the_watch_last_showed_is_written() -> None:
    async with a_world() as world:
        spoke = await unruly_spoke(world)
        created = await world.hub_side().create(an_application(path="first"))
        await passing(0.5)
        spoke.stop_showing()
        changed = await world.hub_side().update(at_path(created, "second"))
        await passing(0.5)
        assert path_of(await spoke.user.expect("guestbook")) == "second"

        await world.hub_side().update(at_path(changed, "first"))
        await passing(0.5)
        assert path_of(await spoke.user.expect("guestbook")) == "first"
        spoke.go_on_showing()
        await passing(60.0)

        assert path_of(await spoke.user.expect("guestbook")) == "first"


async def test_several_changes_before_the_watch_shows_the_first_need_no_second_attempt() -> None:
    async with a_world() as world:
        spoke = await unruly_spoke(world)
        current = await world.hub_side().create(an_application(path="0"))
        await passing(0.5)
        spoke.stop_showing()
        spoke.writes.clear()

        for path in ("1", "2", "3"):
            current = await world.hub_side().update(at_path(current, path))
            await passing(0.2)

        assert path_of(await spoke.user.expect("guestbook")) == "3"
        assert spoke.writes == [("update", "guestbook")] * 3


async def test_what_a_user_deletes_right_after_our_write_comes_back() -> None:
    async with a_world() as world:
        spoke = await unruly_spoke(world)
        created = await world.hub_side().create(an_application(path="first"))
        await passing(0.5)
        spoke.stop_showing()
        await world.hub_side().update(at_path(created, "second"))
        await passing(0.5)

        await spoke.user.delete("guestbook")
        spoke.go_on_showing()
        await passing(60.0)

        assert path_of(await spoke.user.expect("guestbook")) == "second"
