"""Starts programs as processes of their own, waits for their ready lines, and ends every one of them.

Each runs in its own session, so that a Ctrl-C at the terminal reaches only the demo, which then ends them in order.
Ending is bounded: SIGTERM, `STOP_SECONDS`, then SIGKILL to the whole group. Output goes to one file per program.
The environment of a program has none of the variables that configure ours: a user's own settings stay out of the demo.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from argocd_agent.errors import ArgocdAgentError, LocalProtocolError

READY_SECONDS = 30.0
STOP_SECONDS = 5.0
LOG_LINES = 12  # of a program, shown when something fails
LOOPBACK = "127.0.0.1"
# Below the ports that systems give to outgoing connections, and within what the health ports accept (1 to 32767).
_PORTS = range(20_000, 32_000)
_OURS = ("ARGOCD_", "REDIS_", "KUBECONFIG")
_LINE_LIMIT_BYTES = 1024 * 1024


class ProgramFailed(ArgocdAgentError):
    """A program ended by itself or did not become ready. `name` says which; its log has the reason."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Program:
    """One running process."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    async def supervise(self) -> None:
        """Wait for the end, which must not come by itself. Raises `ProgramFailed`."""
        status = await self.process.wait()
        raise ProgramFailed(self.name, f"ended by itself with status {status}")

    async def stop(self, stop_seconds: float) -> None:
        """End it, and whatever it started: asked first, made to after *stop_seconds*."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):  # ended before
                os.killpg(self.process.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(stop_seconds):
                    await self.process.wait()
                    break
        with contextlib.suppress(ProcessLookupError):  # what it started has ended too
            os.killpg(self.process.pid, signal.SIGKILL)


class Programs:
    """All programs of the demo. Logs go to *folder*."""

    def __init__(self, folder: Path, *, stop_seconds: float = STOP_SECONDS) -> None:
        self._folder, self._stop_seconds = folder, stop_seconds
        self._folder.mkdir(parents=True, exist_ok=True)
        self._tiers: list[list[Program]] = []
        self._supervisors: list[asyncio.Task[None]] = []

    @property
    def count(self) -> int:
        """How many were started."""
        return sum(map(len, self._tiers))

    def log_of(self, name: str) -> Path:
        """Where the program *name* writes."""
        return self._folder / f"{name.replace(' ', '-')}.log"

    def last_words(self, name: str) -> list[str]:
        """The last lines of a program's log, none if it has not written any."""
        try:
            with self.log_of(name).open(encoding="utf-8", errors="replace") as log:
                return [line.rstrip() for line in deque(log, maxlen=LOG_LINES)]
        except FileNotFoundError:
            return []

    async def start(
        self, commands: Mapping[str, Sequence[str]], tasks: asyncio.TaskGroup, *, is_ready_by_line: bool
    ) -> None:
        """Start *commands* together, by name; supervised in *tasks*. With *is_ready_by_line* each is waited for until
        it has written its first line on stdout. Raises `ProgramFailed`."""
        tier: list[Program] = []
        self._tiers.append(tier)
        ready: list[asyncio.Task[None]] = []
        for name, command in commands.items():
            program = await self._launch(name, command)
            tier.append(program)
            first = asyncio.Event()
            tasks.create_task(_pump(program, first), name=f"output of {name}")
            self._supervisors.append(tasks.create_task(program.supervise(), name=f"supervise {name}"))
            if is_ready_by_line:
                ready.append(asyncio.create_task(_until_ready(program, first), name=f"ready {name}"))
        await asyncio.gather(*ready)

    async def stop(self) -> None:
        """End all, those that were started last first. Calling it twice is fine."""
        for supervisor in self._supervisors:  # from now on an end is no failure
            supervisor.cancel()
        self._supervisors.clear()
        for tier in reversed(self._tiers):
            await asyncio.gather(*(program.stop(self._stop_seconds) for program in tier))
        self._tiers.clear()

    async def _launch(self, name: str, command: Sequence[str]) -> Program:
        log = self.log_of(name)
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=environment(os.environ),
                start_new_session=True,
                limit=_LINE_LIMIT_BYTES,
            )
        return Program(name, process, log)


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """*inherited* without what configures our programs, and with loopback never sent through a proxy."""
    kept = {name: value for name, value in inherited.items() if not name.startswith(_OURS)}
    direct = ",".join(filter(None, (kept.get("NO_PROXY") or kept.get("no_proxy"), LOOPBACK, "localhost")))
    return kept | {"NO_PROXY": direct, "no_proxy": direct, "PYTHONUNBUFFERED": "1"}


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at the moment, for programs that cannot tell which one they took."""
    offset = os.getpid() % len(_PORTS)  # two demos at once begin at different places
    found: list[int] = []
    for step in range(len(_PORTS)):
        port = _PORTS[(offset + step) % len(_PORTS)]
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((LOOPBACK, port))
            found.append(port)
        if len(found) == count:
            return found
    raise ArgocdAgentError(f"expected {count} free ports between {_PORTS.start} and {_PORTS.stop}, found {len(found)}")


async def _pump(program: Program, first: asyncio.Event) -> None:
    """Carry stdout into the log, line by line."""
    if program.process.stdout is None:
        raise LocalProtocolError(f"{program.name} was started without a pipe")
    with program.log.open("ab", buffering=0) as log:
        async for line in program.process.stdout:
            log.write(line)
            first.set()


async def _until_ready(program: Program, first: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(READY_SECONDS):
            await first.wait()
    except TimeoutError as error:
        raise ProgramFailed(program.name, f"not ready within {READY_SECONDS:.0f} seconds") from error
