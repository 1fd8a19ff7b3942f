"""Processes are started, waited for, watched and ended to the last one."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from argocd_agent.demo.programs import ProgramFailed, Programs, free_ports

FOREVER = """
import sys, signal
print('a complaint', file=sys.stderr, flush=True)
print('ready', flush=True)
signal.pause()
"""
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
PARENT = "exec 3> {fifo}; sleep 1000 & echo ready; wait"  # opened before it is ready, and held by both


def python(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)


async def start_and_wait(programs: Programs, command: tuple[str, ...]) -> None:
    async with asyncio.TaskGroup() as tasks:
        await programs.start({"short-lived": command}, tasks, is_ready_by_line=False)
        await asyncio.Event().wait()


def bounded(test: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(run())


def test_programs_are_ready_at_their_first_line_and_leave_their_output_in_a_log(tmp_path: Path) -> None:
    async def test() -> None:
        programs = Programs(tmp_path)
        async with asyncio.TaskGroup() as tasks:
            await programs.start({"one": python(FOREVER), "two": python(FOREVER)}, tasks, is_ready_by_line=True)
            count = programs.count
            await programs.stop()

        assert count == 2
        assert sorted(programs.last_words("one")) == ["a complaint", "ready"]
        assert programs.last_words("three") == []

    bounded(test)


def test_a_program_that_ends_by_itself_is_a_failure_with_its_name(tmp_path: Path) -> None:
    async def test() -> None:
        programs = Programs(tmp_path)
        script = python("import sys; print('last words', file=sys.stderr); sys.exit(3)")

        with pytest.raises(ExceptionGroup) as raised:
            await start_and_wait(programs, script)
        await programs.stop()

        (failure,) = raised.value.exceptions
        assert isinstance(failure, ProgramFailed)
        assert failure.name == "short-lived"
        assert "status 3" in str(failure)
        assert programs.last_words("short-lived") == ["last words"]

    bounded(test)


def test_a_program_that_dies_before_it_is_ready_does_not_keep_anybody_waiting(tmp_path: Path) -> None:
    async def test() -> None:
        programs = Programs(tmp_path)
        loop = asyncio.get_running_loop()
        started = loop.time()

        with pytest.raises(ExceptionGroup, match="unhandled errors"):
            async with asyncio.TaskGroup() as tasks:
                await programs.start({"dead": python("raise SystemExit(1)")}, tasks, is_ready_by_line=True)
        await programs.stop()

        assert loop.time() - started < 10

    bounded(test)


def test_a_program_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    async def test() -> None:
        programs = Programs(tmp_path, stop_seconds=0.2)
        async with asyncio.TaskGroup() as tasks:
            await programs.start({"deaf": python(DEAF)}, tasks, is_ready_by_line=True)

            await programs.stop()

    bounded(test)


def test_what_a_program_has_started_ends_with_it(tmp_path: Path) -> None:
    async def test() -> None:
        fifo = tmp_path / "held"
        os.mkfifo(fifo)
        held = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        programs = Programs(tmp_path)
        async with asyncio.TaskGroup() as tasks:
            await programs.start({"parent": ("sh", "-c", PARENT.format(fifo=fifo))}, tasks, is_ready_by_line=True)
            ended = asyncio.Event()
            asyncio.get_running_loop().add_reader(held, ended.set)  # readable: the last writer has gone

            await programs.stop()

            await ended.wait()
            assert os.read(held, 1) == b""
        asyncio.get_running_loop().remove_reader(held)
        os.close(held)

    bounded(test)


def test_free_ports_are_distinct_and_small_enough_for_health_ports() -> None:
    ports = free_ports(5)

    assert len(set(ports)) == 5
    assert max(ports) <= 32767
