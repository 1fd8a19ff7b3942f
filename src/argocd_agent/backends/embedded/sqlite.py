"""Objects kept in SQLite: every change is written behind the store by one thread, several changes in one transaction.

Objects, their versions and uids survive a restart; history does not, so that earlier watches and tokens are `Gone`.
A write that was answered is in the file (WAL, synchronous=NORMAL: it survives the end of the process; the last ones
before a power cut may be lost). After an unclean end the version starts a step ahead, since versions may have been
shown to watches that never reached the file. Writes that wait for the disk are bounded: above the limit, new ones are
refused as `Unavailable`. When the disk fails, all later writes are.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from argocd_agent.backends.embedded.store import Change, Ref
from argocd_agent.errors import DecodeError, Unavailable
from argocd_agent.resources.objects import Object, decode_object

WAITING_LIMIT = 1000
STEP_AFTER_UNCLEAN_END = 1_000_000  # far more than can wait, so that no version is ever used twice

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, json BLOB NOT NULL,
    PRIMARY KEY (resource, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO state VALUES ('version', 1), ('is_open', 0);
"""
_PUT = "INSERT INTO objects VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET json = excluded.json"
_REMOVE = "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?"
_STATE = "UPDATE state SET value = ? WHERE name = ?"


class Database:
    """The file, and the thread that writes to it. Made by `open_database`; used on one loop."""

    def __init__(
        self,
        path: Path,
        thread: ThreadPoolExecutor,
        connection: sqlite3.Connection,
        version: int,
        objects: list[tuple[str, Object]],
    ) -> None:
        self.version = version
        self._path, self._thread, self._connection, self._objects = path, thread, connection, objects
        self._waiting: list[tuple[Ref, Change]] = []
        self._recorded = self._written = 0
        self._batch: asyncio.Future[int] | None = None
        self._failure: sqlite3.Error | None = None

    def take_objects(self) -> Iterator[tuple[str, Object]]:
        """What was in the file, once; it is not held here any longer."""
        objects, self._objects = self._objects, []
        yield from objects

    def record(self, ref: Ref, change: Change) -> None:
        """Part of `Journal`: the change will be written at the next `flush`."""
        self._waiting.append((ref, change))
        self._recorded += 1

    def check(self) -> None:
        """Raises `Unavailable` when the disk has failed or too much waits for it."""
        if self._failure is not None:
            raise Unavailable(f"{self._path}: {self._failure}", reason="InternalError") from self._failure
        if len(self._waiting) > WAITING_LIMIT:
            told = f"{self._path}: {len(self._waiting)} writes wait for the disk, {WAITING_LIMIT} may"
            error = Unavailable(told, reason="TooManyRequests", retry_after_seconds=1.0)
            error.code = 429
            raise error

    async def flush(self) -> None:
        """Return when everything recorded so far is in the file. Raises `Unavailable`."""
        target = self._recorded
        while self._written < target and self._failure is None:
            if self._batch is None:
                batch, self._waiting = self._waiting, []
                loop = asyncio.get_running_loop()
                self._batch = loop.run_in_executor(self._thread, _write, self._connection, batch)
                self._batch.add_done_callback(self._finished)
            # `wait` does not cancel the batch when this caller is cancelled: others wait for it too.
            await asyncio.wait([self._batch])
        if self._failure is not None:
            self.check()

    async def close(self) -> None:
        """Write what waits, mark the file as cleanly left, end the thread."""
        try:
            await self.flush()
        finally:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, _leave, self._connection, self._failure is None)
            self._thread.shutdown(wait=False)

    def _finished(self, batch: asyncio.Future[int]) -> None:
        self._batch = None
        error = None if batch.cancelled() else batch.exception()
        if isinstance(error, sqlite3.Error):
            self._failure = error
        elif not batch.cancelled():
            self._written += batch.result()


async def open_database(path: Path) -> Database:
    """The database in *path*, made where there is none. Raises `Unavailable` where it cannot be used."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
    loop = asyncio.get_running_loop()
    try:
        connection, version, objects = await loop.run_in_executor(thread, _open, path)
    except (sqlite3.Error, DecodeError) as error:
        thread.shutdown(wait=False)
        raise Unavailable(
            f"{path}: cannot be opened as a cluster's database: {error}", reason="InternalError"
        ) from error
    return Database(path, thread, connection, version, objects)


def _open(path: Path) -> tuple[sqlite3.Connection, int, list[tuple[str, Object]]]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(_SCHEMA)
    state = dict(connection.execute("SELECT name, value FROM state"))
    version = state["version"] + (STEP_AFTER_UNCLEAN_END if state["is_open"] else 0)
    with connection:
        connection.execute(_STATE, (version, "version"))
        connection.execute(_STATE, (1, "is_open"))
    rows = connection.execute("SELECT resource, name, json FROM objects")
    return connection, version, [(resource, decode_object(raw, f"{resource} {name}")) for resource, name, raw in rows]


def _write(connection: sqlite3.Connection, batch: list[tuple[Ref, Change]]) -> int:
    """One transaction. Returns how many changes it held."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for ref, change in batch:
            if change.is_removal:
                connection.execute(_REMOVE, (ref.resource, *ref.key))
            else:
                connection.execute(_PUT, (ref.resource, *ref.key, change.after.encode()))
        connection.execute(_STATE, (batch[-1][1].version, "version"))
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.rollback()
        raise
    return len(batch)


def _leave(connection: sqlite3.Connection, is_clean: bool) -> None:
    if is_clean:
        connection.execute(_STATE, (0, "is_open"))
    connection.close()
