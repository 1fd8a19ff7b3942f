"""Two places between which Applications travel, watched at both ends: the programs' route, and the relay's.

One watch for each end, for all that is measured; what is waited for is a future, resolved with the clock's reading.
`run` an `Arrivals` until cancelled, and `expect` before writing.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from argocd_agent.backends.ports import Cluster, Scope, WatchEvent, WatchType
from argocd_agent.errors import ClusterError, Gone
from argocd_agent.peer.observe import pause
from argocd_agent.resources.kinds import APPLICATIONS, Api
from argocd_agent.resources.objects import Object

Key = tuple[str, str]

AGAIN_SECONDS = 0.25  # an API server that was ended by a row cannot tell when it is back


@dataclass(frozen=True, slots=True)
class _Expected:
    field: str
    marker: bytes
    seen: asyncio.Future[float]


class Arrivals:
    """The Applications, or others, of one namespace or of all. `present` are their names; `ready`: they were listed."""

    def __init__(self, cluster: Cluster, namespace: str | None, api: Api = APPLICATIONS) -> None:
        self._cluster, self._scope, self._api = cluster, Scope(namespace), api
        self.present: set[Key] = set()
        self.ready = asyncio.Event()
        self._expected: dict[Key, _Expected] = {}
        self._leaving: dict[Key, asyncio.Future[float]] = {}

    def expect(self, key: Key, field: str = "spec", marker: str = "") -> asyncio.Future[float]:
        """Resolved when *key* is there and its *field* contains *marker*."""
        seen: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._expected[key] = _Expected(field, marker.encode(), seen)
        return seen

    def expect_gone(self, key: Key) -> asyncio.Future[float]:
        """Resolved when *key* is deleted; at once if it is not there."""
        seen: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        if key in self.present:
            self._leaving[key] = seen
        else:
            seen.set_result(time.perf_counter())
        return seen

    async def run(self) -> None:
        """Watch, until cancelled."""
        version = ""
        while True:
            try:
                version = version or await self._list()
                async for event in self._cluster.watch(self._api, self._scope, version):
                    version = event.object.version or version
                    self._see(event)
            except Gone:
                version = ""
            except ClusterError:
                await pause(AGAIN_SECONDS)

    async def _list(self) -> str:
        token = ""
        while True:
            page = await self._cluster.list(self._api, self._scope, token=token)
            for obj in page.items:
                self._here(obj)
            token = page.next_token
            if not token:
                self.ready.set()
                return page.version

    def _see(self, event: WatchEvent) -> None:
        if event.type is WatchType.DELETED:
            self.present.discard(event.object.key)
            leaving = self._leaving.pop(event.object.key, None)
            if leaving is not None and not leaving.done():
                leaving.set_result(time.perf_counter())
        elif event.type is not WatchType.BOOKMARK:
            self._here(event.object)

    def _here(self, obj: Object) -> None:
        self.present.add(obj.key)
        expected = self._expected.get(obj.key)
        if expected is not None and expected.marker in obj.fields.get(expected.field, b""):
            del self._expected[obj.key]
            if not expected.seen.done():
                expected.seen.set_result(time.perf_counter())


@dataclass(frozen=True, slots=True)
class End:
    """One end of a route: where to write, and what is seen there."""

    cluster: Cluster
    namespace: str
    arrivals: Arrivals


@dataclass(frozen=True, slots=True)
class Route:
    """From the hub to a spoke and back."""

    name: str
    hub: End
    spoke: End
    labels: Mapping[str, str] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def watched(*ends: Arrivals) -> AsyncIterator[None]:
    """Run *ends* as long as the block; each has listed what there is when it begins."""
    running = [asyncio.create_task(end.run(), name="watch arrivals") for end in ends]
    try:
        for end in ends:
            await end.ready.wait()
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
