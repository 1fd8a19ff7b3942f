"""`python -m bench [--quick] [--record] [ROW...]`: see the package."""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from bench import autonomous, burst, fleet, latency, live, memory, micro, projects, redis, relist, report, restart
from bench.figures import Figure
from bench.processes import BenchFailed
from bench.report import Run
from bench.world import NAMESPACES_OF_BOTH, World, a_world
from tests.support.clusters import NotReady, ToolsMissing, real_clusters

RESULTS = Path(__file__).with_name("results")
QUICK_DIVISOR = 10

# In the order in which they are run: each leaves what the next can start from.
QUESTIONS: Mapping[str, Callable[[World], Awaitable[list[Figure]]]] = {
    "create": latency.create,
    "update": latency.update,
    "status": latency.status,
    "burst": burst.measure,
    "memory": memory.loaded,
    "idle": memory.idle,
    "live": live.one,
    "live-many": live.many,
    "live-slow": live.slow,
    "restart": restart.measure,
    "small": memory.small,
    "agents": memory.per_agent,
    "fleet": fleet.thirty,
    "fleet-300": fleet.many,
    "projects": projects.measure,
    "autonomous": autonomous.measure,
    "relist": relist.measure,
}
ROWS = ("micro", "redis", *QUESTIONS)


def main(arguments: Sequence[str]) -> int:
    """Measure, print, keep. The exit status is 1 when something could not be measured, whatever the figures say."""
    options = _options(arguments)
    rows = [row for row in ROWS if row in options.rows] if options.rows else list(ROWS)
    figures: list[Figure] = []
    problem = ""
    try:
        if "micro" in rows:
            figures += micro.measure()
        if "redis" in rows:
            figures += redis.measure(QUICK_DIVISOR if options.quick else 1)
        if questions := [row for row in rows if row in QUESTIONS]:
            _measure(questions, QUICK_DIVISOR if options.quick else 1, figures)
    except (BenchFailed, NotReady, ToolsMissing) as error:
        problem = str(error)
    except KeyboardInterrupt:
        problem = "interrupted"
    if figures:
        _show(figures, is_quick=options.quick, is_kept=options.record and not problem)
    if problem:
        _tell(f"bench: {problem}")
    return 1 if problem else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure the programs on real API servers.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"what to measure, all if none: {', '.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples: shows that it works, no more")
    parser.add_argument("--record", action="store_true", help="keep the figures beside which later runs are printed")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.rows) - set(ROWS)):
        parser.error(f"no row {', '.join(unknown)}: expected some of {', '.join(ROWS)}")
    return options


def _measure(rows: Sequence[str], divisor: int, figures: list[Figure]) -> None:
    """Add to *figures*; what was measured before a failure stays."""
    with tempfile.TemporaryDirectory(prefix="argocd-agent-bench-") as name:
        folder = Path(name)
        _tell("starting etcd and two API servers")
        with real_clusters(folder, count=2, namespaces=NAMESPACES_OF_BOTH) as clusters:

            async def run() -> None:
                async with a_world(clusters, folder, divisor, _tell) as world:
                    for row in rows:
                        began = time.perf_counter()
                        found = await QUESTIONS[row](world)
                        figures.extend(found)
                        _tell(f"{row}: {_line(found)} [{time.perf_counter() - began:.0f} s]")

            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(run())


def _show(figures: Sequence[Figure], *, is_quick: bool, is_kept: bool) -> None:
    now, cores = datetime.now(UTC), os.cpu_count() or 1
    print(report.table(figures, report.last_recorded(RESULTS)))
    if is_quick:
        print("\nA tenth of the samples: these figures show that it works, and have no weight.")
    run = Run(
        date=now.date().isoformat(),
        cores=cores,
        python=platform.python_version(),
        quick=is_quick,
        figures=list(figures),
    )
    report.save(run, RESULTS / "latest.json")
    if is_kept:
        report.save(run, RESULTS / f"{run.date}-{cores}.json")


def _line(figures: Sequence[Figure]) -> str:
    return ", ".join(f"{figure.name} {figure.value:.3g} {figure.unit}" for figure in figures)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
