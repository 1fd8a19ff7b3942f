"""Which fuzz targets there are, and their seeds: the files in `seeds/<target>/`."""

import importlib
from collections.abc import Callable
from pathlib import Path

SEEDS = Path(__file__).parent / "seeds"
TARGETS = tuple(sorted(path.stem for path in (Path(__file__).parent / "targets").glob("*.py")))


def check_of(target: str) -> Callable[[bytes], None]:
    """The function `check` of *target*."""
    check: Callable[[bytes], None] = importlib.import_module(f"fuzz.targets.{target}").check
    return check


def seeds_of(target: str) -> list[bytes]:
    """The seeds of *target*, in the order of their names."""
    return [path.read_bytes() for path in sorted((SEEDS / target).iterdir())]
