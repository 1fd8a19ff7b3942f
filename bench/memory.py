"""What the programs hold: with a thousand Applications, with twenty, and for each idle agent; and what idling costs."""

from argocd_agent.demo.setup import NAMESPACE
from argocd_agent.errors import NotFound
from argocd_agent.peer.observe import pause
from argocd_agent.protocol.names import CONFIGMAP_CONNECTIONS
from argocd_agent.resources.kinds import CONFIGMAPS
from bench import load
from bench.figures import MIB, Figure
from bench.processes import Process
from bench.routes import Arrivals, End, Route, watched
from bench.world import World, fleet_name

APPLICATIONS, FEW, IDLE_AGENTS = 1000, 20, 50
IDLE_SECONDS = 60
_LOOK_SECONDS = 0.25


async def loaded(world: World) -> list[Figure]:
    """Fresh processes that have seen a thousand Applications be created, and each report a status."""
    await _load(world)
    return [figure for name, process in _programs(world) for figure in _held("memory", name, process)]


async def idle(world: World) -> list[Figure]:
    """CPU at rest with a thousand Applications, in percent of one core."""
    if len(world.ours.spoke.arrivals.present) != world.count(APPLICATIONS):
        await _load(world)
    await world.settle(10.0)
    seconds = world.count(IDLE_SECONDS)
    before = {name: process.cpu_seconds() for name, process in _programs(world)}
    await pause(seconds)
    return [
        Figure("idle", f"CPU of the {name}", "%", (process.cpu_seconds() - before[name]) / seconds * 100)
        for name, process in _programs(world)
    ]


async def small(world: World) -> list[Figure]:
    """An agent with twenty Applications, which have reported a status."""
    name = fleet_name(0)
    await world.give_names([name])
    spoke, hub = Arrivals(world.on_spoke, name), Arrivals(world.on_hub, name)
    route = Route(name, End(world.on_hub, name, hub), End(world.on_spoke, name, spoke))
    async with watched(spoke, hub):
        process = await world.start_agent(name, name)
        names = load.names(FEW)
        await world.within(load.create(route, names), "twenty Applications of another agent")
        await world.within(load.report(route, names), "their statuses")
        await world.settle()
        held = _held("small", "agent", process)
        await world.within(load.clear(route), "an empty hub and spoke")
        await process.stop()
    return held


async def per_agent(world: World) -> list[Figure]:
    """What an idle agent adds to the principal; the agents are real but live in one process, see `crowd`."""
    await world.within(load.clear(world.ours), "an empty hub and spoke")
    count = world.count(IDLE_AGENTS)
    names = [fleet_name(number) for number in range(count)]
    await world.give_names(names)
    await world.restart()
    await world.settle()
    before = world.principal.memory()
    crowd = await world.start_crowd(names)
    await world.within(_all_connected(world, set(names)), f"{count} agents to connect", 60.0)
    await world.settle()
    after = world.principal.memory()
    await crowd.stop()
    return [
        Figure("agents", "base", "MiB", before.rss_bytes / MIB),
        Figure("agents", "each", "KiB", (after.rss_bytes - before.rss_bytes) / count / 1024),
    ]


async def _load(world: World) -> None:
    await world.within(load.clear(world.ours), "an empty hub and spoke")
    await world.within(load.clear(world.floor), "an empty relay")
    await world.restart()
    names = load.names(world.count(APPLICATIONS))
    await world.within(load.create(world.ours, names), "Applications to be there")
    await world.within(load.report(world.ours, names), "their statuses")
    await world.settle(5.0)


async def _all_connected(world: World, names: set[str]) -> None:
    """The hub says so in a ConfigMap, which is written at most once a second."""
    while True:
        try:
            told = (await world.on_hub.get(CONFIGMAPS, NAMESPACE, CONFIGMAP_CONNECTIONS)).look("data") or {}
        except NotFound:
            told = {}
        if all('"status":"connected"' in told.get(name, "") for name in names):
            return
        await pause(_LOOK_SECONDS)


def _programs(world: World) -> list[tuple[str, Process]]:
    return [("principal", world.principal), ("agent", world.agent)]


def _held(row: str, name: str, process: Process) -> list[Figure]:
    held = process.memory()
    return [
        Figure(row, name, "MiB", held.rss_bytes / MIB),
        Figure(row, f"{name}, PSS", "MiB", held.pss_bytes / MIB),
    ]
