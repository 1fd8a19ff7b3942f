"""The lines of a watch as events, and how long to wait for the next one.

A watch ends by itself after five to ten minutes, and whoever drives it goes on from the last version seen. A server
that sends bookmarks does so every minute or two: once one has come, `SILENCE_SECONDS` without a byte is a dead
connection (one that TCP's keepalive does not notice, as behind a proxy). Without bookmarks only the server's own
timeout, plus a grace, tells. Pure, but for the stream that `events` reads.
See https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Protocol

import msgspec

from argocd_agent.backends.kubernetes.requests import Status, status_error
from argocd_agent.backends.ports import WatchEvent, WatchType
from argocd_agent.codec import decode
from argocd_agent.errors import ClusterError, DecodeError, Unavailable
from argocd_agent.resources.objects import object_from

SHORTEST_SECONDS = 300
SPREAD_SECONDS = 300  # so that watches opened together do not all end together
GRACE_SECONDS = 30.0  # past the server's own timeout
SILENCE_SECONDS = 300.0  # seen on a kube-apiserver without other traffic: a bookmark after 60 to 120
LONGEST_LINE_BYTES = 16 << 20  # etcd takes 1.5 MiB by default; managedFields and escapes come on top

_TYPES = {kind.value: kind for kind in WatchType}


class Chunks(Protocol):
    """A stream of bytes; empty at its end."""

    async def readany(self) -> bytes: ...


class _Line(msgspec.Struct, frozen=True):
    type: str
    object: dict[str, msgspec.Raw]


class _ErrorLine(msgspec.Struct, frozen=True):
    object: Status


def server_timeout_seconds(jitter: float) -> int:
    """How long the server shall keep a watch open; 0 ≤ *jitter* < 1."""
    return SHORTEST_SECONDS + int(SPREAD_SECONDS * jitter)


class Lines:
    """Chunks in, whole lines out. Raises `Unavailable` for a line above `LONGEST_LINE_BYTES`."""

    def __init__(self, longest_bytes: int = LONGEST_LINE_BYTES) -> None:
        self._parts: list[bytes] = []
        self._held_bytes = 0
        self._longest_bytes = longest_bytes

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that *chunk* completes, without their ends; blank ones are left out."""
        *whole, rest = chunk.split(b"\n")
        if whole and self._parts:
            whole[0] = b"".join((*self._parts, whole[0]))
            self._parts.clear()
            self._held_bytes = 0
        if rest:
            self._parts.append(rest)
            self._held_bytes += len(rest)
            if self._held_bytes > self._longest_bytes:
                raise Unavailable(f"a watch line is longer than {self._longest_bytes} bytes")
        return [line for line in whole if line and not line.isspace()]


def event_from(line: bytes, what: str) -> WatchEvent:
    """The event in *line*. Raises `Gone` for an ERROR line that says 410, `Unavailable` for any other and for
    what is no event; *what* names the watch."""
    try:
        decoded = decode(line, _Line, "watch event")
        kind = _TYPES.get(decoded.type)
        if kind is not None:
            return WatchEvent(kind, object_from(decoded.object, "watch event"))
        if decoded.type == "ERROR":
            raise _error_from(decode(line, _ErrorLine, "watch error").object, what)
    except DecodeError as error:
        raise Unavailable(f"cannot {what}: the server sent what is no watch event: {error}") from error
    raise Unavailable(f'cannot {what}: the server sent a watch event of unknown type "{decoded.type}"')


async def events(
    chunks: Chunks, what: str, timeout_seconds: int, clock: Callable[[], float]
) -> AsyncGenerator[WatchEvent, None]:
    """The events on *chunks*, to its end. Raises as `event_from`, and `Unavailable` when the line has gone dead."""
    lines = Lines()
    last_at = clock() + timeout_seconds + GRACE_SECONDS
    has_bookmarks = False
    while True:
        limit = min(last_at, clock() + SILENCE_SECONDS) if has_bookmarks else last_at
        try:
            async with asyncio.timeout_at(limit):
                chunk = await chunks.readany()
        except TimeoutError as error:
            raise Unavailable(f"cannot {what}: nothing came from the server, not even a bookmark, in time") from error
        if not chunk:
            return
        for line in lines.feed(chunk):
            event = event_from(line, what)
            has_bookmarks = has_bookmarks or event.type is WatchType.BOOKMARK
            yield event


def _error_from(status: Status, what: str) -> ClusterError:
    if status.code == 410:
        return status_error(what, status, 410)
    # Whatever else ends a watch is not about the version: going on from it is right, a little later.
    return Unavailable(f"cannot {what}: the server ended it: {status.message} ({status.code} {status.reason})")
