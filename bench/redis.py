"""What it costs to talk to the hub's Redis through the principal's face, beside talking to it directly.

Pass-through is measured by redis-benchmark (1 KB, pipeline of 16, 50 connections), in rounds that alternate between
both. A key of an agent is read one after the other, on one connection, without the link: the link's part stands in
other rows.
"""

import contextlib
import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from argocd_agent.backends.redis.client import RedisCache, RedisOptions
from bench.figures import Figure, latencies, median_of
from bench.processes import BenchFailed
from tests.support.redis import RedisMissing, a_redis, program

ROUNDS, COMMANDS, READS = 5, 400_000, 5000
BYTES, PIPELINE, CLIENTS = 1000, 16, 50
TREE, OWN = "app|resources-tree|agent-1_guestbook|1.8.3.gz", "own"


def measure(divisor: int) -> list[Figure]:
    """Every figure."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix="argocd-agent-bench-") as folder,
            a_redis(Path(folder)) as redis,
            _face(redis.port) as port,
        ):
            return [*_passed(redis.port, port, divisor), *_read(redis.port, port, divisor)]
    except RedisMissing as error:
        raise BenchFailed(str(error)) from error


@contextlib.contextmanager
def _face(redis_port: int) -> Iterator[int]:
    """The port of a face in a process of its own."""
    command = [sys.executable, "-m", "bench.redisface", str(redis_port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None, "it is a pipe"
            line = process.stdout.readline()
            if not line:
                raise BenchFailed("the Redis face did not start")
            yield int(line)
        finally:
            process.kill()


def _passed(redis_port: int, face_port: int, divisor: int) -> list[Figure]:
    samples: dict[tuple[str, int], list[float]] = {}
    for _ in range(ROUNDS):
        for port in (redis_port, face_port):
            for name, seconds in _benchmark(port, COMMANDS // divisor).items():
                samples.setdefault((name, port), []).append(seconds * 1e6)
    return [
        median_of("redis", f"{name} passed on", "us", samples[name, face_port], samples[name, redis_port])
        for name in ("SET", "GET")
    ]


def _benchmark(port: int, commands: int) -> dict[str, float]:
    """Seconds for each command, by its name."""
    words = [program("redis-benchmark"), "-h", "127.0.0.1", "-p", str(port), "-t", "set,get", "--csv"]
    words += ["-n", str(commands), "-d", str(BYTES), "-P", str(PIPELINE), "-c", str(CLIENTS)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return {row["test"]: 1 / float(row["rps"]) for row in csv.DictReader(done.stdout.splitlines())}


def _read(redis_port: int, face_port: int, divisor: int) -> list[Figure]:
    async def timed(port: int, key: str) -> list[float]:
        options = RedisOptions(host="127.0.0.1", port=port)
        cache = RedisCache(lambda: options)
        await cache.set(OWN, b"x" * 8192, ttl_seconds=60)
        samples = []
        for _ in range(READS // divisor):
            began = time.perf_counter()
            await cache.get(key)
            samples.append(time.perf_counter() - began)
        await cache.close()
        return samples

    ours, floor = uvloop.run(timed(face_port, TREE)), uvloop.run(timed(redis_port, OWN))
    named = latencies("redis", ours, floor)
    return [Figure(one.row, f"GET of an agent's key, {one.name}", one.unit, one.value, one.floor) for one in named]
