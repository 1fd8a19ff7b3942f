"""What it costs a program that all its watches are cut at once, among five thousand Applications, and nothing changed.

An API server is ended and started again, which ends every watch and makes it forget the versions from which they could
go on; so all is listed again. The CPU seconds are those from the end of the API server until the program has been at
rest for a while. The floor is our client alone, that lists the same Applications once.
"""

import asyncio
import time
from collections.abc import Mapping

from argocd_agent.backends.ports import Scope
from argocd_agent.resources.kinds import APPLICATIONS
from bench import load, processes
from bench.figures import Figure
from bench.processes import Process
from bench.routes import End, Key
from bench.world import World
from tests.support.clusters import RealCluster

HELD = 5000
REST_SECONDS = 10.0  # for whatever is done later than at once
_FILL_SECONDS = 900.0

Versions = Mapping[Key, str]


async def measure(world: World) -> list[Figure]:
    """First the hub's API server, then the spoke's."""
    names = load.names(world.count(HELD))
    await world.within(load.fill(world.ours, len(names)), "Applications to be there", _FILL_SECONDS)
    await world.within(load.report(world.ours, names), "their statuses", _FILL_SECONDS)
    await world.settle(REST_SECONDS)
    hub = await _storm(world, "hub", world.hub, world.ours.hub, "principal")
    spoke = await _storm(world, "spoke", world.spoke, world.ours.spoke, "agent")
    await world.within(load.clear(world.ours), "an empty hub and spoke", _FILL_SECONDS)
    return [*hub, *spoke]


async def _storm(world: World, side: str, server: RealCluster, end: End, mine: str) -> list[Figure]:
    """*mine* is the program that reads from *server*."""
    programs: Mapping[str, Process] = {"principal": world.principal, "agent": world.agent}
    versions, events = await _all_versions(world), await _events(world)
    before = {name: process.cpu_seconds() for name, process in programs.items()}
    await asyncio.to_thread(server.stop)
    await processes.until_ready(programs[mine], is_ready=False)
    server.start()
    await asyncio.to_thread(server.wait)
    back = time.perf_counter()
    ready = await processes.until_ready(programs[mine])
    await world.settle(REST_SECONDS)
    used = {name: process.cpu_seconds() - before[name] for name, process in programs.items()}
    told, after = await _events(world) - events, await _all_versions(world)
    began = time.process_time()
    await _versions(end)
    floor = time.process_time() - began
    return [
        *(
            Figure("relist", f"{side}: CPU of the {name}", "s", seconds, floor if name == mine else None)
            for name, seconds in used.items()
        ),
        Figure("relist", f"{side}: ready again", "s", ready - back),
        Figure("relist", f"{side}: objects written", "", float(differing(versions, after))),
        Figure("relist", f"{side}: events", "", told),
    ]


def differing(before: Versions, after: Versions) -> int:
    """How many objects came, went, or have another version."""
    return sum(before.get(key) != after.get(key) for key in before.keys() | after.keys())


async def _all_versions(world: World) -> Versions:
    """Of every Application on both ends, whose namespaces differ."""
    return {**await _versions(world.ours.hub), **await _versions(world.ours.spoke)}


async def _versions(end: End) -> Versions:
    found: dict[Key, str] = {}
    token, is_last = "", False
    while not is_last:
        page = await end.cluster.list(APPLICATIONS, Scope(end.namespace), token=token)
        found |= {obj.key: obj.version for obj in page.items}
        token, is_last = page.next_token, not page.next_token
    return found


async def _events(world: World) -> float:
    """How many the two programs have received and handled so far; heartbeats are not handled but heard."""
    of_principal = await world.principal.counted("principal_event_processing_time_count")
    return of_principal + await world.agent.counted("agent_event_processing_time_count")
