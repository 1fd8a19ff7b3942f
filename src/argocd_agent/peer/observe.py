"""One kind of one cluster, held in memory and kept true: list, then watch, then watch on.

`objects` is what the API server has, as of the last event. Each difference is given to `on_change` once, in order,
in the task that runs `run`; it must not wait. A gap in the watch is closed by listing again, which also yields the
deletions that were missed. An object that stops being admitted is deleted as far as anybody here can tell.

While the API cannot be read (not there, no permission, kind unknown) the last known state stays, `report` is told
what is wrong, and reading is tried again after a growing pause: an API that does not answer cannot notify.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass

from argocd_agent.backends.ports import Cluster, Scope, WatchEvent, WatchType
from argocd_agent.errors import ClusterError, Gone
from argocd_agent.protocol.backoff import Reconnect
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object

Key = tuple[str, str]

PAGE = 500
QUICK_SECONDS = 1.0
PROVEN_SECONDS = 5.0  # a watch that is open for so long shows that the API is well, if nothing came on it


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one object: `old` is None when it appeared, `new` when it went."""

    old: Object | None
    new: Object | None

    @property
    def object(self) -> Object:
        """The newest version known."""
        found = self.new or self.old
        assert found is not None, "a change has a side"
        return found


def _everything(_: Object) -> bool:
    return True


class Observer:
    """Holds the objects of *api* in *scope* that *admits* lets in. `run` until cancelled."""

    def __init__(
        self,
        cluster: Cluster,
        api: Api,
        scope: Scope,
        on_change: Callable[[Change], None],
        *,
        admits: Callable[[Object], bool] = _everything,
        report: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self.objects: dict[Key, Object] = {}
        self.synced = asyncio.Event()
        self._cluster, self._api, self._scope = cluster, api, scope
        self._on_change, self._admits, self._report = on_change, admits, report
        self._version = ""  # from where to watch on; empty: a list is needed
        self._gone: dict[str, list[asyncio.Future[None]]] = {}

    async def run(self) -> None:
        """Keep `objects` true, until cancelled."""
        clock = asyncio.get_running_loop().time
        retry, was_gone = Reconnect(), False
        while True:
            began = clock()
            try:
                if not self._version:
                    await self._list()
                    self._proven(retry)
                await self._watch(retry)
            except Gone:  # a list makes up for it; a server that says so of every version must not be a busy loop
                self._version = ""
                if was_gone:
                    await pause(QUICK_SECONDS)
                was_gone = True
                continue
            except ClusterError as error:
                self._report(str(error))
                retry.failed(clock())
                await pause(max(retry.delay(clock(), random.random()), error.retry_after_seconds or 0.0))
            else:  # the server ends a watch every few minutes; one that it ends at once must not be a busy loop
                if clock() - began < QUICK_SECONDS:
                    await pause(QUICK_SECONDS)
            was_gone = False

    def _proven(self, retry: Reconnect) -> None:
        """The API answers what we ask."""
        retry.succeeded()
        self._report(None)

    async def until_gone(self, uid: str) -> None:
        """Wait until the object of *uid* is no longer in the cluster. At once if it is not held."""
        if all(obj.uid != uid for obj in self.objects.values()):
            return
        waiting = asyncio.get_running_loop().create_future()
        self._gone.setdefault(uid, []).append(waiting)
        await waiting

    async def _list(self) -> None:
        found: dict[Key, Object] = {}
        token, version = "", ""
        while True:
            page = await self._cluster.list(self._api, self._scope, limit=PAGE, token=token)
            found |= {obj.key: obj for obj in page.items if self._admits(obj)}
            token, version = page.next_token, page.version
            if not token:
                break
        for key in [key for key in self.objects if key not in found]:
            self._forget(key)
        for obj in found.values():
            self._hold(obj)
        self._version = version
        self.synced.set()

    async def _watch(self, retry: Reconnect) -> None:
        """Follow the watch until the server ends it. How far we are survives whatever breaks it."""
        proof = asyncio.get_running_loop().call_later(PROVEN_SECONDS, self._proven, retry)
        try:
            await self._follow(retry)
        finally:
            proof.cancel()

    async def _follow(self, retry: Reconnect) -> None:
        heard = False
        async with contextlib.aclosing(self._cluster.watch(self._api, self._scope, self._version)) as events:
            async for event in events:
                if not heard:
                    heard = True
                    self._proven(retry)
                self._take(event)
                self._version = event.object.version or self._version

    def _take(self, event: WatchEvent) -> None:
        if event.type is WatchType.BOOKMARK:
            return
        if event.type is WatchType.DELETED or not self._admits(event.object):
            self._forget(event.object.key, event.object)
        else:
            self._hold(event.object)

    def _hold(self, obj: Object) -> None:
        old = self.objects.get(obj.key)
        if old is not None and old.uid != obj.uid:  # deleted and made anew in a gap
            self._forget(obj.key)
            old = None
        if old is not None and old.version == obj.version:
            return
        self.objects[obj.key] = obj
        self._on_change(Change(old, obj))

    def _forget(self, key: Key, last: Object | None = None) -> None:
        old = self.objects.pop(key, None)
        if old is None:
            return
        # The last version says whether the object was being deleted.
        self._on_change(Change(last if last is not None and last.uid == old.uid else old, None))
        for waiting in self._gone.pop(old.uid, []):
            if not waiting.done():
                waiting.set_result(None)


async def pause(seconds: float) -> None:
    """Wait: the other end cannot tell us when it is worth trying again."""
    waiting = asyncio.get_running_loop().create_future()
    try:
        async with asyncio.timeout(seconds):
            await waiting
    except TimeoutError:
        pass
