"""Every version of some objects that a cluster's watch shows, kept while a test does something else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from argocd_agent.backends.ports import Cluster, Scope, WatchEvent, WatchType
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object


@dataclass
class Seen:
    """What happened in one namespace, in order."""

    events: list[WatchEvent] = field(default_factory=list)

    def of(self, name: str) -> list[Object]:
        """The versions of one object, the last one of a deleted object included."""
        return [event.object for event in self.events if event.object.name == name]


@contextlib.asynccontextmanager
async def watching(cluster: Cluster, api: Api, namespace: str) -> AsyncIterator[Seen]:
    """Everything that happens to the objects of *api* in *namespace* from here to the end of the block."""
    seen = Seen()
    since = (await cluster.list(api, Scope(namespace))).version

    async def keep() -> None:
        async with contextlib.aclosing(cluster.watch(api, Scope(namespace), since)) as changes:
            async for change in changes:
                if change.type is not WatchType.BOOKMARK:
                    seen.events.append(change)
        raise AssertionError(f"the watch of {api.resource} in {namespace} ended before the test")

    async with asyncio.TaskGroup() as group:
        watch = group.create_task(keep(), name=f"watch {api.resource} in {namespace}")
        yield seen
        watch.cancel()
