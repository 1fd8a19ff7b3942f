"""How long an autonomous agent that comes with a thousand Applications needs until the hub shows them all.

They have a status from the start, as Argo CD has written it; afterwards each reports another. Ours is counted from the
start of the agent's process, the floor from its first list.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from argocd_agent.protocol.modes import Mode
from argocd_agent.resources.kinds import APPLICATIONS
from bench import load
from bench.applications import application, size_of, with_status
from bench.copier import Copier, copying
from bench.figures import Figure, median_of
from bench.processes import Process
from bench.routes import Arrivals, End, Route, watched
from bench.world import COPIES, World, fleet_name

OWNED, ROUNDS = 1000, 3


@dataclass(frozen=True, slots=True)
class _Round:
    """Seconds until the last Application, the last first status, and the last of the later statuses were on the hub."""

    published: float
    complete: float
    reported: float


async def measure(world: World) -> list[Figure]:
    """Medians of rounds that alternate with the floor's; in each the hub meets an agent that it does not know."""
    await world.within(load.clear(world.ours), "an empty hub and spoke")
    wanted = load.names(world.count(OWNED))
    agents = [fleet_name(number) for number in range(ROUNDS if world.divisor == 1 else 1)]
    await world.give_names(agents)
    ours, floor = list[_Round](), list[_Round]()
    cpu: dict[str, list[float]] = {}
    for agent in agents:
        floor.append(await _floor(world, wanted))
        ours.append(await _ours(world, agent, wanted, cpu))
    return [
        median_of("autonomous", "published", "s", [one.published for one in ours], [one.published for one in floor]),
        median_of("autonomous", "with statuses", "s", [one.complete for one in ours], [one.complete for one in floor]),
        median_of("autonomous", "statuses", "s", [one.reported for one in ours], [one.reported for one in floor]),
        *(median_of("autonomous", what, "s", seconds) for what, seconds in cpu.items()),
    ]


async def _ours(world: World, name: str, wanted: Sequence[str], cpu: dict[str, list[float]]) -> _Round:
    async with _owned(world, name, wanted) as (route, first, statuses):
        began = world.principal.cpu_seconds()
        agent = await world.start_agent(name, name, mode=Mode.AUTONOMOUS)
        published = await world.within(first, "the Applications of an autonomous agent") - agent.started
        complete = await world.within(statuses, "their statuses") - agent.started
        await world.settle()
        programs: Mapping[str, Process] = {"principal": world.principal, "agent": agent}
        after = {what: process.cpu_seconds() for what, process in programs.items()}
        reported = await world.within(load.report(route, wanted), "other statuses")
        await world.settle()
        for what, process in programs.items():
            used = after[what] - (began if what == "principal" else 0.0)
            cpu.setdefault(f"publish: CPU of the {what}", []).append(used)
            cpu.setdefault(f"statuses: CPU of the {what}", []).append(process.cpu_seconds() - after[what])
        # While the agent is there: from the hub alone nobody takes what an agent owns.
        await world.within(_clear(route.spoke, route.hub, wanted), "an autonomous agent's Applications to go")
        await agent.stop()
    return _Round(published, complete, reported)


async def _floor(world: World, wanted: Sequence[str]) -> _Round:
    hub, spoke = world.hub.connect(), world.spoke.connect()
    try:
        async with _owned(world, COPIES, wanted) as (route, first, statuses):
            began = time.perf_counter()
            async with copying(Copier(spoke, hub, APPLICATIONS, COPIES, lambda name: [(COPIES, name)])):
                published = await world.within(first, "the Applications of the floor") - began
                complete = await world.within(statuses, "their statuses") - began
                await world.settle()
                reported = await world.within(load.report(route, wanted), "other statuses")
                await world.settle()
            for end in (route.spoke, route.hub):
                await world.within(_clear(end, end, wanted), "the floor's Applications to go")
    finally:
        await asyncio.gather(hub.close(), spoke.close())
    return _Round(published, complete, reported)


@contextlib.asynccontextmanager
async def _owned(
    world: World, namespace: str, wanted: Sequence[str]
) -> AsyncIterator[tuple[Route, asyncio.Future[float], asyncio.Future[float]]]:
    """Applications with a status, on the spoke, and on the hub when somebody copies them; watched as long as the block.

    With it: the clock when the last is there, and when the last is there with its status.
    """
    labels, revision = world.floor.labels if namespace == COPIES else {}, load.next_marker()
    hub, states, spoke = (Arrivals(c, namespace) for c in (world.on_hub, world.on_hub, world.on_spoke))
    made = [application(namespace, name, size_of(n), labels=labels) for n, name in enumerate(wanted)]
    async with watched(hub, states, spoke):
        await load.at_once(partial(world.on_spoke.create, APPLICATIONS, with_status(obj, revision)) for obj in made)
        first = _last([hub.expect(obj.key) for obj in made])
        statuses = _last([states.expect(obj.key, "status", revision) for obj in made])
        await world.settle()
        yield (
            Route(namespace, End(world.on_hub, namespace, hub), End(world.on_spoke, namespace, spoke)),
            first,
            statuses,
        )


async def _clear(end: End, seen: End, unwanted: Sequence[str]) -> None:
    """Delete *unwanted* at *end*, until they are gone from *seen*."""
    gone = [seen.arrivals.expect_gone((seen.namespace, name)) for name in unwanted]
    await load.at_once(partial(end.cluster.delete, APPLICATIONS, end.namespace, name) for name in unwanted)
    await asyncio.gather(*gone)


def _last(seen: Sequence[asyncio.Future[float]]) -> asyncio.Future[float]:
    async def last() -> float:
        return max(await asyncio.gather(*seen))

    return asyncio.create_task(last(), name="wait for the last")
