"""What a terminal showed, in a file that `asciinema play` can show again (asciicast v2).

https://docs.asciinema.org/manual/asciicast/v2/. Output and sizes only: what is typed may be a password that is never
shown. A file has at most *limit_bytes*; then it says so and the terminal goes on unrecorded. Files are for their owner
alone, and are not taken away by us.
"""

import asyncio
import codecs
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from argocd_agent.codec import encode
from argocd_agent.wire.timestamps import format_time


class Recording(Protocol):
    """Takes what a terminal shows."""

    async def shown(self, data: bytes) -> None:
        """Output. Raises OSError where it cannot be written down."""
        ...

    async def resized(self, columns: int, rows: int) -> None:
        """A new size. Raises OSError."""
        ...

    async def close(self) -> None:
        """There is no more. Raises OSError."""
        ...


class Unrecorded:
    """Takes nothing down."""

    async def shown(self, data: bytes) -> None:
        """Nothing."""

    async def resized(self, columns: int, rows: int) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is recorded: which terminal, and who has it, as far as that is known."""

    agent: str
    namespace: str
    pod: str
    container: str
    command: str
    user: str
    uuid: str


class Asciicast:
    """A `Recording` in a file. Times are seconds since it began."""

    def __init__(self, file: int, limit_bytes: int, clock: Callable[[], float]) -> None:
        self._file, self._left, self._clock = file, limit_bytes, clock
        self._began = clock()
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_open = True

    async def shown(self, data: bytes) -> None:
        """As `Recording`."""
        if text := self._text.decode(data):
            await self._put("o", text)

    async def resized(self, columns: int, rows: int) -> None:
        """As `Recording`."""
        await self._put("r", f"{columns}x{rows}")

    async def close(self) -> None:
        """As `Recording`."""
        if self._is_open:
            self._is_open = False
            await asyncio.to_thread(os.close, self._file)

    async def _put(self, kind: str, text: str) -> None:
        if not self._is_open:
            return
        line = self._line(kind, text)
        self._left -= len(line)
        if self._left < 0:
            await asyncio.to_thread(_write, self._file, self._line("m", "the recording has reached its limit"))
            await self.close()
            return
        await asyncio.to_thread(_write, self._file, line)

    def _line(self, kind: str, text: str) -> bytes:
        return encode([round(self._clock() - self._began, 6), kind, text]) + b"\n"


async def record(
    folder: Path, subject: Subject, *, limit_bytes: int, clock: Callable[[], float], now: float
) -> Recording:
    """A recording that has begun, in a file of its own in *folder*. *now* is in seconds since 1970. Raises OSError."""
    header = {
        "version": 2,
        "width": 80,
        "height": 24,
        "timestamp": int(now),
        "command": subject.command,
        "title": f"{subject.agent}: {subject.namespace}/{subject.pod} {subject.container}".rstrip(),
        "env": {"USER": subject.user},
    }
    name = f"{format_time(now)}_{subject.agent}_{subject.namespace}_{subject.pod}_{subject.uuid}"
    path = folder / f"{re.sub(r'[^A-Za-z0-9._-]', '-', name)}.cast"
    file = await asyncio.to_thread(_create, path, encode(header) + b"\n")
    return Asciicast(file, limit_bytes, clock)


def _create(path: Path, header: bytes) -> int:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _write(file, header)
    except OSError:
        os.close(file)
        raise
    return file


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
