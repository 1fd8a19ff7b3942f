"""How long until a change is on the other side, one at a time: the next is written when the last has arrived."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from argocd_agent.backends.ports import PatchType
from argocd_agent.resources.kinds import APPLICATIONS
from bench import load
from bench.applications import LARGE_BYTES, application, spec_patch, status_patch
from bench.figures import Figure, latencies
from bench.routes import Route
from bench.world import World

SAMPLES, ROUNDS = 1000, 10
_CHANGED = 100  # Applications that updates and statuses take turns on

Once = Callable[[Route, int], Awaitable[float]]


async def create(world: World) -> list[Figure]:
    """Applications of 8 KB, hub to spoke."""
    for route in (world.ours, world.floor):
        await world.within(load.clear(route), "an empty hub and spoke")
    return await _alternate(world, "create", _create)


async def update(world: World) -> list[Figure]:
    """A new revision, hub to spoke."""
    await _fill(world)
    return await _alternate(world, "update", _update)


async def status(world: World) -> list[Figure]:
    """A status after a sync, spoke to hub."""
    await _fill(world)
    return await _alternate(world, "status", _status)


async def _fill(world: World) -> None:
    for route in (world.ours, world.floor):
        await world.within(load.clear(route), "an empty hub and spoke")
        made = [application(route.hub.namespace, name, LARGE_BYTES, labels=route.labels) for name in _names()]
        await world.within(load.create_all(route, made), "Applications to be there")


async def _alternate(world: World, row: str, once: Once) -> list[Figure]:
    """Rounds of the relay's and ours in turn, after one of each that does not count."""
    samples: dict[str, list[float]] = {world.ours.name: [], world.floor.name: []}
    per_round = world.count(SAMPLES) // ROUNDS
    for number in range(ROUNDS + 1):
        for route in (world.floor, world.ours):
            for step in range(per_round):
                seconds = await world.within(once(route, number * per_round + step), f"{row} {step} of {route.name}")
                if number:
                    samples[route.name].append(seconds)
    return latencies(row, samples[world.ours.name], samples[world.floor.name])


async def _create(route: Route, number: int) -> float:
    name = f"one-{number:05d}"
    made = application(route.hub.namespace, name, LARGE_BYTES, labels=route.labels)
    seen = route.spoke.arrivals.expect((route.spoke.namespace, name))
    return await _measured(route.hub.cluster.create(APPLICATIONS, made), seen)


async def _update(route: Route, number: int) -> float:
    revision, name = load.next_marker(), _names()[number % _CHANGED]
    seen = route.spoke.arrivals.expect((route.spoke.namespace, name), "spec", revision)
    patch = spec_patch(revision)
    written = route.hub.cluster.patch(APPLICATIONS, route.hub.namespace, name, patch, PatchType.MERGE)
    return await _measured(written, seen)


async def _status(route: Route, number: int) -> float:
    revision, name = load.next_marker(), _names()[number % _CHANGED]
    seen = route.hub.arrivals.expect((route.hub.namespace, name), "status", revision)
    patch = status_patch(revision)
    written = route.spoke.cluster.patch(APPLICATIONS, route.spoke.namespace, name, patch, PatchType.MERGE)
    return await _measured(written, seen)


async def _measured(write: Awaitable[object], seen: asyncio.Future[float]) -> float:
    """From the moment the write is sent, which is when its user begins to wait."""
    began = time.perf_counter()
    await write
    return await seen - began


def _names() -> list[str]:
    return load.names(_CHANGED)
