"""`argocd-agent demo` as a user runs it: real programs, a real repository, a real walk."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from argocd_agent.demo.git import find_git
from argocd_agent.demo.sample import files

DEMO = (sys.executable, "-c", "from argocd_agent.cli.main import main; main()", "demo")
LIMIT_SECONDS = 120.0
STEPS = ("1  Create", "2  Commit", "3  Cut", "4  Restore", "5  Revert", "6  Delete")


def environment(folder: Path) -> dict[str, str]:
    """With a temporary folder of its own, so that what is left behind can be seen."""
    return os.environ | {"TMPDIR": str(folder), "COLUMNS": "120"}


def run_demo(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*DEMO, *arguments],
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


def is_anything_left(folder: Path) -> bool:
    """Files of the demo, or programs that were started with them."""
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return any(folder.iterdir()) or str(folder) in running


@contextmanager
def serving(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [*DEMO, "--serve"],
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=30)


def read_until(process: "subprocess.Popen[str]", wanted: str) -> list[str]:
    """The lines up to the one with *wanted*; the test's own limit bounds the wait."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if wanted in line:
            return lines
    pytest.fail("the demo ended before it said: " + wanted + "\n" + "\n".join(lines))


@pytest.mark.feature("C-4")
def test_the_tour_shows_everything_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run_demo(tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.partition("What was seen")[2]
    for step in STEPS:
        assert step in summary
    for claim in (
        "berlin: Synced and Healthy on the hub",
        "the hub says that berlin is disconnected",
        "deployed by the spoke alone",
        "the hub says that berlin is connected",
        "berlin: automated sync is on again on the spoke",
        "tokyo: the Application is gone from the hub",
    ):
        assert claim in summary
    assert not is_anything_left(tmp_path)


def test_a_repository_of_the_users_is_deployed_and_not_written_to(tmp_path: Path) -> None:
    theirs, folder = tmp_path / "theirs", tmp_path / "demo"
    folder.mkdir()

    revision = asyncio.run(
        find_git().commit(theirs, {f"deploy/{name}": text for name, text in files(1, "hi").items()}, "theirs")
    )

    done = run_demo(folder, "--repo", f"file://{theirs}", "--path", "deploy/guestbook", "--revision", "main")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "deleted on the spoke, is back by itself" in done.stdout
    assert "2  Commit" not in done.stdout
    assert asyncio.run(find_git().resolve(f"file://{theirs}", "main")) == revision
    assert not is_anything_left(folder)


def test_a_repository_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    done = run_demo(tmp_path, "--repo", f"file://{tmp_path}/nowhere")

    assert done.returncode == 1
    assert "nowhere" in done.stdout
    assert "API servers" not in done.stdout
    assert not is_anything_left(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_goes_on_until_a_signal_and_then_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as process:
        lines = read_until(process, "logs")
        assert any("kubectl --kubeconfig" in line for line in lines)
        assert is_anything_left(tmp_path)

        process.send_signal(number)

        assert process.wait(timeout=30) == 0
    assert not is_anything_left(tmp_path)


def test_an_interrupted_tour_ends_every_program(tmp_path: Path) -> None:
    with serving(tmp_path) as process:
        read_until(process, "starting the principal")

        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=30) == 128 + signal.SIGTERM
    assert not is_anything_left(tmp_path)
