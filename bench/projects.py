"""How long one edit of an AppProject needs to all of twenty agents, among five hundred projects that all of them have.

The agents share a process (see `crowd`): their own work is done one after the other, which makes this an upper bound.
The floor writes as many copies, in one namespace.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from argocd_agent.backends.kubernetes import KubernetesCluster
from argocd_agent.backends.ports import PatchType
from argocd_agent.demo.setup import NAMESPACE
from argocd_agent.resources.kinds import APPPROJECTS
from bench import load
from bench.appprojects import appproject, names, project_patch
from bench.copier import Copier, copying
from bench.figures import Figure, latencies, percentile
from bench.processes import Process
from bench.routes import Arrivals, Key, watched
from bench.world import COPIES, FLEET, World, fleet_name

PROJECTS, AGENTS = 500, 20
EDITS, ROUNDS = 200, 10
_OF_FLOOR = 10  # projects that its edits take turns on
_EVERY_COPY_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class _Side:
    """Where a project is edited, and where it is then seen."""

    hub: KubernetesCluster
    namespace: str
    names: Sequence[str]
    places: Callable[[str], Sequence[Key]]
    spoke: Arrivals

    async def edit(self, number: int) -> list[float]:
        """Seconds until each place shows an edit of a project."""
        name, revision = self.names[number % len(self.names)], load.next_marker()
        seen = [self.spoke.expect(place, "spec", revision) for place in self.places(name)]
        began = time.perf_counter()
        await self.hub.patch(APPPROJECTS, self.namespace, name, project_patch(revision), PatchType.MERGE)
        return [at - began for at in await asyncio.gather(*seen)]

    async def fill(self) -> None:
        """Make the projects, for agents that may yet have to come."""
        made = [appproject(self.namespace, name, f"{FLEET}-*", load.next_marker()) for name in self.names]
        await load.at_once(partial(self.hub.create, APPPROJECTS, obj) for obj in made)

    async def all_seen(self, began: float) -> float:
        """Seconds since *began* until all projects are in all their places."""
        seen = [self.spoke.expect(place) for name in self.names for place in self.places(name)]
        return max(await asyncio.gather(*seen)) - began

    async def clear(self, spoke: KubernetesCluster) -> None:
        """Delete the projects, and their copies."""
        await load.at_once(partial(self.hub.delete, APPPROJECTS, self.namespace, name) for name in self.names)
        places = [place for name in self.names for place in self.places(name) if place in self.spoke.present]
        await load.at_once(partial(spoke.delete, APPPROJECTS, *place) for place in places)


async def measure(world: World) -> list[Figure]:
    """Agents that come to five hundred projects, then edits of one at a time, alternating with the floor's."""
    await world.within(load.clear(world.ours), "an empty hub and spoke")
    agents = [fleet_name(number) for number in range(AGENTS)]
    await world.give_names(agents)
    async with _two_sides(world, agents) as (ours, floor):
        await world.within(ours.fill(), "AppProjects to be made")
        await world.settle()
        before = world.principal.cpu_seconds()
        crowd = await world.start_crowd(agents)
        joined = await world.within(ours.all_seen(crowd.started), "all projects at all agents", _EVERY_COPY_SECONDS)
        await world.settle(5.0)
        cost = [crowd.cpu_seconds(), world.principal.cpu_seconds() - before]
        figures = [
            Figure("projects", "all at all agents", "s", joined),
            Figure("projects", "all: CPU of the principal", "s", cost[1]),
            Figure("projects", "all: CPU of the agents", "s", cost[0]),
            *await _edits(world, crowd, ours, floor),
        ]
        await crowd.stop()
        await world.within(ours.clear(world.on_spoke), "no projects", _EVERY_COPY_SECONDS)
        await world.within(floor.clear(world.on_spoke), "no projects of the floor")
    return figures


async def _edits(world: World, crowd: Process, ours: _Side, floor: _Side) -> list[Figure]:
    """Each edit waits for the last agent. The first round does not count."""
    per_round = max(world.count(EDITS) // ROUNDS, 1)
    every: dict[bool, list[list[float]]] = {True: [], False: []}
    used = {"principal": 0.0, "agents": 0.0}
    for number in range(ROUNDS + 1):
        for side in (floor, ours):
            before = world.principal.cpu_seconds(), crowd.cpu_seconds()
            for step in range(number * per_round, (number + 1) * per_round):
                seen = await world.within(side.edit(step), "an edit to be at all agents")
                if number:
                    every[side is ours].append(seen)
            await world.settle(1.0)  # acks are part of the cost
            if number and side is ours:
                used["principal"] += world.principal.cpu_seconds() - before[0]
                used["agents"] += crowd.cpu_seconds() - before[1]
    sides = (True, False)
    last = [[max(seen) for seen in every[side]] for side in sides]
    each = [[at for seen in every[side] for at in seen] for side in sides]
    cost = [
        Figure("projects", f"edit: CPU of the {name}", "ms", s * 1000 / len(every[True])) for name, s in used.items()
    ]
    return [
        *latencies("projects", *last),
        *(
            Figure("projects", f"each copy p{percent}", "ms", *(percentile(one, percent) * 1000 for one in each))
            for percent in (50, 99)
        ),
        *cost,
    ]


@contextlib.asynccontextmanager
async def _two_sides(world: World, agents: Sequence[str]) -> AsyncIterator[tuple[_Side, _Side]]:
    """Ours, and the floor's at work; both watched."""
    every = [Arrivals(world.on_spoke, None, APPPROJECTS)]
    ours = _Side(
        world.on_hub, NAMESPACE, names(world.count(PROJECTS)), lambda name: [(one, name) for one in agents], every[0]
    )

    def copies(name: str) -> list[Key]:
        return [(COPIES, f"{name}-{number}") for number in range(len(agents))]

    floor = _Side(world.on_hub, COPIES, names(_OF_FLOOR), copies, every[0])
    hub, spoke = world.hub.connect(), world.spoke.connect()
    try:
        await floor.fill()
        async with watched(*every), copying(Copier(hub, spoke, APPPROJECTS, COPIES, copies)):
            await world.within(floor.all_seen(0.0), "the floor's projects")
            yield ours, floor
    finally:
        await asyncio.gather(hub.close(), spoke.close())
