"""Many writes at once, as one client does them: 32 under way at a time. Each says when the last has arrived."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

from argocd_agent.backends.ports import PatchType
from argocd_agent.resources.kinds import APPLICATIONS
from argocd_agent.resources.objects import Object
from bench.applications import application, marker, size_of, spec_patch, status_patch
from bench.routes import Route

PARALLEL = 32
_numbers = iter(range(10**8))

Job = Callable[[], Coroutine[Any, Any, object]]


def next_marker() -> str:
    """A revision that has not been used in this run."""
    return marker(next(_numbers))


def names(count: int) -> list[str]:
    """The Applications that every row but the first finds or makes."""
    return [f"app-{number:05d}" for number in range(count)]


async def at_once(jobs: Iterable[Job]) -> None:
    """Do all *jobs*, `PARALLEL` at a time."""
    waiting = iter(jobs)

    async def work() -> None:
        for job in waiting:
            await job()

    async with asyncio.TaskGroup() as tasks:
        for number in range(PARALLEL):
            tasks.create_task(work(), name=f"writer {number}")


async def create(route: Route, wanted: Sequence[str]) -> float:
    """Create *wanted*, of 3 to 8 KB, on the hub; seconds until the last is on the spoke."""
    namespace, labels = route.hub.namespace, route.labels
    return await create_all(
        route, [application(namespace, name, size_of(n), labels=labels) for n, name in enumerate(wanted)]
    )


async def create_all(route: Route, wanted: Sequence[Object]) -> float:
    """Create *wanted* on the hub; seconds until the last is on the spoke."""
    seen = [route.spoke.arrivals.expect((route.spoke.namespace, obj.name)) for obj in wanted]
    here = [route.hub.arrivals.expect(obj.key) for obj in wanted]
    began = time.perf_counter()
    await at_once(partial(route.hub.cluster.create, APPLICATIONS, obj) for obj in wanted)
    last = max(await asyncio.gather(*seen), default=began)
    await asyncio.gather(*here)
    return last - began


async def fill(route: Route, count: int) -> None:
    """Exactly the Applications `names(count)`, on both ends."""
    wanted = names(count)
    have = {name for _, name in route.hub.arrivals.present}
    await delete(route, sorted(have - set(wanted)))
    await create(route, [name for name in wanted if name not in have])


async def delete(route: Route, unwanted: Sequence[str]) -> float:
    """Delete *unwanted* on the hub; seconds until the last is gone from the spoke."""
    gone = [end.arrivals.expect_gone((end.namespace, name)) for end in (route.spoke, route.hub) for name in unwanted]
    began = time.perf_counter()
    hub = route.hub
    await at_once(partial(hub.cluster.delete, APPLICATIONS, hub.namespace, name) for name in unwanted)
    return max(await asyncio.gather(*gone), default=began) - began


async def clear(route: Route) -> None:
    """Nothing, on both ends."""
    await delete(route, sorted(name for _, name in route.hub.arrivals.present))


async def update(route: Route, changed: Sequence[str]) -> list[asyncio.Future[float]]:
    """Move *changed* to a new revision on the hub; futures of their arrival on the spoke."""
    revision = next_marker()
    seen = [route.spoke.arrivals.expect((route.spoke.namespace, name), "spec", revision) for name in changed]
    hub, patch = route.hub, spec_patch(revision)
    await at_once(
        partial(hub.cluster.patch, APPLICATIONS, hub.namespace, name, patch, PatchType.MERGE) for name in changed
    )
    return seen


async def report(route: Route, changed: Sequence[str]) -> float:
    """Write a new status for *changed* on the spoke; seconds until the last is on the hub."""
    revision = next_marker()
    seen = [route.hub.arrivals.expect((route.hub.namespace, name), "status", revision) for name in changed]
    spoke, patch = route.spoke, status_patch(revision)
    began = time.perf_counter()
    await at_once(
        partial(spoke.cluster.patch, APPLICATIONS, spoke.namespace, name, patch, PatchType.MERGE) for name in changed
    )
    return max(await asyncio.gather(*seen), default=began) - began
