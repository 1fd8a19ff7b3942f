"""Pods without a cluster: a log that grows, and a command that echoes, for tests of who reads and runs them."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from argocd_agent.backends.pods import Command, LogOptions
from argocd_agent.errors import ClusterError, Unavailable
from argocd_agent.wire.execframes import SUCCESS, Ended
from argocd_agent.wire.timestamps import format_sent_at, parse_nanoseconds

START = 1_795_262_400 * 10**9  # 2026-11-21T12:00:00Z


@dataclass
class FakeExec:
    """A command that shows what is typed, until `exit`."""

    command: Command
    outputs: asyncio.Queue[bytes | Ended | ClusterError] = field(default_factory=asyncio.Queue)
    typed: bytes = b""
    sizes: list[tuple[int, int]] = field(default_factory=list)
    is_stdin_closed: bool = False
    is_closed: bool = False

    async def write(self, data: bytes) -> None:
        self.typed += data
        self.outputs.put_nowait(Ended(3, "command terminated with exit code 3") if data == b"exit 3\n" else data)

    async def resize(self, columns: int, rows: int) -> None:
        self.sizes.append((columns, rows))

    async def close_stdin(self) -> None:
        self.is_stdin_closed = True
        self.outputs.put_nowait(SUCCESS)

    async def read(self) -> bytes | Ended:
        found = await self.outputs.get()
        if isinstance(found, ClusterError):
            raise found
        return found

    async def close(self) -> None:
        self.is_closed = True


@dataclass
class FakePods:
    """One pod. `lines` are its log: when, in nanoseconds since `START`, and what; `say` adds one."""

    lines: list[tuple[int, str]] = field(default_factory=list)
    piece_bytes: int = 64 * 1024
    asked: list[LogOptions] = field(default_factory=list)
    open_logs: int = 0
    refuses: ClusterError | None = None
    commands: list[FakeExec] = field(default_factory=list)
    _grown: asyncio.Event = field(default_factory=asyncio.Event)
    _break: ClusterError | None = None
    is_ended: bool = False

    def say(self, nanoseconds: int, text: str) -> None:
        """One more line."""
        self.lines.append((nanoseconds, text))
        self._wake()

    def end(self) -> None:
        """The container ends."""
        self.is_ended = True
        self._wake()

    def break_off(self) -> None:
        """Whoever follows the log now loses it."""
        self._break = Unavailable("cannot read the log: the connection broke")
        self._wake()
        self._break = None

    def _wake(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        self._broken = self._break
        grown.set()

    @contextlib.asynccontextmanager
    async def log(self, options: LogOptions) -> AsyncGenerator[AsyncIterator[bytes], None]:
        """As `Pods`."""
        self.asked.append(options)
        if self.refuses is not None:
            raise self.refuses
        self.open_logs += 1
        try:
            yield self._pieces(options)
        finally:
            self.open_logs -= 1

    async def exec(self, command: Command) -> FakeExec:
        """As `Pods`."""
        if self.refuses is not None:
            raise self.refuses
        self.commands.append(FakeExec(command))
        return self.commands[-1]

    async def _pieces(self, options: LogOptions) -> AsyncIterator[bytes]:
        since = parse_nanoseconds(options.since_time) - START if options.since_time else -1
        at = 0 if options.tail_lines is None else max(0, len(self.lines) - options.tail_lines)
        while True:
            new, at = self.lines[at:], len(self.lines)
            text = "".join(_written(when, line, options.timestamps) for when, line in new if when >= since).encode()
            for start in range(0, len(text), self.piece_bytes):
                yield text[start : start + self.piece_bytes]
            if at < len(self.lines):
                continue
            if not options.follow or self.is_ended:
                return
            grown = self._grown
            await grown.wait()
            if self._broken is not None and at == len(self.lines):
                raise self._broken


def _written(when: int, text: str, with_timestamp: bool) -> str:
    stamp = f"{format_sent_at(START + when)} " if with_timestamp else ""
    return f"{stamp}{text}\n"
