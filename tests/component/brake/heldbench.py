"""One spoke's held deletions, on an embedded cluster: what was released, discarded, marked and reported."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from argocd_agent.agent.held import Clocks, Hands, HeldDeletions
from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.backends.ports import PatchType, Scope
from argocd_agent.errors import ClusterError, EventDeferred, NotFound
from argocd_agent.peer.kubeevents import KubeEvents
from argocd_agent.protocol.brake import Brake, HeldDeletion, How
from argocd_agent.protocol.names import ANNOTATION_HELD_DELETIONS, CONFIGMAP_HELD_DELETIONS
from argocd_agent.resources.kinds import CONFIGMAPS, EVENTS, NAMESPACES, Api
from argocd_agent.resources.objects import Metadata, Object, new_object
from argocd_agent.wire.brake import HeldReport
from tests.support.world import HOME, passing

EPOCH = 1_800_000_000.0


class Failing:
    """A cluster whose writes fail while `error` is set, and are counted."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self.cluster = cluster
        self.error: ClusterError | None = None
        self.writes: list[str] = []

    async def create(self, api: Api, obj: Object) -> Object:
        self._write("create", obj.name)
        return await self.cluster.create(api, obj)

    async def update(self, api: Api, obj: Object, **more: Any) -> Object:
        self._write("update", obj.name)
        return await self.cluster.update(api, obj, **more)

    def _write(self, verb: str, name: str) -> None:
        if self.error is not None:
            raise self.error
        self.writes.append(f"{verb} {name}")

    def __getattr__(self, verb: str) -> Any:
        return getattr(self.cluster, verb)


class Bench:
    """`objects` of the principal, of which some are to be deleted."""

    def __init__(self, objects: int) -> None:
        self.cluster = Failing(open_memory())
        self.there = {f"a{number}" for number in range(objects)}
        self.refusing: set[str] = set()  # what cannot be released or discarded
        self.released: list[str] = []
        self.discarded: list[str] = []
        self.marked: set[str] = set()
        self.reports: list[HeldReport] = []
        self.held: HeldDeletions
        self.task: asyncio.Task[None] | None = None

    async def start(self, brake: Brake | None = None) -> None:
        """A new process of the agent."""
        await self.stop()
        clock = asyncio.get_running_loop().time
        clocks = Clocks(clock, lambda: EPOCH + clock())
        self.held = HeldDeletions(
            self.cluster,
            HOME,
            brake or Brake(10, 0.3),
            Hands(lambda: len(self.there), self._release, self._discard, self._mark),
            KubeEvents(self.cluster, "argocd-agent", clocks.epoch),
            clocks,
            changed=lambda: self.reports.append(self.held.report()),
        )
        self.task = asyncio.create_task(self.held.run(), name="held deletions")
        await self.held.read()

    async def stop(self) -> None:
        """End the agent's process."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    async def restart_with(self, text: str) -> None:
        """A new process of the agent, which finds this in the ConfigMap."""
        await self.stop()
        await self.store(text)
        await self.start()

    async def ask(self, name: str, how: How = How.DELETE, uid: str = "u") -> bool:
        """Delete the object, if the brake lets it go."""
        passes = await self.held.ask("Application", HOME, name, uid, how)
        if passes:
            self.there.discard(name)
        return passes

    async def burst(self, count: int) -> list[bool]:
        """Delete the first *count* objects, all at once."""
        names = [f"a{number}" for number in range(count)]
        return list(await asyncio.gather(*(self.ask(name) for name in names)))

    async def annotate(self, order: str) -> None:
        """Give an order as an operator on the spoke does."""
        patch = b'{"metadata":{"annotations":{"%b":"%b"}}}' % (ANNOTATION_HELD_DELETIONS.encode(), order.encode())
        await self.cluster.patch(CONFIGMAPS, HOME, CONFIGMAP_HELD_DELETIONS, patch, PatchType.MERGE)
        await passing(0.5)

    async def store(self, text: str) -> None:
        """Write the ConfigMap by hand."""
        metadata = Metadata(name=CONFIGMAP_HELD_DELETIONS, namespace=HOME)
        obj = new_object(CONFIGMAPS, metadata, data={"deletions": text})
        try:
            await self.cluster.cluster.update(CONFIGMAPS, obj)
        except NotFound:
            await self.cluster.cluster.create(CONFIGMAPS, obj)
        await passing(0.5)

    async def stored(self) -> str | None:
        """What the ConfigMap says; None if there is none."""
        try:
            found = await self.cluster.get(CONFIGMAPS, HOME, CONFIGMAP_HELD_DELETIONS)
        except NotFound:
            return None
        return str(found.look("data")["deletions"])

    async def events(self) -> list[str]:
        """The messages of all Events."""
        page = await self.cluster.list(EVENTS, Scope(HOME))
        return [str(one.look("message")) for one in page.items]

    async def _release(self, held: HeldDeletion) -> None:
        if held.name in self.refusing:
            raise EventDeferred("not now")
        self.there.discard(held.name)
        self.released.append(held.name)

    async def _discard(self, held: HeldDeletion) -> None:
        if held.name in self.refusing:
            raise EventDeferred("not now")
        self.discarded.append(held.name)

    async def _mark(self, held: HeldDeletion, is_held: bool) -> None:
        (self.marked.add if is_held else self.marked.discard)(held.name)


@contextlib.asynccontextmanager
async def a_bench(objects: int = 100) -> AsyncIterator[Bench]:
    """A spoke with so many objects of the principal, its agent running."""
    bench = Bench(objects)
    await bench.cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=HOME)))
    await bench.start()
    try:
        yield bench
    finally:
        await bench.stop()
