"""Fuzz one parser with atheris, which looks for inputs that reach new code:

    python fuzz/run.py cloudevents --seconds 60
    python fuzz/run.py payloads --runs 100000

Starts from the seeds beside the targets. A finding ends the run with status 1 or more and is kept in `build/fuzz/`; add
it to the seeds together with the fix. What was learned beyond the seeds is kept in `build/fuzz/<target>/`.
"""

import argparse
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # started as a file, Python looks for modules in fuzz/

with atheris.instrument_imports(include=["argocd_agent", "fuzz.targets"]):
    from fuzz.corpus import SEEDS, TARGETS, check_of

    CHECKS = {target: check_of(target) for target in TARGETS}


def main() -> None:
    """Runs until the limit or a finding; libFuzzer ends the process."""
    parser = argparse.ArgumentParser(description="Fuzz one parser.")
    parser.add_argument("target", choices=TARGETS)
    limits = parser.add_mutually_exclusive_group()
    limits.add_argument("--seconds", type=int, default=0, help="stop after this long; 0 is never")
    limits.add_argument("--runs", type=int, default=-1, help="stop after this many inputs; -1 is never")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "fuzz", help="where findings are kept")
    chosen = parser.parse_args()
    learned = chosen.output / chosen.target
    learned.mkdir(parents=True, exist_ok=True)
    arguments = [
        sys.argv[0],
        f"-runs={chosen.runs}",
        f"-max_total_time={chosen.seconds}",
        f"-artifact_prefix={chosen.output}/{chosen.target}-",
        str(learned),
        str(SEEDS / chosen.target),
    ]
    atheris.Setup(arguments, CHECKS[chosen.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
