"""`EmbeddedCluster`: the `Cluster` port on an engine in this process, in memory or kept in SQLite.

    cluster = open_memory()
    cluster = await open_sqlite(Path("cluster.db"))

Lists and watches never wait. A write returns when it is on disk, where there is one; others may see it a moment
earlier. `compact` forgets history, so that watches from older versions and continue tokens are `Gone`.
"""

import contextlib
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from argocd_agent.backends.embedded import sqlite
from argocd_agent.backends.embedded.engine import Engine, Outcome, Preconditions, WriteOptions
from argocd_agent.backends.embedded.faults import not_found
from argocd_agent.backends.embedded.kinds import ServedKind
from argocd_agent.backends.embedded.listing import page, select
from argocd_agent.backends.embedded.patching import decode_patch
from argocd_agent.backends.embedded.sqlite import Database
from argocd_agent.backends.embedded.store import WINDOW_CHANGES, Store
from argocd_agent.backends.embedded.watching import BOOKMARK_SECONDS, Watches
from argocd_agent.backends.ports import EVERYTHING, Page, PatchType, Propagation, Scope, WatchEvent
from argocd_agent.errors import ClusterError, Unavailable
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time on the wall."""
    return datetime.now(UTC)


def random_uid() -> str:
    """A UID as Kubernetes makes them."""
    return str(uuid.uuid4())


def open_memory(
    *,
    clock: Clock = utc_now,
    new_uid: Callable[[], str] = random_uid,
    window: int = WINDOW_CHANGES,
    bookmark_seconds: float = BOOKMARK_SECONDS,
    first_version: int = 1,
) -> "EmbeddedCluster":
    """A cluster that is gone with this process. *window* is how many changes of each kind can be watched from.

    Where clients may outlive the process, *first_version* must be more than any version of the cluster before, so
    that their old watches are Gone instead of going on in another cluster's history.
    """
    store = Store(version=first_version, window=window)
    return EmbeddedCluster(_engine(store, clock, new_uid), None, bookmark_seconds)


async def open_sqlite(
    path: Path | str,
    *,
    clock: Clock = utc_now,
    new_uid: Callable[[], str] = random_uid,
    window: int = WINDOW_CHANGES,
    bookmark_seconds: float = BOOKMARK_SECONDS,
) -> "EmbeddedCluster":
    """A cluster in the file *path*, which is made where it does not exist; one process at a time.

    Raises `Unavailable` where the file cannot be used.
    """
    database = await sqlite.open_database(Path(path))
    store = Store(version=database.version, window=window, journal=database)
    for resource, obj in database.take_objects():
        store.open(resource)
        store.load(resource, obj)
    cluster = EmbeddedCluster(_engine(store, clock, new_uid), database, bookmark_seconds)
    await cluster.settled()
    return cluster


def _engine(store: Store, clock: Clock, new_uid: Callable[[], str]) -> Engine:
    engine = Engine(store, now=lambda: clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), new_uid=new_uid)
    engine.begin()
    return engine


class EmbeddedCluster:
    """One Kubernetes-style API in this process. Made by `open_memory` and `open_sqlite`."""

    def __init__(self, engine: Engine, database: Database | None, bookmark_seconds: float) -> None:
        self.engine = engine
        self.watches = Watches(engine.store, bookmark_seconds)
        self._database = database
        self._is_closed = False

    async def get(self, api: Api, namespace: str, name: str) -> Object:
        """See `Cluster.get`."""
        self.check_open()
        with _attempt("get", api, namespace, name):
            return self.engine.get(self.engine.kind(api), namespace, name)

    async def list(self, api: Api, scope: Scope = EVERYTHING, *, limit: int = 500, token: str = "") -> Page:
        """See `Cluster.list`."""
        self.check_open()
        with _attempt("list", api, scope.namespace):
            listed = page(self.engine.store, select(self.engine.kind(api), scope), limit, token)
            return Page(tuple(listed.items), str(listed.version), listed.next_token)

    async def watch(self, api: Api, scope: Scope, since: str) -> AsyncGenerator[WatchEvent, None]:
        """See `Cluster.watch`. From `""` or `"0"`, what is there comes first, as ADDED."""
        self.check_open()
        with _attempt("watch", api, scope.namespace):
            events = self.watches.events(select(self.engine.kind(api), scope), since)
            async with contextlib.aclosing(events):
                async for event in events:
                    yield event

    async def create(self, api: Api, obj: Object) -> Object:
        """See `Cluster.create`."""
        self.check_open()
        with _attempt("create", api, obj.namespace, obj.name or f"{obj.metadata.generate_name}*"):
            return await self._kept(self.engine.create(self.engine.kind(api), obj))

    async def update(self, api: Api, obj: Object, *, subresource: str = "") -> Object:
        """See `Cluster.update`."""
        self.check_open()
        with _attempt("update", api, obj.namespace, obj.name, subresource):
            kind, options = self._writing(api, obj.name, subresource)
            return await self._kept(self.engine.update(kind, obj, options))

    async def patch(
        self, api: Api, namespace: str, name: str, patch: bytes, kind: PatchType, *, subresource: str = ""
    ) -> Object:
        """See `Cluster.patch`."""
        self.check_open()
        with _attempt("patch", api, namespace, name, subresource):
            served, options = self._writing(api, name, subresource)
            value = decode_patch(patch, kind)
            return await self._kept(self.engine.patch(served, namespace, name, value, kind, options))

    async def delete(
        self,
        api: Api,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        version: str = "",
        propagation: Propagation = Propagation.BACKGROUND,
    ) -> None:
        """See `Cluster.delete`."""
        self.check_open()
        with _attempt("delete", api, namespace, name):
            kind = self.engine.kind(api)
            await self._kept(self.engine.delete(kind, namespace, name, Preconditions(uid, version), propagation))

    async def close(self) -> None:
        """See `Cluster.close`. What was written is on disk."""
        if self._is_closed:
            return
        self._is_closed = True
        self.watches.close()
        if self._database is not None:
            await self._database.close()

    def compact(self) -> None:
        """Forget all history."""
        self.engine.store.compact()

    def check_open(self) -> None:
        """Raises `Unavailable` when the cluster is closed, or its disk has failed or is too far behind."""
        if self._is_closed:
            raise Unavailable("the embedded cluster is closed", reason="ServiceUnavailable")
        if self._database is not None:
            self._database.check()

    async def settled(self) -> None:
        """Return when everything written so far is kept. Raises `Unavailable` where the disk fails."""
        if self._database is not None:
            await self._database.flush()

    def _writing(self, api: Api, name: str, subresource: str) -> tuple[ServedKind, WriteOptions]:
        """The kind, and options for a write to *subresource*, which the kind must have. Raises `NotFound`."""
        kind = self.engine.kind(api)
        if subresource and not (subresource == "status" and kind.row.has_status):
            raise not_found(api, name)
        return kind, WriteOptions(subresource)

    async def _kept(self, outcome: Outcome) -> Object:
        await self.settled()
        return outcome.object


@contextlib.contextmanager
def _attempt(
    verb: str, api: Api, namespace: str | None, name: str | None = None, subresource: str = ""
) -> Iterator[None]:
    """Errors inside the block name verb, resource and object before the server's own words."""
    try:
        yield
    except ClusterError as error:
        resource = f"{api.resource}/{subresource}" if subresource else api.resource
        if name is None:
            what = f"{verb} {resource} in " + (f'namespace "{namespace}"' if namespace else "all namespaces")
        else:
            what = f'{verb} {resource} "{namespace}/{name}"' if namespace else f'{verb} {resource} "{name}"'
        named = type(error)(
            f"cannot {what}: {error}", reason=error.reason, retry_after_seconds=error.retry_after_seconds
        )
        named.code = error.code
        raise named from error
