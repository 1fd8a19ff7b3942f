"""Counters, gauges and histograms, and their text for Prometheus (exposition format 0.0.4). Pure.

Our own, because the client library appends `_total` to the names of counters, and dashboards made for the reference
ask for names without it.
"""

import bisect
import math
from collections.abc import Callable, Iterable, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Labels = tuple[str, ...]


class Family:
    """One metric: a value for each combination of label values. Counters and gauges."""

    def __init__(self, kind: str, name: str, help_text: str, labels: Sequence[str] = ()) -> None:
        self.kind, self.name, self.help_text, self.label_names = kind, name, help_text, tuple(labels)
        self._values: dict[Labels, float] = {} if labels else {(): 0.0}

    def add(self, amount: float, *labels: str) -> None:
        """Add *amount* to the series of *labels*."""
        self._values[labels] = self._values.get(labels, 0.0) + amount

    def set(self, value: float, *labels: str) -> None:
        """Make *value* the series' value."""
        self._values[labels] = value

    def forget(self, *labels: str) -> None:
        """Drop a series, if it is there."""
        self._values.pop(labels, None)

    def samples(self) -> Iterable[str]:
        """The lines of all series."""
        for labels, value in self._values.items():
            yield f"{self.name}{_braces(self.label_names, labels)} {_number(value)}"


class Histogram:
    """A distribution for each combination of label values."""

    kind = "histogram"

    def __init__(
        self, name: str, help_text: str, labels: Sequence[str] = (), buckets: Sequence[float] = DEFAULT_BUCKETS
    ) -> None:
        self.name, self.help_text, self.label_names = name, help_text, tuple(labels)
        self._bounds = tuple(buckets)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, value: float, *labels: str) -> None:
        """Count *value* in the series of *labels*."""
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = [0] * (len(self._bounds) + 1)
        counts[bisect.bisect_left(self._bounds, value)] += 1
        self._sums[labels] = self._sums.get(labels, 0.0) + value

    def samples(self) -> Iterable[str]:
        """The lines of all series: cumulative buckets, sum and count."""
        names = (*self.label_names, "le")
        for labels, counts in self._counts.items():
            total = 0
            for bound, count in zip((*self._bounds, math.inf), counts, strict=True):
                total += count
                yield f"{self.name}_bucket{_braces(names, (*labels, _number(bound)))} {total}"
            plain = _braces(self.label_names, labels)
            yield f"{self.name}_sum{plain} {_number(self._sums[labels])}"
            yield f"{self.name}_count{plain} {total}"


class Registry:
    """All metrics of one program. *before* runs at each scrape, to set what is only read then."""

    def __init__(self) -> None:
        self._families: list[Family | Histogram] = []
        self._before: list[Callable[[], None]] = []

    def counter(self, name: str, help_text: str, *labels: str) -> Family:
        """A new counter."""
        return self._add(Family("counter", name, help_text, labels))

    def gauge(self, name: str, help_text: str, *labels: str) -> Family:
        """A new gauge."""
        return self._add(Family("gauge", name, help_text, labels))

    def histogram(self, name: str, help_text: str, *labels: str) -> Histogram:
        """A new histogram with Prometheus' default buckets."""
        histogram = Histogram(name, help_text, labels)
        self._families.append(histogram)
        return histogram

    def before_scrape(self, action: Callable[[], None]) -> None:
        """Run *action* before each rendering."""
        self._before.append(action)

    def render(self) -> bytes:
        """Everything, as a scrape wants it."""
        for action in self._before:
            action()
        lines: list[str] = []
        for family in self._families:
            lines += (f"# HELP {family.name} {_escaped(family.help_text)}", f"# TYPE {family.name} {family.kind}")
            lines += family.samples()
        return ("\n".join(lines) + "\n").encode()

    def _add(self, family: Family) -> Family:
        self._families.append(family)
        return family


def _braces(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    pairs = (
        f'{name}="{_escaped(value).replace(chr(34), chr(92) + chr(34))}"'
        for name, value in zip(names, values, strict=True)
    )
    return "{" + ",".join(pairs) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    if value == math.inf:
        return "+Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
