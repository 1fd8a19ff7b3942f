"""At most one update per key and interval; the latest wins. Creations and deletions are not delayed.

The first update of a key passes at once, and closes it for the interval. What comes within is kept, a newer one in the
place of the older, and passes when the interval is over. A creation or deletion passes at once, drops what was kept
and opens the key. With an interval of 0 everything passes.

Bounded by the number of keys updated within the last interval. No clock: a driver calls `due` when `deadline` has
passed.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Closed(Generic[T]):
    until: float
    kept: list[T]  # nothing, or the latest


class Throttle(Generic[T]):
    """Holds back updates of type T."""

    def __init__(self, interval_seconds: float) -> None:
        self._interval = interval_seconds
        self._keys: OrderedDict[str, _Closed[T]] = OrderedDict()  # earliest to open first: all close for as long

    def __len__(self) -> int:
        """How many updates are kept."""
        return sum(len(closed.kept) for closed in self._keys.values())

    def update(self, key: str, value: T, now: float) -> bool:
        """Whether *value* passes now. False: it is kept, or replaces what was kept."""
        closed = self._keys.get(key)
        if closed is not None and (closed.kept or now < closed.until):
            closed.kept = [value]
            return False
        self._close(key, now)
        return True

    def reset(self, key: str) -> None:
        """*key* was created or deleted: what was kept is dropped, and the next update passes at once."""
        self._keys.pop(key, None)

    def due(self, now: float) -> list[tuple[str, T]]:
        """The kept updates that pass now."""
        passing: list[tuple[str, T]] = []
        while self._keys:
            key, closed = next(iter(self._keys.items()))
            if now < closed.until:
                break
            del self._keys[key]
            if closed.kept:
                passing.append((key, closed.kept[0]))
                self._close(key, now)
        return passing

    def deadline(self) -> float | None:
        """When `due` next has something, or a key to forget."""
        for closed in self._keys.values():
            return closed.until
        return None

    def _close(self, key: str, now: float) -> None:
        self._keys.pop(key, None)
        if self._interval > 0:
            self._keys[key] = _Closed(now + self._interval, [])
