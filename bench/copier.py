"""A floor for rows that `relay` is none for: copies what is in one namespace to one place or many, as soon as seen.

As bare as the relay, and with its client: it compares only with what it last copied, and never deletes.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

from argocd_agent.backends.ports import Cluster, PatchType, Scope, WatchType
from argocd_agent.errors import Gone
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Metadata, Object
from bench import load
from bench.routes import Key

COPIED = ("spec", "status")


class Copier:
    """Copies the objects of *namespace* of *source* to *places* of *target*. `run` until cancelled."""

    def __init__(
        self, source: Cluster, target: Cluster, api: Api, namespace: str, places: Callable[[str], Sequence[Key]]
    ) -> None:
        self._source, self._target, self._api = source, target, api
        self._scope, self._places = Scope(namespace), places
        self._copied: dict[str, dict[str, bytes]] = {}

    async def run(self) -> None:
        """Copy what there is, `load.PARALLEL` at a time, then each change at once."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                version = await self._list()
                with contextlib.suppress(Gone):
                    while True:
                        async for event in self._source.watch(self._api, self._scope, version):
                            version = event.object.version or version
                            if event.type in (WatchType.ADDED, WatchType.MODIFIED):
                                for job in self._jobs(event.object):
                                    tasks.create_task(job(), name=f"copy {event.object.name}")

    async def _list(self) -> str:
        token = ""
        while True:
            page = await self._source.list(self._api, self._scope, token=token)
            await load.at_once(job for obj in page.items for job in self._jobs(obj))
            token = page.next_token
            if not token:
                return page.version

    def _jobs(self, obj: Object) -> list[load.Job]:
        now = {field: obj.fields[field] for field in COPIED if field in obj.fields}
        before, self._copied[obj.name] = self._copied.get(obj.name), now
        if before is None:
            return [partial(self._create, place, obj, now) for place in self._places(obj.name)]
        changed = [b'"%b":%b' % (field.encode(), raw) for field, raw in now.items() if before.get(field) != raw]
        patch = b"{" + b",".join(changed) + b"}"
        return [partial(self._patch, place, patch) for place in self._places(obj.name)] if changed else []

    async def _create(self, place: Key, obj: Object, fields: dict[str, bytes]) -> None:
        metadata = Metadata(name=place[1], namespace=place[0], labels=obj.metadata.labels)
        await self._target.create(self._api, Object(metadata, fields))

    async def _patch(self, place: Key, patch: bytes) -> None:
        await self._target.patch(self._api, *place, patch, PatchType.MERGE)


@contextlib.asynccontextmanager
async def copying(copier: Copier) -> AsyncIterator[None]:
    """Run *copier* as long as the block."""
    running = asyncio.create_task(copier.run(), name="copier")
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
