"""Keys, certificates and CAs from Secrets or files, kept current without a restart.

Each piece is named, and is a set of fields (`tls.crt`, `tls.key`, …) of one Secret, or of files. A Secret that is
missing is waited for by a watch; files are watched by the operating system. Whoever uses a piece is told that it
changed, and decides what that means.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from argocd_agent.backends.ports import Cluster, Scope
from argocd_agent.errors import ConfigError, KeyMaterialError
from argocd_agent.peer.observe import Change, Observer
from argocd_agent.resources.kinds import SECRETS
from argocd_agent.resources.objects import Object
from argocd_agent.telemetry.logs import get_log

log = get_log("Keys")


class Missing(KeyMaterialError):
    """The piece has not been read yet, or is not there; that has been reported already."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece: *files* (field → path) where given, else the Secret *secret*. *fields*: those that must be there.

    Of an optional piece nothing is missed: without its Secret it is empty.
    """

    name: str
    secret: str
    fields: tuple[str, ...] = ()
    files: Mapping[str, str] | None = None
    is_optional: bool = False


class Material:
    """The pieces of one program, from the namespace *namespace* of *cluster* or from files."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        pieces: Sequence[Piece],
        *,
        changed: Callable[[], None],
        report: Callable[[str, str | None], None],
    ) -> None:
        self._cluster, self._namespace, self._pieces = cluster, namespace, {piece.name: piece for piece in pieces}
        self._changed, self._report = changed, report
        self._values: dict[str, Mapping[str, bytes]] = {}
        self._problems: dict[str, str] = {}
        self._observers = {p.name: self._observer(p) for p in pieces if p.files is None}

    def get(self, name: str) -> Mapping[str, bytes]:
        """The fields of piece *name*. Raises `Missing`, which says what is missing where."""
        if name not in self._values:
            raise Missing(self._problems.get(name, f"{self.where(name)}: not read yet"))
        return self._values[name]

    def where(self, name: str) -> str:
        """Where piece *name* comes from, for messages."""
        piece = self._pieces[name]
        if piece.files is not None:
            return f"{name} ({', '.join(piece.files.values())})"
        return f'{name} (Secret "{self._namespace}/{piece.secret}")'

    def read_files(self) -> None:
        """Read all pieces that are files. Raises `ConfigError` for one that cannot be read: at start that is fatal."""
        for piece in self._pieces.values():
            if piece.files is not None:
                self._values[piece.name] = {field: _read(piece.name, path) for field, path in piece.files.items()}

    async def run(self) -> None:
        """Keep the pieces current, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, observer in self._observers.items():
                tasks.create_task(observer.run(), name=f"watch {self.where(name)}")
                tasks.create_task(self._miss(name, observer), name=f"wait for {self.where(name)}")
            if paths := [Path(p) for piece in self._pieces.values() for p in (piece.files or {}).values()]:
                tasks.create_task(self._watch_files(paths), name="watch key files")

    async def _watch_files(self, paths: Sequence[Path]) -> None:
        from watchfiles import awatch

        folders = {path.resolve().parent for path in paths} | {path.parent for path in paths}
        async for _ in awatch(*folders):
            try:
                self.read_files()
            except ConfigError as error:  # half written, or being replaced
                log.warning(f"{error}; what was read last stays in use")
            else:
                self._changed()

    def _observer(self, piece: Piece) -> Observer:
        scope = Scope(self._namespace, fields=f"metadata.name={piece.secret}")
        return Observer(
            self._cluster,
            SECRETS,
            scope,
            lambda change: self._on_change(piece, change),
            report=lambda problem: self._unreadable(piece, problem),
        )

    async def _miss(self, name: str, observer: Observer) -> None:
        await observer.synced.wait()
        if name in self._values or observer.objects:
            return  # it is there; if it cannot be used, that has been said
        if self._pieces[name].is_optional:
            self._values[name] = {}
            self._report(name, None)
            self._changed()
        else:
            self._lacks(name, f"{self.where(name)}: there is no such Secret")

    def _unreadable(self, piece: Piece, problem: str | None) -> None:
        if problem is not None and piece.name not in self._values:
            self._lacks(piece.name, f"{self.where(piece.name)}: {problem}")

    def _on_change(self, piece: Piece, change: Change) -> None:
        if change.new is None:
            # Nobody is served worse for it, so this is no reason to be not ready; a restart would need it again.
            log.warning(f"{self.where(piece.name)}: the Secret was deleted; the last one stays in use")
            return
        try:
            self._values[piece.name] = secret_fields(change.new, self.where(piece.name), piece.fields)
        except KeyMaterialError as error:
            if piece.name in self._values:
                log.error(f"{error}; the last one stays in use")
            else:
                self._lacks(piece.name, str(error))
            return
        self._problems.pop(piece.name, None)
        self._report(piece.name, None)
        self._changed()

    def _lacks(self, name: str, problem: str) -> None:
        self._problems[name] = problem
        self._report(name, problem)
        self._changed()


def secret_fields(secret: Object, where: str, wanted: Sequence[str]) -> Mapping[str, bytes]:
    """The data of *secret*, decoded. Raises `KeyMaterialError` for one of *wanted* that is not there."""
    data = secret.look("data")
    data = data if isinstance(data, dict) else {}
    lacking = [field for field in wanted if not data.get(field)]
    if lacking:
        found = ", ".join(sorted(data)) or "nothing"
        raise KeyMaterialError(f"{where}: expected field {' and '.join(lacking)}, found {found}")
    try:
        return {field: base64.b64decode(value, validate=True) for field, value in data.items()}
    except (binascii.Error, TypeError) as error:
        raise KeyMaterialError(f"{where}: data is not base64: {error}") from error


def _read(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{name}: cannot read {path}: {error.strerror}") from error
