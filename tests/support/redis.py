"""A real Redis server for tests: Debian's, in memory only, on a free port, ended by its process id.

with a_redis(folder) as redis:                                       # plain
with a_redis(folder, "--requirepass", "secret") as redis:           # a password
with a_redis(folder, authority=Authority(folder)) as redis:          # TLS alone, with the authority's server pair
"""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.authority import Authority

READY_SECONDS = 20.0
_PROBE_SECONDS = 0.02


class RedisMissing(Exception):
    """Redis is not installed, or did not start; the message says which."""


@dataclass(frozen=True, slots=True)
class RealRedis:
    """One server on this machine. *cli* holds the options that redis-cli needs to get in."""

    port: int
    cli: tuple[str, ...]
    process: "subprocess.Popen[bytes]"

    def say(self, *words: str) -> str:
        """What redis-cli prints for a command."""
        command = [program("redis-cli"), "-h", "127.0.0.1", "-p", str(self.port), *self.cli, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    def stop(self) -> None:
        """Kill it. Twice is fine."""
        self.process.kill()
        self.process.wait()


def program(name: str) -> str:
    """The path of *name*. Raises `RedisMissing`."""
    found = shutil.which(name)
    if found is None:
        raise RedisMissing(f"no {name} on PATH: expected Redis 7, as in Debian's packages redis-server and redis-tools")
    return found


@contextlib.contextmanager
def a_redis(
    folder: Path, *options: str, authority: Authority | None = None, cli: tuple[str, ...] = (), port: int = 0
) -> Iterator[RealRedis]:
    """A server with *options*, until the block ends; with *authority* over TLS alone."""
    port = port or _free_port()
    listening, way_in = ["--port", str(port)], cli
    if authority is not None:
        ca = str(authority.certificate)
        pair = [str(authority.certificate.with_name(name)) for name in ("server.crt", "server.key")]
        listening = ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
        listening += ["--tls-cert-file", pair[0], "--tls-key-file", pair[1], "--tls-ca-cert-file", ca]
        way_in = (*cli, "--tls", "--cacert", ca)
    memory_only = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--dir", str(folder)]
    log = folder / f"redis-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program("redis-server"), *listening, *memory_only, *options], stdout=output, stderr=output
        )
    redis = RealRedis(port, way_in, process)
    try:
        _until_up(redis, log)
        yield redis
    finally:
        redis.stop()


def _until_up(redis: RealRedis, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while redis.process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", redis.port), timeout=1):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            redis.process.wait(_PROBE_SECONDS)
    raise RedisMissing(f"redis-server did not start on port {redis.port}:\n{log.read_text('utf-8', 'replace')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
