"""The floor: what any program in the middle must at least do. Copies each change as soon as a watch shows it.

Hub to spoke: POST, PATCH of the spec, DELETE. Spoke to hub: PATCH of the status. It reads nothing, compares only with
what it last copied (so that it does not answer itself), keeps nothing on disk, retries nothing, and has no network of
its own to cross. It uses our client, so the difference to the programs is what they add, not how they speak HTTP.
"""

import asyncio

from argocd_agent.backends.ports import Cluster, PatchType, Scope, WatchEvent, WatchType
from argocd_agent.errors import Gone, Unavailable
from argocd_agent.peer.observe import pause
from argocd_agent.resources.kinds import APPLICATIONS
from argocd_agent.resources.objects import Metadata, Object
from bench.routes import AGAIN_SECONDS


class Relay:
    """Copies the Applications of *namespace*, which has the same name on both clusters. `run` until cancelled."""

    def __init__(self, hub: Cluster, spoke: Cluster, namespace: str) -> None:
        self._hub, self._spoke, self._namespace = hub, spoke, namespace
        self._specs: dict[str, bytes] = {}
        self._statuses: dict[str, bytes] = {}

    async def run(self) -> None:
        """Copy, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(tasks, self._hub, down=True), name="relay, hub to spoke")
            tasks.create_task(self._follow(tasks, self._spoke, down=False), name="relay, spoke to hub")

    async def _follow(self, tasks: asyncio.TaskGroup, cluster: Cluster, *, down: bool) -> None:
        while True:
            try:
                version = (await cluster.list(APPLICATIONS, Scope(self._namespace), limit=1)).version
                while True:
                    async for event in cluster.watch(APPLICATIONS, Scope(self._namespace), version):
                        version = event.object.version or version
                        if event.type is not WatchType.BOOKMARK:
                            copy = self._down(event) if down else self._up(event)
                            tasks.create_task(copy, name=f"relay {event.object.name}")
            except Gone:
                continue
            except Unavailable:  # a row has ended an API server, and nothing of ours is under way
                await pause(AGAIN_SECONDS)

    async def _down(self, event: WatchEvent) -> None:
        obj = event.object
        spec, before = obj.fields["spec"], self._specs.get(obj.name)
        if event.type is WatchType.DELETED:
            if self._specs.pop(obj.name, None) is not None:
                await self._spoke.delete(APPLICATIONS, self._namespace, obj.name)
            return
        self._specs[obj.name] = spec
        if before is None:
            metadata = Metadata(name=obj.name, namespace=self._namespace, labels=obj.metadata.labels)
            await self._spoke.create(APPLICATIONS, Object(metadata, {"spec": spec}))
        elif spec != before:
            await self._patch(self._spoke, obj.name, b'{"spec":%b}' % spec)

    async def _up(self, event: WatchEvent) -> None:
        obj = event.object
        status = obj.fields.get("status")
        if event.type is WatchType.DELETED:
            self._statuses.pop(obj.name, None)
        elif status is not None and status != self._statuses.get(obj.name):
            self._statuses[obj.name] = status
            await self._patch(self._hub, obj.name, b'{"status":%b}' % status)

    async def _patch(self, cluster: Cluster, name: str, patch: bytes) -> None:
        await cluster.patch(APPLICATIONS, self._namespace, name, patch, PatchType.MERGE)
