"""Programs as processes, ours and others': started, listened to, looked at through their pages, ended by their own id.

    principal = Running("principal", ["principal", "--namespace", …], health_port=20001)
    principal.until_ready()                      # every change of health is also a log line: that is what is waited for
    line = principal.until_said("Listening")     # a line with these words, now or later
    assert principal.stop() == 0

    with said_and_ended(Running("redis", ["--port=20002"], command=["redis-server"]), "Ready to accept"): …

Everything here blocks, for a bounded time; coroutines call it through `asyncio.to_thread`. What has not come in time
raises `NotSaid`, whose message ends with the program's last words.
"""

import contextlib
import http.client
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from argocd_agent.demo.programs import environment

PROGRAM = (sys.executable, "-c", "from argocd_agent.cli.main import main; main()")
CTL = (sys.executable, "-c", "from argocd_agent.cli.ctl import main; main()")
HEARD_SECONDS = 20.0
ENDED_SECONDS = 10.0
LAST_WORDS = 25
LOOPBACK = "127.0.0.1"

# Below the ports that systems give to outgoing connections, so that a program finds its own again after a restart.
_ports = itertools.cycle(range(21_000 + os.getpid() % 9_000, 32_000))


class NotSaid(AssertionError):
    """A program did not say or show something in time."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command that has ended said."""

    status: int
    out: str
    err: str


def a_port() -> int:
    """A port that nobody listens on at the moment; never the same twice in a row."""
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise AssertionError("there is always a next port")


def run(
    command: Sequence[str], arguments: Sequence[str], variables: Mapping[str, str] | None = None, seconds: float = 30.0
) -> Said:
    """Run *command* (`PROGRAM` or `CTL`) with *arguments* to its end."""
    done = subprocess.run(
        [*command, *arguments],
        env=environment(os.environ) | dict(variables or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


@dataclass
class Running:
    """One running program. `lines` grows; each is the name of its stream and its text."""

    name: str
    arguments: Sequence[str]
    health_port: int = 0  # 0: it has no such pages
    variables: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] = PROGRAM
    lines: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._news = threading.Condition()
        self._open = 2
        # The kernel ends the program when we die without cleaning up.
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        self.process = subprocess.Popen(
            [*leash, *self.command, *self.arguments],
            env=environment(os.environ) | dict(self.variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None, "there is a pipe"
        assert self.process.stderr is not None, "there is a pipe"
        self._readers = [
            threading.Thread(target=self._read, args=(stream, pipe), name=f"{self.name} {stream}", daemon=True)
            for stream, pipe in (("stdout", self.process.stdout), ("stderr", self.process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def mark(self) -> int:
        """Where the log is now, for `since`."""
        return len(self.lines)

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def said(self, *words: str, since: int = 0) -> str:
        """The first line from *since* on that holds all *words*; empty if there is none."""
        return next((text for _, text in self.lines[since:] if all(word in text for word in words)), "")

    def until_said(self, *words: str, since: int = 0, seconds: float = HEARD_SECONDS) -> str:
        """That line, waited for. Raises `NotSaid`."""
        what = f"a line with {' and '.join(map(repr, words))}"
        self._until(lambda: bool(self.said(*words, since=since)), what, seconds)
        return self.said(*words, since=since)

    def until_ready(self, seconds: float = HEARD_SECONDS) -> None:
        """Wait until /readyz says 200. Raises `NotSaid`."""
        self._until(lambda: self.page("/readyz")[0] == 200, "/readyz: 200", seconds)

    def until_not_ready(self, *words: str, seconds: float = HEARD_SECONDS) -> str:
        """The page /readyz as soon as it says 503 and holds all *words*. Raises `NotSaid`."""
        seen: list[str] = []

        def is_so() -> bool:
            status, text = self.page("/readyz")
            seen[:] = [text]
            return status == 503 and all(word in text for word in words)

        self._until(is_so, f"/readyz: 503 with {' and '.join(map(repr, words))}", seconds)
        return seen[0]

    def page(self, path: str, port: int = 0) -> tuple[int, str]:
        """Status and text of one of its pages; status 0 while nobody answers."""
        connection = http.client.HTTPConnection(LOOPBACK, port or self.health_port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the program still runs."""
        self.process.send_signal(number)

    def until_ended(self, seconds: float = ENDED_SECONDS) -> int:
        """Its exit status, negative for a signal. Raises `NotSaid` when it goes on."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise NotSaid(f"{self.name} still runs after {seconds:g} s:\n{self.last_words()}") from None
        for reader in self._readers:
            reader.join(ENDED_SECONDS)
        return status

    def stop(self) -> int:
        """Ask it to end, and wait; its exit status."""
        self.send(signal.SIGTERM)
        return self.until_ended()

    def kill(self) -> None:
        """End it at once. Twice is fine."""
        self.process.kill()
        self.until_ended()

    def pause(self) -> None:
        """Let it stand still, as a machine under too much load does."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.send(signal.SIGCONT)

    def last_words(self) -> str:
        return "\n".join(text for _, text in self.lines[-LAST_WORDS:])

    def _until(self, claim: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait until *claim*, which is asked after each line, and at the end of the program."""
        deadline = time.monotonic() + seconds
        while True:
            with self._news:
                heard, is_over = len(self.lines), self._open == 0
            if claim():
                return
            if is_over:
                raise NotSaid(f"{self.name} ended before {what}:\n{self.last_words()}")
            with self._news:
                while len(self.lines) == heard and self._open and self._news.wait(deadline - time.monotonic()):
                    pass
                if len(self.lines) == heard and self._open:
                    raise NotSaid(f"{self.name}: not within {seconds:g} s: {what}:\n{self.last_words()}")

    def _read(self, stream: str, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                with self._news:
                    self.lines.append((stream, line.rstrip("\n")))
                    self._news.notify_all()
        with self._news:
            self._open -= 1
            self._news.notify_all()


@contextlib.contextmanager
def said_and_ended(program: Running, *words: str, seconds: float = HEARD_SECONDS) -> Iterator[Running]:
    """*program* as soon as it has said *words*, killed at the end of the block. Raises `NotSaid`."""
    try:
        program.until_said(*words, seconds=seconds)
        yield program
    finally:
        program.kill()
