"""A program ends in good order on the first signal and at once on the second; its errors become text."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

HEAD = """
import asyncio
from argocd_agent.cli.exits import run
from argocd_agent.cli.programs import run_program
from argocd_agent.errors import ConfigError, Forbidden
from argocd_agent.settings.program import ProgramConfig
import click, sys

def end(program):
    command = click.Command("x", callback=lambda: run_program(ProgramConfig(), ["be warned"], program))
    sys.exit(run(command, [], "x"))
"""
WAITS = """
async def program(stop):
    print("ready", flush=True)
    await stop.wait()
    print("stopping", flush=True)
    {}
end(program)
"""


@contextmanager
def started(body: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD + body], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    while word not in (line := process.stdout.readline()):
        assert line, f"the program ended before it said {word}"


@pytest.mark.feature("A-102", "C-95")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_program_in_good_order(number: signal.Signals) -> None:
    with started(WAITS.format("pass")) as process:
        wait_for(process, "ready")
        process.send_signal(number)
        out, err = process.communicate(timeout=30)

    assert process.returncode == 0
    assert f"reason={number.name}" in out
    assert 'level=warning msg="be warned"' in err


def test_a_second_signal_ends_it_at_once() -> None:
    with started(WAITS.format("await asyncio.Event().wait()")) as process:
        wait_for(process, "ready")
        process.send_signal(signal.SIGTERM)
        wait_for(process, "stopping")
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=30) == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        ("ConfigError('--x: is wrong')", "[FATAL]: --x: is wrong"),
        ("ExceptionGroup('two', [Forbidden('may not list'), ConfigError('--x: is wrong')])", "[FATAL]: --x: is wrong"),
        ("Forbidden('may not list applications.argoproj.io')", "[FATAL]: may not list applications.argoproj.io"),
    ],
)
def test_an_error_of_ours_becomes_a_line_and_status_1(raised: str, message: str) -> None:
    with started(f"async def program(stop):\n    raise {raised}\nend(program)") as process:
        _, err = process.communicate(timeout=30)

    assert process.returncode == 1
    assert err.splitlines()[-1] == message
    assert "Traceback" not in err


def test_a_bug_shows_its_traceback() -> None:
    with started("async def program(stop):\n    raise KeyError('a bug')\nend(program)") as process:
        _, err = process.communicate(timeout=30)

    assert process.returncode == 1
    assert "KeyError: 'a bug'" in err.splitlines()[-1]
