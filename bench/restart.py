"""How long a hub needs to catch up that was down while its Applications changed."""

import asyncio
import random
import time

from bench import load, processes
from bench.figures import Figure
from bench.world import World

APPLICATIONS, UPDATES, DELETIONS = 1000, 100, 50


async def measure(world: World) -> list[Figure]:
    """From the principal's process being started until the last change of its absence is on the spoke."""
    names = load.names(world.count(APPLICATIONS))
    await world.within(load.fill(world.ours, len(names)), "Applications to be there")
    await world.settle()
    chosen = random.Random(1).sample(names, world.count(UPDATES) + world.count(DELETIONS))
    changed, unwanted = chosen[: world.count(UPDATES)], chosen[world.count(UPDATES) :]
    stopping = time.perf_counter()
    await world.principal.stop()
    stopped = time.perf_counter() - stopping

    arrived = await load.update(world.ours, changed)
    async with asyncio.TaskGroup() as tasks:
        last_gone = tasks.create_task(load.delete(world.ours, unwanted), name="deletions")
        await world.settle(1.0)
        principal = await world.start_principal()
        listening = await processes.until_listening(principal, world.port)
        await world.within(asyncio.gather(*arrived), "updates made while the principal was down")
        await world.within(asyncio.wait({last_gone}), "deletions made while the principal was down")
    converged = time.perf_counter()
    return [
        Figure("restart", "converged", "s", converged - principal.started),
        Figure("restart", "start-up", "s", listening - principal.started),
        Figure("restart", "stopped", "s", stopped),
    ]
