"""Putting mirrors right while other things happen: newer orders, slow writes, odd annotations, many names."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable

import pytest

from argocd_agent.backends.embedded import open_memory
from argocd_agent.backends.ports import Scope
from argocd_agent.peer.apply import Applier
from argocd_agent.peer.mirroring import Copies, Mirroring
from argocd_agent.peer.mirrors import Key
from argocd_agent.peer.observe import Observer
from argocd_agent.protocol.names import ANNOTATION_NEXT_OPERATION
from argocd_agent.resources import copies
from argocd_agent.resources.kinds import APPLICATION, APPLICATIONS
from argocd_agent.resources.objects import Object
from tests.component.managed.unruly import Unruly, unruly_spoke
from tests.support.objects import a_mirror, an_application, at_path, path_of
from tests.support.world import HOME, a_world, passing

REMEMBERED = 1100  # a little more than 1,024, and those of the last minute


@contextlib.asynccontextmanager
async def paths_seen(spoke: Unruly) -> AsyncIterator[list[str]]:
    """The paths that the only Application of *spoke* goes through."""
    paths: list[str] = []

    observer = Observer(spoke.cluster, APPLICATIONS, Scope(HOME), lambda change: paths.append(path_of(change.object)))
    task = asyncio.create_task(observer.run())
    await passing(0.1)
    yield paths
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def a_mirroring(held: dict[Key, Object]) -> AsyncIterator[tuple[Mirroring, asyncio.Task[None]]]:
    """The mirrors of a spoke that shows *held*, and the task that puts them right."""
    applier = Applier(open_memory(), APPLICATIONS, 8, until_gone=_never_gone, shown=held.get)
    clock = asyncio.get_running_loop().time
    row = copies.APPLICATIONS
    kept = Copies(APPLICATION, row.content, row.with_content)
    mirroring = Mirroring(kept, applier, held, clock, is_settled=lambda: True)
    task = asyncio.create_task(mirroring.run())
    await passing(0.1)
    yield mirroring, task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _never_gone(_: str) -> None:
    await asyncio.get_running_loop().create_future()


def after(turns: int, work: Callable[[], None]) -> None:
    """Do *work* in the loop's turn after so many."""
    if turns:
        asyncio.get_running_loop().call_soon(after, turns - 1, work)
    else:
        work()


async def test_a_repair_that_comes_late_does_not_bring_back_the_old_specification() -> None:
    async with a_world() as world:
        await world.hub_side().create(an_application(path="old"))
        await passing(1.0)
        spoke = await unruly_spoke(world)
        async with paths_seen(spoke) as paths:
            late = spoke.holding["guestbook"] = asyncio.Event()
            await spoke.user.update(at_path(await spoke.user.expect("guestbook"), "drifted"))
            await passing(1.0)
            assert spoke.writes == [("update", "guestbook")]  # the repair, on its way
            spoke.holding.clear()

            await world.hub_side().update(at_path(await world.hub_side().expect("guestbook"), "new"))
            await passing(1.0)
            late.set()
            await passing(5.0)

            assert paths[-2:] == ["drifted", "new"]


async def test_a_repair_that_comes_late_does_not_bring_back_what_the_hub_deleted() -> None:
    async with a_world() as world:
        await world.hub_side().create(an_application())
        await passing(1.0)
        spoke = await unruly_spoke(world)
        late = spoke.holding["guestbook"] = asyncio.Event()
        await spoke.user.update(at_path(await spoke.user.expect("guestbook"), "drifted"))
        await passing(1.0)
        assert spoke.writes == [("update", "guestbook")]  # the repair, on its way
        spoke.holding.clear()

        await world.hub_side().delete("guestbook")
        await passing(1.0)
        late.set()
        await passing(60.0)

        assert await spoke.user.names() == set()
        assert ("create", "guestbook") not in spoke.writes


async def test_a_repair_that_hangs_holds_up_no_other() -> None:
    async with a_world() as world:
        for name in ("one", "two"):
            await world.hub_side().create(an_application(name))
        await passing(1.0)
        spoke = await unruly_spoke(world)
        hanging = spoke.holding["one"] = asyncio.Event()

        for name in ("one", "two"):
            await spoke.user.update(at_path(await spoke.user.expect(name), "drifted"))
            await passing(1.0)

        assert path_of(await spoke.user.expect("one")) == "drifted"
        assert path_of(await spoke.user.expect("two")) == "guestbook"
        hanging.set()
        await passing(1.0)
        assert path_of(await spoke.user.expect("one")) == "guestbook"


@pytest.mark.parametrize("annotation", ["not json", "[]", '"text"', '{"number":1e999}'])
async def test_an_odd_next_operation_ends_nothing_and_hides_no_drift(annotation: str) -> None:
    async with a_world() as world:
        for name in ("one", "two"):
            await world.hub_side().create(an_application(name))
        await passing(1.0)
        spoke = world.spoke_side()

        odd = (await spoke.expect("one")).with_annotations({ANNOTATION_NEXT_OPERATION: annotation})
        await spoke.update(at_path(odd, "drifted"))
        await spoke.update(at_path(await spoke.expect("two"), "drifted"))
        await passing(5.0)

        assert not world.running["agent-1"].done()
        assert path_of(await spoke.expect("one")) == "guestbook"
        assert path_of(await spoke.expect("two")) == "guestbook"
        assert "operation" not in (await spoke.expect("one")).fields


@pytest.mark.parametrize("turns", range(8))
async def test_a_mirror_that_goes_while_its_repair_begins_ends_nothing(turns: int) -> None:
    mirror = a_mirror()
    async with a_mirroring({mirror.key: mirror}) as (mirroring, task):
        mirroring.mirrors.adopt(mirror)

        def change_and_go() -> None:
            mirroring.check(mirror)
            mirroring.mirrors.expect(mirror.key, None)

        mirroring.check(mirror)
        after(turns, change_and_go)
        await passing(5.0)

        assert not task.done()


async def test_names_that_drifted_once_are_forgotten() -> None:
    held: dict[Key, Object] = {}
    async with a_mirroring(held) as (mirroring, _):
        for number in range(1500):
            mirror = a_mirror(f"preview-{number}")
            mirroring.mirrors.adopt(mirror)
            held[mirror.key] = mirror
            mirroring.check(mirror)
            await passing(2.0)
            mirroring.mirrors.expect(mirror.key, None)
            del held[mirror.key]

        remembered = [one for one in gc.get_objects() if type(one) is Object and one.name.startswith("preview-")]

        assert len(remembered) < REMEMBERED
