"""A cluster between a program and its API server that breaks, holds, fails or forgets, as a test says.

Only Applications are concerned. Users go past it: `user` is the side of the cluster behind it.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

from argocd_agent.backends.embedded import EmbeddedCluster
from argocd_agent.backends.ports import Scope, WatchEvent
from argocd_agent.errors import Unavailable
from argocd_agent.resources.kinds import APPLICATIONS, Api
from argocd_agent.resources.objects import Object
from tests.support.world import HOME, Side, World, passing

Answer = TypeVar("Answer")

ANSWER_SECONDS = 0.05  # by how much a watch is faster than the answer that gets lost


class Unruly:
    """Passes on to *cluster* whatever it has not been told to spoil.

    `holding`: writes of an object of this name wait. `failing`: by verb, errors instead of the next writes. `losing`:
    by verb, errors instead of the answers to the next writes, which are carried out. `writes`: verb and name of each.
    """

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self.cluster = cluster
        self.is_down = False
        self.holding: dict[str, asyncio.Event] = {}
        self.failing: dict[str, list[Exception]] = {}
        self.losing: dict[str, list[Exception]] = {}
        self.writes: list[tuple[str, str]] = []
        self.watches_begun = 0
        self._is_showing = asyncio.Event()
        self._is_showing.set()
        self._watches: set[asyncio.Timeout] = set()

    @property
    def user(self) -> Side:
        """What somebody sees and does who does not pass through here."""
        return Side(self.cluster, HOME)

    def break_watches(self) -> None:
        """Reset the connections of all watches."""
        for watch in self._watches:
            watch.reschedule(asyncio.get_running_loop().time())

    def stop_showing(self) -> None:
        """Watches are silent from now on; what happens is shown when `go_on_showing` is called."""
        self._is_showing.clear()

    def go_on_showing(self) -> None:
        """Watches show what has happened."""
        self._is_showing.set()

    async def watch(self, api: Api, scope: Scope, since: str) -> AsyncGenerator[WatchEvent, None]:
        self.watches_begun += api is APPLICATIONS
        if self.is_down and api is APPLICATIONS:
            raise Unavailable("connection refused")
        async with contextlib.aclosing(self.cluster.watch(api, scope, since)) as events:
            try:
                async with asyncio.timeout(None) as breaking:
                    async for event in self._shown(api, events, breaking):
                        yield event
            except TimeoutError as error:
                raise Unavailable("connection reset by peer") from error

    async def create(self, api: Api, obj: Object) -> Object:
        return await self._written("create", api, obj.name, lambda: self.cluster.create(api, obj))

    async def update(self, api: Api, obj: Object, **more: str) -> Object:
        return await self._written("update", api, obj.name, lambda: self.cluster.update(api, obj, **more))

    async def delete(self, api: Api, namespace: str, name: str, **more: Any) -> None:
        await self._written("delete", api, name, lambda: self.cluster.delete(api, namespace, name, **more))

    def __getattr__(self, verb: str) -> Any:
        return getattr(self.cluster, verb)

    async def _shown(
        self, api: Api, events: AsyncGenerator[WatchEvent, None], breaking: asyncio.Timeout
    ) -> AsyncGenerator[WatchEvent, None]:
        if api is not APPLICATIONS:
            async for event in events:
                yield event
            return
        self._watches.add(breaking)
        try:
            async for event in events:
                await self._is_showing.wait()
                yield event
        finally:
            self._watches.discard(breaking)

    async def _written(self, verb: str, api: Api, name: str, write: Callable[[], Awaitable[Answer]]) -> Answer:
        if api is not APPLICATIONS:
            return await write()
        self.writes.append((verb, name))
        if name in self.holding:
            await self.holding[name].wait()
        if self.failing.get(verb):
            raise self.failing[verb].pop()
        answer = await write()
        if self.losing.get(verb):
            await passing(ANSWER_SECONDS)
            raise self.losing[verb].pop()
        return answer


async def unruly_spoke(world: World) -> Unruly:
    """Restart agent-1 on a cluster that can be spoilt."""
    await world.cut()
    await world.stop("agent-1")
    spoke = Unruly(world.spoke_clusters["agent-1"])
    world.spoke_clusters["agent-1"] = spoke  # type: ignore[assignment] # the programs need a Cluster
    await world.start_agent()
    await world.connect()
    return spoke


async def unruly_hub(world: World) -> Unruly:
    """Restart the principal on a cluster that can be spoilt."""
    await world.stop("principal")
    await world.cut()
    hub = Unruly(world.hub_cluster)
    world.hub_cluster = hub  # type: ignore[assignment] # the programs need a Cluster
    await world.start_principal()
    await world.connect()
    return hub
