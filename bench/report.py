"""Figures beside their bars, the reference, and the last recorded run: as a table for people, as JSON for later.

The bars and the reference's figures are those of the issue that this was built from; the reference was measured with
the same method on the same kind of machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.figures import Figure

Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure is held against: an absolute one, or one in terms of its floor."""

    reference: float | None = None
    at_most: float | None = None
    times_floor: float | None = None

    def limit(self, figure: Figure) -> float | None:
        """The most that *figure* may be; None when nothing was asked, or its floor is missing."""
        if self.times_floor is not None:
            return None if figure.floor is None else figure.floor * self.times_floor
        return self.at_most


BARS: Mapping[Name, Bar] = {
    ("create", "p50"): Bar(101, times_floor=1.5),
    ("create", "p99"): Bar(112, times_floor=2.0),
    ("update", "p50"): Bar(101, times_floor=1.5),
    ("update", "p99"): Bar(137, times_floor=2.0),
    ("status", "p50"): Bar(103, times_floor=1.5),
    ("status", "p99"): Bar(123, times_floor=2.0),
    ("burst", "creates"): Bar(17.2, times_floor=1.3),
    ("burst", "statuses"): Bar(43.1, times_floor=1.3),
    ("burst", "CPU of the principal"): Bar(8.1, at_most=8.1),
    ("burst", "CPU of the agent"): Bar(6.5, at_most=6.5),
    ("restart", "converged"): Bar(28.4, at_most=4.0),
    ("memory", "principal"): Bar(115, at_most=110),
    ("memory", "agent"): Bar(121, at_most=96),
    ("small", "agent"): Bar(82, at_most=72),
    ("agents", "each"): Bar(at_most=150),
    ("idle", "CPU of the principal"): Bar(1.2, at_most=0.3),
    ("idle", "CPU of the agent"): Bar(0.3, at_most=0.2),
    ("live", "p50"): Bar(202, at_most=8),
    ("live", "p99"): Bar(303, at_most=20),
    ("live", "last of 25"): Bar(1900, at_most=60),
    ("live", "last of 100"): Bar(7500, at_most=200),
    ("live-slow", "last of 25"): Bar(8300, at_most=400),
    ("fleet", "all"): Bar(6.1, at_most=2.0),
    ("fleet-300", "all"): Bar(at_most=2.0),
    ("redis", "SET passed on"): Bar(times_floor=2.5),
    ("redis", "GET passed on"): Bar(times_floor=2.5),
}
_NO_BAR = Bar()


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run as it is kept. *quick*: a tenth of the samples, of no weight."""

    date: str
    cores: int
    python: str
    quick: bool
    figures: list[Figure]


_HEADINGS = ("row", "figure", "ours", "floor", "bar", "", "reference", "last recorded")


def table(figures: Sequence[Figure], last: Run | None) -> str:
    """Everything that is known about *figures*, in columns."""
    before = {(figure.row, figure.name): figure for figure in last.figures} if last else {}
    rows = [_HEADINGS, *(_row(figure, before.get((figure.row, figure.name))) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = ["  ".join(_padded(cell, widths, column) for column, cell in enumerate(row)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def misses(figures: Sequence[Figure]) -> list[Figure]:
    """Those of *figures* that are above their bars."""
    return [figure for figure in figures if _verdict(figure) == "MISSED"]


def save(run: Run, path: Path) -> None:
    """Write *run* as JSON for people and programs."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")


def last_recorded(folder: Path) -> Run | None:
    """The newest run that was kept, None when there is none. File names begin with the date."""
    kept = sorted(path for path in folder.glob("*.json") if path.name[:1].isdigit())
    return msgspec.json.decode(kept[-1].read_bytes(), type=Run) if kept else None


def _row(figure: Figure, before: Figure | None) -> tuple[str, ...]:
    bar = BARS.get((figure.row, figure.name), _NO_BAR)
    times = f" ({bar.times_floor:g}x)" if bar.times_floor is not None else ""
    limit = bar.limit(figure)
    return (
        figure.row,
        figure.name,
        _amount(figure.value, figure.unit),
        _amount(figure.floor, figure.unit),
        f"<= {_amount(limit, figure.unit)}{times}" if limit is not None else "",
        _verdict(figure),
        _amount(bar.reference, figure.unit),
        _amount(before.value if before else None, figure.unit) + _beside(before),
    )


def _beside(before: Figure | None) -> str:
    """The floor of that run: only with it can two runs be compared."""
    return f" (floor {before.floor:.3g})" if before is not None and before.floor is not None else ""


def _verdict(figure: Figure) -> str:
    limit = BARS.get((figure.row, figure.name), _NO_BAR).limit(figure)
    if limit is None:
        return ""
    return "ok" if figure.value <= limit else "MISSED"


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}"


def _padded(cell: str, widths: Sequence[int], column: int) -> str:
    is_text = column in (0, 1, 5)
    return cell.ljust(widths[column]) if is_text else cell.rjust(widths[column])
