"""A short run of every fuzz target: its seeds, seeds with a few bytes changed, and random bytes.

The same inputs every time. `fuzz/run.py` looks further, guided by coverage; one short run of it is made here too.
"""

import platform
import random
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.corpus import TARGETS, check_of, seeds_of

ROOT = Path(__file__).parents[2]
RUNS = 4000


def changed(data: bytes, chance: random.Random) -> bytes:
    """*data* with one to four bytes replaced, taken out or put in."""
    result = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(result))
        result[at : at + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 2))
    return bytes(result)


def test_every_parser_has_a_target() -> None:
    assert set(TARGETS) == {
        "cachevalues",
        "capabilities",
        "certificates",
        "checksum",
        "cloudevents",
        "editions",
        "heldrecords",
        "execframes",
        "kubepaths",
        "messages",
        "objects",
        "patterns",
        "payloads",
        "resp",
        "respframes",
        "selectors",
        "spdy",
        "timestamps",
        "tokens",
    }


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_keep_the_promise(target: str) -> None:
    check, seeds = check_of(target), seeds_of(target)

    assert seeds
    for seed in seeds:
        check(seed)


@pytest.mark.parametrize("target", TARGETS)
def test_changed_seeds_and_random_bytes_keep_the_promise(target: str) -> None:
    check, seeds, chance = check_of(target), seeds_of(target), random.Random(target)

    for _ in range(RUNS):
        check(changed(chance.choice(seeds), chance))
        check(chance.randbytes(chance.randint(0, 64)))


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64") or sys.version_info >= (3, 14),
    reason="atheris has wheels for Linux on x86-64 up to Python 3.13; where it has one, it must be there",
)
def test_atheris_finds_nothing_in_2000_runs(tmp_path: Path) -> None:
    command = [sys.executable, "fuzz/run.py", "timestamps", "--runs", "2000", "--output", str(tmp_path)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, "Done 2000 runs" in done.stderr) == (0, True), done.stderr[-2000:]
