"""How long a thousand changes take that one client makes at once, and what that costs the programs in CPU time."""

from bench import load
from bench.figures import Figure, median_of
from bench.routes import Route
from bench.world import World

APPLICATIONS, ROUNDS = 1000, 3


async def measure(world: World) -> list[Figure]:
    """Creates hub to spoke, then a status for each spoke to hub; medians of rounds that alternate with the relay's."""
    names = load.names(world.count(APPLICATIONS))
    times: dict[tuple[str, str], list[float]] = {}
    cpu: dict[str, list[float]] = {"principal": [], "agent": []}
    for _ in range(ROUNDS if world.divisor == 1 else 1):
        for route in (world.floor, world.ours):
            await world.within(load.clear(route), "an empty hub and spoke")
            await world.settle()
            before = _cpu(world)
            created, reported = await _bursts(world, route, names)
            await world.settle()
            times.setdefault((route.name, "create"), []).append(created)
            times.setdefault((route.name, "status"), []).append(reported)
            if route is world.ours:
                for program, used in _cpu(world).items():
                    cpu[program].append(used - before[program])
    return [
        median_of("burst", "creates", "s", times["ours", "create"], times["floor", "create"]),
        median_of("burst", "statuses", "s", times["ours", "status"], times["floor", "status"]),
        *(median_of("burst", f"CPU of the {program}", "s", used) for program, used in cpu.items()),
    ]


async def _bursts(world: World, route: Route, names: list[str]) -> tuple[float, float]:
    created = await world.within(load.create(route, names), f"the burst of creates, {route.name}")
    await world.settle(1.0)
    reported = await world.within(load.report(route, names), f"the burst of statuses, {route.name}")
    return created, reported


def _cpu(world: World) -> dict[str, float]:
    return {"principal": world.principal.cpu_seconds(), "agent": world.agent.cpu_seconds()}
