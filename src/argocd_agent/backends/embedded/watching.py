"""Drives watches: turns the store's changes into events as they come, with bookmarks between.

A watch that cannot keep up holds up nobody: it reads from the store's window, and raises `Gone` when what it has not
read yet was forgotten. A bookmark comes once a minute, and only when something was written that the watch did not
show; an idle cluster's watches set no timer.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from argocd_agent.backends.embedded.faults import bad_request
from argocd_agent.backends.embedded.listing import Selection, page
from argocd_agent.backends.embedded.store import Store
from argocd_agent.backends.ports import WatchEvent, WatchType
from argocd_agent.resources.objects import Metadata, Object

BOOKMARK_SECONDS = 60.0
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class Watches:
    """Starts watches on one store, and ends them all."""

    def __init__(self, store: Store, bookmark_seconds: float = BOOKMARK_SECONDS) -> None:
        self._store, self.bookmark_seconds = store, bookmark_seconds
        self._wakes: set[asyncio.Event] = set()
        self._is_closed = False

    def close(self) -> None:
        """End every watch, those that are started later too."""
        self._is_closed = True
        for wake in self._wakes:
            wake.set()

    async def events(
        self, selection: Selection, since: str, *, wants_initial_end: bool = False
    ) -> AsyncGenerator[WatchEvent, None]:
        """Changes after version *since*; for `""` and `"0"`, what is there comes first, as ADDED.

        With *wants_initial_end*, a bookmark says where that ends. Raises `Gone`, `BadRequest`.
        """
        store, resource = self._store, selection.kind.resource
        initial = page(store, selection).items if since in ("", "0") or wants_initial_end else []
        start = store.version if since in ("", "0") or wants_initial_end else parse_version(since)
        cursor, bucket = store.cursor(resource, start), store.buckets[resource]
        wake = asyncio.Event()
        bucket.bells.add(wake.set)
        self._wakes.add(wake)
        try:
            for obj in initial:
                yield WatchEvent(WatchType.ADDED, obj)
            if wants_initial_end:
                yield bookmark(selection, start, {INITIAL_EVENTS_END: "true"})
            shown = start
            due: float | None = None
            while not self._is_closed and not bucket.is_closed:
                wake.clear()
                changes = cursor.take()
                for change in changes:
                    event = selection.event(change)
                    if event is not None:
                        shown = change.version
                        yield event
                if changes:
                    continue
                due = self._bookmark_due(shown, due, wake)
                if await _wait(wake, due):
                    continue
                shown, due = store.version, None
                yield bookmark(selection, shown)
        finally:
            bucket.bells.discard(wake.set)
            store.idle.discard(wake.set)
            self._wakes.discard(wake)

    def _bookmark_due(self, shown: int, due: float | None, wake: asyncio.Event) -> float | None:
        """When the next bookmark is due; None while there is no news, and the next write of any kind wakes."""
        if self._store.version == shown:
            self._store.idle.add(wake.set)
            return None
        return due or asyncio.get_running_loop().time() + self.bookmark_seconds


def bookmark(selection: Selection, version: int, annotations: dict[str, str] | None = None) -> WatchEvent:
    """Word that a watch has shown everything up to *version*."""
    metadata = Metadata(resource_version=str(version), annotations=annotations)
    return WatchEvent(WatchType.BOOKMARK, Object(metadata, selection.kind.type_fields))


def parse_version(text: str) -> int:
    """A resource version of ours. Raises `BadRequest`."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise bad_request(f'resourceVersion: Invalid value: "{text}": not a version')
    return int(text)


async def _wait(wake: asyncio.Event, due: float | None) -> bool:
    """Whether *wake* was set before *due*."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(due):
            await wake.wait()
    return wake.is_set()
