"""An autonomous agent and its hub, apart for a while, with changes on both sides: then the hub is as the spoke."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from argocd_agent.codec import encode
from argocd_agent.demo.faults import Link
from argocd_agent.protocol.names import ANNOTATION_REFRESH
from argocd_agent.resources.objects import Object
from tests.support.applications import (
    FINALIZER,
    Applications,
    Objects,
    revision_of,
    source_of,
    status_of,
    synced,
    with_path,
)
from tests.support.clusters import RealClusters
from tests.support.pairs import AUTONOMOUS, Pair, linked

SYNC = {"sync": {"revision": "r5"}}
PLAIN = ("changed", "reported", "deleted", "remade", "edited", "lost", "asked", "refreshed")


@dataclass
class Scene:
    """Both sides, and what is between them."""

    pair: Pair
    link: Link
    hub: Applications
    spoke: Applications

    async def settled(self) -> None:
        """Applications on the spoke, shown on the hub."""
        for name in PLAIN:
            await self.spoke.create(name, path="one")
        await self.spoke.create("held", path="one", finalizers=(FINALIZER,))
        await self.equal({*PLAIN, "held"})

    async def equal(self, names: set[str]) -> None:
        """Wait until the hub shows exactly *names*, each as it is on the spoke."""
        wanted = {name: _kept(await self.spoke.get(name)) for name in names}
        await self.hub.until_all(lambda found: {n: _shown(o) for n, o in found.items()} == wanted, "as on the spoke")

    async def cut(self) -> None:
        """The link is cut, and both know it."""
        self.link.cut()
        await asyncio.to_thread(self.pair.agent.until_not_ready, "connection to the principal")
        await asyncio.to_thread(self.pair.principal.until_said, "An agent disconnected", self.pair.spoke.agent)

    async def restore(self) -> None:
        self.link.restore()

    async def kill_principal(self) -> None:
        self.pair.principal.kill()

    async def start_principal(self) -> None:
        self.pair.start_principal()

    async def stop_agent(self) -> None:
        self.pair.agent.stop()

    async def start_agent(self) -> None:
        self.pair.start_agent()

    async def kill_both(self) -> None:
        self.pair.end()

    async def start_both(self) -> None:
        self.pair.start_principal()
        self.pair.start_agent()


@asynccontextmanager
async def a_scene(clusters: RealClusters) -> AsyncIterator[Scene]:
    """A principal and an autonomous agent on a link."""
    async with (
        linked(clusters[0].kubeconfig, clusters[1].kubeconfig, agent=AUTONOMOUS) as (pair, link),
        pair.open() as (hub, spoke),
    ):
        yield Scene(pair, link, hub, spoke)


def _kept(own: Object) -> tuple[object, ...]:
    """What the hub has to show of *own*."""
    spec = {name: value for name, value in own.look("spec").items() if name not in ("project", "destination")}
    return own.uid, spec, own.labels, own.metadata.finalizers, status_of(own)


def _shown(copy: Object) -> tuple[object, ...]:
    """What the hub shows of it."""
    return source_of(copy), *_kept(copy)[1:]


async def meanwhile_on_the_spoke(spoke: Applications) -> set[str]:
    """What a busy spoke does; the names that are left."""
    await spoke.change("changed", with_path("two"))
    await spoke.change("reported", synced("r1"))
    await spoke.delete("deleted")
    await spoke.delete("remade")
    await spoke.create("remade", path="two")
    await spoke.create("new", path="two")
    return {*PLAIN, "held", "new"} - {"deleted"}


async def meanwhile_on_the_hub(hub: Applications) -> None:
    """What users of the hub do, allowed or not."""
    await hub.change("edited", with_path("wrong"))
    await hub.delete("lost")
    await hub.delete("held")
    await hub.change("asked", lambda obj: obj.with_fields({"operation": encode(SYNC)}))
    await hub.change("refreshed", lambda obj: obj.with_annotations({ANNOTATION_REFRESH: "hard"}))


Step = Callable[[Scene], Awaitable[None]]


@pytest.mark.feature("P-64", "P-65", "P-67", "P-68", "P-69", "A-16", "A-54", "C-12", "C-13", "C-14", "C-65", "C-66")
@pytest.mark.parametrize(
    ("part", "join"),
    [
        pytest.param(Scene.cut, Scene.restore, id="link cut"),
        pytest.param(Scene.kill_principal, Scene.start_principal, id="principal down"),
        pytest.param(Scene.stop_agent, Scene.start_agent, id="agent down"),
        pytest.param(Scene.kill_both, Scene.start_both, id="both down"),
    ],
)
async def test_after_changes_on_both_sides_the_hub_is_as_the_spoke(
    clusters: RealClusters, part: Step, join: Step
) -> None:
    async with a_scene(clusters) as scene:
        await scene.settled()

        await part(scene)
        left = await meanwhile_on_the_spoke(scene.spoke)
        await meanwhile_on_the_hub(scene.hub)
        await join(scene)
        asked = await scene.spoke.until("asked", lambda obj: "operation" in obj.fields, "the operation")
        refreshed = await scene.spoke.until("refreshed", lambda obj: ANNOTATION_REFRESH in obj.annotations, "refresh")
        await scene.equal(left)

    assert asked.look("operation") == SYNC
    assert refreshed.annotations == {ANNOTATION_REFRESH: "hard"}


@pytest.mark.feature("P-68", "P-69", "C-12", "C-65")
@pytest.mark.parametrize("is_restarted", [False, True])
async def test_the_hub_is_put_right_while_the_agent_is_away(clusters: RealClusters, is_restarted: bool) -> None:
    async with a_scene(clusters) as scene:
        await scene.settled()
        await scene.stop_agent()
        if is_restarted:
            await scene.kill_principal()
            await scene.start_principal()
            await asyncio.to_thread(scene.pair.principal.until_ready)

        await meanwhile_on_the_hub(scene.hub)

        await scene.equal({*PLAIN, "held"})


async def _passes(scene: Scene, name: str) -> None:
    """Whatever else was to be done by now has had its turn: a later Application is there, and so is a wish for it."""
    await scene.spoke.create(name)
    await scene.hub.until_there(name)
    await scene.hub.change(name, lambda obj: obj.with_annotations({ANNOTATION_REFRESH: "normal"}))
    await scene.spoke.until(name, lambda obj: ANNOTATION_REFRESH in obj.annotations, "the refresh")
    await scene.spoke.change(name, synced("last"))
    await scene.hub.until(name, _is_last, "the status")


def _is_last(obj: Object) -> bool:
    return revision_of(obj) == "last"


@pytest.mark.feature("C-66")
async def test_at_rest_nothing_is_written_on_either_side_also_after_restarts_and_cuts(clusters: RealClusters) -> None:
    async with a_scene(clusters) as scene:
        await scene.settled()
        sides: tuple[Objects, ...] = (scene.hub, scene.spoke)
        since = [await side.version() for side in sides]

        await scene.kill_both()
        await scene.start_both()
        await _passes(scene, "later-1")
        await scene.cut()
        await scene.restore()
        await _passes(scene, "later-2")

        written: list[Any] = [
            await side.changed_since(version, "later-2", _is_last) for side, version in zip(sides, since, strict=True)
        ]
    assert written == [{"later-1", "later-2"}] * 2
