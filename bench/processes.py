"""A program as a process: started, looked at through /proc, ended by its id.

It has a session of its own, so that Ctrl-C reaches only the bench, which then ends it; and where `setpriv` exists the
kernel ends it when the bench is killed. The environment of the programs has no settings of whoever runs the bench.
"""

import asyncio
import contextlib
import http.client
import os
import shutil
import signal
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from argocd_agent.demo.programs import environment
from argocd_agent.peer.observe import pause

STOP_SECONDS = 8.0
LISTEN_SECONDS = 30.0
PROBE_SECONDS = 0.002  # a listener cannot tell us when it opens
READY_SECONDS = 120.0
READY_PROBE_SECONDS = 0.05  # nor a page when it changes
PAGE_SECONDS = 10.0
# Below the ports that systems give to outgoing connections, and within what the health ports accept (1 to 32767).
PORTS = range(21_000, 32_000)
_LAST_LINES = 25


class BenchFailed(Exception):
    """Something was not seen in time; the message says what, and ends with the last words of the programs."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process holds. PSS counts a page that several processes share only in part."""

    rss_bytes: int
    pss_bytes: int


@dataclass(frozen=True, slots=True)
class Process:
    """One running program. `started` is the clock just before it was asked for; 0 is no page."""

    name: str
    process: asyncio.subprocess.Process
    log: Path
    started: float
    health_port: int = 0
    metrics_port: int = 0

    async def stop(self) -> None:
        """SIGTERM, a grace, SIGKILL. Twice is fine."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.returncode is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self.process.wait()

    def cpu_seconds(self) -> float:
        """CPU used since the start, in user and kernel mode."""
        return cpu_seconds(Path(f"/proc/{self.process.pid}/stat").read_text(), os.sysconf("SC_CLK_TCK"))

    def memory(self) -> Memory:
        """What it holds now."""
        return memory(Path(f"/proc/{self.process.pid}/smaps_rollup").read_text())

    async def is_ready(self) -> bool:
        """What its page /readyz says."""
        return (await asyncio.to_thread(_page, self.health_port, "/readyz"))[0] == HTTPStatus.OK

    async def counted(self, name: str) -> float:
        """What its metric *name* says, all series together. Raises `BenchFailed` where it says nothing."""
        status, text = await asyncio.to_thread(_page, self.metrics_port, "/metrics")
        if status != HTTPStatus.OK or f"\n{name}" not in text:
            raise BenchFailed(f"expected {name} among the metrics of {self.name}, found status {status} without it")
        return metric(text, name)

    def last_words(self) -> str:
        """The end of its log."""
        with self.log.open(encoding="utf-8", errors="replace") as log:
            lines = deque(log, maxlen=_LAST_LINES)
        state = "running" if self.process.returncode is None else f"ended with status {self.process.returncode}"
        return f"--- {self.name} ({state})\n{''.join(lines)}"


async def start(
    name: str, command: Sequence[str], log: Path, *, health_port: int = 0, metrics_port: int = 0
) -> Process:
    """Start *command*; its output is added to *log*. The ports are those that it was given for its pages."""
    leash = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
    with log.open("ab") as output:
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *leash,
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment_of_programs(),
            start_new_session=True,
        )
    return Process(name, process, log, started, health_port, metrics_port)


async def until_ready(program: Process, *, is_ready: bool = True) -> float:
    """The clock when *program* first said that it is ready, or is not. Raises `BenchFailed`."""
    deadline = time.perf_counter() + READY_SECONDS
    while program.process.returncode is None and time.perf_counter() < deadline:
        if await program.is_ready() is is_ready:
            return time.perf_counter()
        await pause(READY_PROBE_SECONDS)
    raise BenchFailed(f"{program.name} never said that it is {'' if is_ready else 'not '}ready\n{program.last_words()}")


async def until_listening(program: Process, port: int) -> float:
    """The clock when *program* first accepted a connection on *port*. Raises `BenchFailed`."""
    deadline = time.perf_counter() + LISTEN_SECONDS
    while program.process.returncode is None and time.perf_counter() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return time.perf_counter()
        await pause(PROBE_SECONDS)
    raise BenchFailed(f"{program.name} does not listen on port {port}\n{program.last_words()}")


def free_ports() -> Iterator[int]:
    """Ports that nobody listens on at the moment, none twice: for programs that cannot tell which one they took."""
    for step in range(len(PORTS)):
        port = PORTS[(os.getpid() + step) % len(PORTS)]  # two benches at once begin at different places
        if _is_free(port):
            yield port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def environment_of_programs() -> dict[str, str]:
    """Without settings of ours, and with the modules' compiled form kept, as installed programs have it."""
    kept = environment(os.environ)
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept


def cpu_seconds(stat: str, ticks_per_second: int) -> float:
    """utime and stime of a /proc/<pid>/stat. See https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html."""
    fields = stat.rpartition(")")[2].split()  # the name before may hold anything
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / ticks_per_second


def metric(text: str, name: str) -> float:
    """The sum of the series of *name* in a page of the exposition format."""
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return sum(float(value) for series, _, value in lines if series.partition("{")[0] == name)


def memory(smaps_rollup: str) -> Memory:
    """Rss and Pss of a /proc/<pid>/smaps_rollup."""
    kilobytes = {
        name: int(rest.split()[0])
        for name, _, rest in (line.partition(":") for line in smaps_rollup.splitlines())
        if name in ("Rss", "Pss")
    }
    return Memory(kilobytes["Rss"] * 1024, kilobytes["Pss"] * 1024)


def _page(port: int, path: str) -> tuple[int, str]:
    """Status and text of a page; status 0 while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PAGE_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()
