"""Runs a program until it is told to stop: settings, logs, event loop, signals, garbage collector.

SIGINT and SIGTERM set the `stop` event that the program was given; a second one ends the process at once.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable

import uvloop

from argocd_agent.settings.program import ProgramConfig
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log, logging_to

Program = Callable[[asyncio.Event], Awaitable[None]]

# Objects that live as long as the program are frozen; of the rest most die young, so the young generation may grow.
GC_THRESHOLDS = (50_000, 20, 50)
# Kubernetes accepts JSON that is nested 10,000 deep, and one such object must not hide all others. Each level takes
# some hundred bytes of the C stack, of which there are 8 MiB.
RECURSION_LIMIT = 12_000
_M_ARENA_MAX, _HEAPS = -8, 2  # mallopt(3)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

log = get_log("Main")


def run_program(config: ProgramConfig, notices: Iterable[str], program: Program) -> None:
    """Run *program* until it returns or raises; *notices* are warnings to begin with."""
    with logging_to(config.log_levels, config.log_format):
        for notice in notices:
            log.warning(notice)
        sys.setrecursionlimit(RECURSION_LIMIT)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_stopped(program))


def save_memory() -> None:
    """Let glibc keep two heaps instead of one for each thread: grpc's many short-lived threads leave theirs half empty,
    which is a tenth of what an idle agent costs a hub. Does nothing with another C library. Call it before threads."""
    import ctypes  # only a hub pays for it

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)


async def _until_stopped(program: Program) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        log.info("Stopping", {fields.REASON: signal.Signals(number).name})
        stop.set()

    for number in _SIGNALS:  # they stay until the loop is closed: a signal while we end must not look like a crash
        loop.add_signal_handler(number, told, number)
    await program(stop)
