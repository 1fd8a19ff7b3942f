"""Whether many agents come back side by side: after a principal's restart, each is sent a new Application.

Thirty agents are thirty processes. Three hundred would need ten times the machine: they live in one process (see
`crowd`), where their own work, too, is done one after the other; that figure is an upper bound.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from argocd_agent.resources.kinds import APPLICATIONS
from bench import load, processes
from bench.applications import application, size_of
from bench.figures import Figure, percentile
from bench.processes import Process
from bench.routes import Arrivals, watched
from bench.world import World, fleet_name

AGENTS, MANY, EACH = 30, 300, 20


async def thirty(world: World) -> list[Figure]:
    """Agents as processes of their own."""
    names = [fleet_name(number) for number in range(world.count(AGENTS))]
    return await _measure(world, "fleet", names, lambda: _processes(world, names))


async def many(world: World) -> list[Figure]:
    """Agents that share a process."""
    names = [fleet_name(number) for number in range(world.count(MANY))]
    return await _measure(world, "fleet-300", names, lambda: _crowd(world, names))


async def _processes(world: World, names: Sequence[str]) -> list[Process]:
    return [await world.start_agent(name, name) for name in names]


async def _crowd(world: World, names: Sequence[str]) -> list[Process]:
    return [await world.start_crowd(names)]


async def _measure(
    world: World, row: str, names: Sequence[str], start: Callable[[], Awaitable[list[Process]]]
) -> list[Figure]:
    await world.within(load.clear(world.ours), "an empty hub and spoke")
    await world.give_names(names)
    spoke = Arrivals(world.on_spoke, None)
    async with watched(spoke):
        agents = await start()
        before = [(name, f"app-{number}") for name in names for number in range(EACH)]
        await world.within(_create(world, spoke, before), "the fleet's Applications")
        await world.settle()
        await world.principal.stop()
        principal = await world.start_principal()
        listening = await processes.until_listening(principal, world.port)
        arrived = await world.within(_create(world, spoke, [(name, "new") for name in names]), "one more each")
        await world.within(_delete(world, spoke, [*before, *((name, "new") for name in names)]), "an empty fleet")
        await asyncio.gather(*(agent.stop() for agent in agents))
    return [
        Figure(row, label, "s", percentile(arrived, percent) - listening)
        for label, percent in (("first", 0), ("median", 50), ("all", 100))
    ]


async def _create(world: World, spoke: Arrivals, keys: Sequence[tuple[str, str]]) -> list[float]:
    seen = [spoke.expect(key) for key in keys]
    made = [application(namespace, name, size_of(number)) for number, (namespace, name) in enumerate(keys)]
    await load.at_once(partial(world.on_hub.create, APPLICATIONS, obj) for obj in made)
    return await asyncio.gather(*seen)


async def _delete(world: World, spoke: Arrivals, keys: Sequence[tuple[str, str]]) -> None:
    gone = [spoke.expect_gone(key) for key in keys]
    await load.at_once(partial(world.on_hub.delete, APPLICATIONS, *key) for key in keys)
    await asyncio.gather(*gone)
