"""Figures, and how samples become figures. Pure."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

P99_NEEDS = 1000  # of fewer samples the 99th percentile says nothing
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of one row, beside its floor where it has one."""

    row: str
    name: str
    unit: str
    value: float
    floor: float | None = None


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that *percent* of all are not above (nearest rank)."""
    if not samples:
        raise ValueError("expected at least one sample, found none")
    ranked = sorted(samples)
    return ranked[max(math.ceil(percent / 100 * len(ranked)) - 1, 0)]


def latencies(row: str, ours: Sequence[float], floor: Sequence[float]) -> list[Figure]:
    """p50, p90, p99 (of enough samples only) and maximum of times in seconds, as milliseconds."""
    shown = [50.0, 90.0, *([99.0] if min(len(ours), len(floor)) >= P99_NEEDS else []), 100.0]
    return [
        Figure(
            row,
            "max" if percent == 100 else f"p{percent:.0f}",
            "ms",
            percentile(ours, percent) * 1000,
            percentile(floor, percent) * 1000,
        )
        for percent in shown
    ]


def median_of(row: str, name: str, unit: str, ours: Sequence[float], floor: Sequence[float] = ()) -> Figure:
    """The median over rounds."""
    return Figure(row, name, unit, statistics.median(ours), statistics.median(floor) if floor else None)
