"""The brake between a hub that loses its objects and a spoke that keeps them."""

from collections.abc import Mapping
from typing import Any

import pytest

from argocd_agent.protocol.capabilities import REFERENCE
from argocd_agent.protocol.names import (
    ANNOTATION_HELD_DELETIONS,
    ANNOTATION_HELD_ORDER_PREFIX,
    ANNOTATION_SOURCE_UID,
    CONDITION_DELETION_HELD,
    CONFIGMAP_HELD_DELETIONS,
)
from argocd_agent.resources.kinds import APPPROJECTS, CONFIGMAPS, SECRETS
from tests.component.kinds.test_projects import for_agents
from tests.component.managed.unruly import unruly_spoke
from tests.support.applications import conditions_of
from tests.support.objects import an_application, at_path, path_of
from tests.support.shared import a_repository
from tests.support.world import World, a_world, passing

MANY = 40
PASS = 12  # 30 % of 40
FINALIZER = "resources-finalizer.argocd.argoproj.io"


async def many(world: World, count: int = MANY, **more: Any) -> set[str]:
    names = {f"app-{number:02}" for number in range(count)}
    for name in sorted(names):
        await world.hub_side().create(an_application(name, **more))
    await passing(2.0)
    return names


async def empty_the_hub(world: World) -> None:
    for name in sorted(await world.hub_side().names()):
        await world.hub_side().delete(name)
    await passing(3.0)


async def held_on_hub(world: World) -> Mapping[str, str]:
    found = await world.hub_home(CONFIGMAPS).get(CONFIGMAP_HELD_DELETIONS)
    return {} if found is None else found.look("data") or {}


async def order(world: World, what: str) -> None:
    found = await world.hub_home(CONFIGMAPS).expect(CONFIGMAP_HELD_DELETIONS)
    await world.hub_home(CONFIGMAPS).update(found.with_annotations({f"{ANNOTATION_HELD_ORDER_PREFIX}agent-1": what}))
    await passing(20.0)


async def test_an_emptied_hub_takes_a_third_and_the_rest_is_held_and_shown() -> None:
    async with a_world() as world:
        await many(world)

        await empty_the_hub(world)

        left = await world.spoke_side().names()
        assert len(left) == MANY - PASS
        assert '"count":28' in (await held_on_hub(world))["agent-1"]
        for name in left:
            assert CONDITION_DELETION_HELD in conditions_of(await world.spoke_side().expect(name))


@pytest.mark.parametrize("count", [10, 9])
async def test_ten_deletions_are_never_held(count: int) -> None:
    async with a_world() as world:
        await many(world, count)

        await empty_the_hub(world)

        assert await world.spoke_side().names() == set()


async def test_a_deletion_that_the_watch_has_not_shown_yet_is_not_counted_again() -> None:
    async with a_world() as world:
        names = await many(world, 10)
        spoke = await unruly_spoke(world)
        spoke.stop_showing()
        for name in sorted(names):
            await world.hub_side().delete(name)
            await passing(0.1)
            await world.hub_side().create(an_application(name, path="again"))
            await passing(0.1)

        spoke.go_on_showing()
        await passing(5.0)

        assert {path_of(await spoke.user.expect(name)) for name in names} == {"again"}
        assert await held_on_hub(world) == {}


async def test_what_is_held_stays_held_over_restarts_and_comparisons_and_is_kept_right() -> None:
    async with a_world() as world:
        await many(world)
        await empty_the_hub(world)
        left = await world.spoke_side().names()
        await world.stop("agent-1", "principal")
        await world.start_principal()
        await world.start_agent()
        await world.connect()
        await passing(700.0)

        assert await world.spoke_side().names() == left
        name = min(left)
        await world.spoke_side().update(at_path(await world.spoke_side().expect(name), "drifted"))
        await passing(1.0)
        assert path_of(await world.spoke_side().expect(name)) == "guestbook"


async def test_released_by_the_hub_they_go() -> None:
    async with a_world() as world:
        await many(world)
        await empty_the_hub(world)

        await order(world, "release")

        assert await world.spoke_side().names() == set()
        assert await held_on_hub(world) == {}


async def test_discarded_they_stay_and_are_nobodys() -> None:
    async with a_world() as world:
        await many(world)
        await empty_the_hub(world)
        left = await world.spoke_side().names()

        await order(world, "discard")
        await passing(700.0)

        assert await world.spoke_side().names() == left
        for name in left:
            own = await world.spoke_side().expect(name)
            assert ANNOTATION_SOURCE_UID not in own.annotations
            assert CONDITION_DELETION_HELD not in conditions_of(own)


async def test_an_annotation_on_the_spoke_releases_them_without_a_hub() -> None:
    async with a_world() as world:
        await many(world)
        await empty_the_hub(world)
        await world.cut()

        held = await world.spoke_side(api=CONFIGMAPS).expect(CONFIGMAP_HELD_DELETIONS)
        await world.spoke_side(api=CONFIGMAPS).update(held.with_annotations({ANNOTATION_HELD_DELETIONS: "release"}))
        await passing(20.0)

        assert await world.spoke_side().names() == set()


async def test_what_the_hub_wants_again_is_held_no_more() -> None:
    async with a_world() as world:
        names = await many(world)
        await empty_the_hub(world)

        for name in sorted(names):
            await world.hub_side().create(an_application(name, path="again"))
        await passing(30.0)
        await order(world, "release") if await held_on_hub(world) else None
        await passing(30.0)

        assert await world.spoke_side().names() == names
        assert {path_of(await world.spoke_side().expect(name)) for name in names} == {"again"}
        assert await held_on_hub(world) == {}


async def test_a_hub_restored_with_other_uids_does_not_make_everything_anew() -> None:
    async with a_world() as world:
        names = await many(world)
        await world.stop("principal")
        await world.cut()
        for name in sorted(names):
            await world.hub_side().delete(name)
            await world.hub_side().create(an_application(name, path="restored"))
        before = {name: (await world.spoke_side().expect(name)).uid for name in names}

        await world.start_principal()
        await world.connect()
        await passing(5.0)

        after = {name: (await world.spoke_side().expect(name)).uid for name in names}
        assert sum(after[name] != before[name] for name in names) == PASS

        await order(world, "release")
        await passing(60.0)
        assert {path_of(await world.spoke_side().expect(name)) for name in names} == {"restored"}


@pytest.mark.parametrize("what", ["release", "discard"])
async def test_an_application_that_waits_for_its_spoke_is_let_go_after_the_order(what: str) -> None:
    async with a_world() as world:
        await many(world, finalizers=(FINALIZER,))
        await empty_the_hub(world)
        waiting = await world.hub_side().names()
        assert len(waiting) == MANY  # nobody takes the spoke's finalizers off
        held = {
            name for name in waiting if CONDITION_DELETION_HELD in conditions_of(await world.hub_side().expect(name))
        }
        assert len(held) == MANY - PASS

        await order(world, what)

        going = {name for name in held if (await world.spoke_side().expect(name)).is_deleting}
        assert going == (held if what == "release" else set())
        assert (await world.hub_side().names()) == (waiting if what == "release" else waiting - held)


async def test_deletions_of_all_kinds_count() -> None:
    async with a_world() as world:
        await world.hub_home(APPPROJECTS).create(for_agents("agent-1"))
        for number in range(30):
            await world.hub_home(SECRETS).create(a_repository(f"repo-{number:02}"))
        await passing(2.0)

        await world.hub_home(APPPROJECTS).delete("team")
        await passing(5.0)

        assert len(await world.spoke_side(api=SECRETS).names()) > 15


async def test_with_a_hub_of_the_reference_the_rest_is_held_as_well() -> None:
    async with a_world() as world:
        await many(world)
        await world.cut()
        await world.connect(agent_is=REFERENCE)

        await empty_the_hub(world)

        assert len(await world.spoke_side().names()) == MANY - PASS
