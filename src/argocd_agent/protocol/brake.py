"""The brake: deletions over a sliding minute, and what becomes of those that are too many.

A deletion is too many when, with it, more than `max_deletions` were asked for within the window, and more than
`max_share` of what there was. Both must be so: ten of twelve objects may go, and so may three hundred of a thousand.
What there was is the most that was held at any of these deletions; it does not shrink while a slow deletion waits for
its finalizers, so that slowness lets nothing more pass. Deletions that were held count as well: a burst stays held
until a whole window has few enough of them. With `max_deletions` of 0 there is no brake.

No I/O, no clock. Whoever carries deletions out asks `deletion` for each, once. Bounded by the deletions of one window,
and by `MAX_PARDONS`.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

WINDOW_SECONDS = 60.0
MAX_PARDONS = 20_000  # more than can be held; the oldest goes, and is counted like any deletion when it comes

# Shares are written in percent, and 0.29 * 100 is less than 29 for a float.
_ROUNDING = 1e-9


class How(StrEnum):
    """What was asked for."""

    DELETE = "delete"  # in the background: the source is gone
    CASCADE = "cascade"  # dependants first: the source is being deleted, and waits for word
    REPLACE = "replace"  # the source was made anew: the old one goes, the new one comes


class Order(StrEnum):
    """What an operator says about all the deletions that an agent holds."""

    RELEASE = "release"  # carry them out
    DISCARD = "discard"  # keep the objects; they are no longer the principal's


@dataclass(frozen=True, slots=True)
class HeldDeletion:
    """A deletion that waits for an operator. `kind` is the name of a row of `resources.kinds`, `since` RFC 3339."""

    kind: str
    namespace: str
    name: str
    source_uid: str
    how: How
    since: str

    @property
    def key(self) -> str:
        """What the object is known by here: kind, namespace and name."""
        return held_key(self.kind, self.namespace, self.name)


def held_key(kind: str, namespace: str, name: str) -> str:
    """The key of an object of this *kind* (a name of `resources.kinds`)."""
    return f"{kind}/{namespace}/{name}"


class Brake:
    """Says of each deletion whether it may be carried out. `max_share` is a part of 1."""

    def __init__(self, max_deletions: int, max_share: float, window_seconds: float = WINDOW_SECONDS) -> None:
        self._max_deletions, self._max_share, self._window = max_deletions, max_share, window_seconds
        self._times: deque[float] = deque()
        # Of what was held at these deletions only what no later one exceeded: the first is the most.
        self._peaks: deque[tuple[float, int]] = deque()
        self._pardons: OrderedDict[str, None] = OrderedDict()

    def deletion(self, now: float, held: int) -> bool:
        """Whether a deletion may be carried out. *held* is how many objects there are, it included."""
        if not self._max_deletions:
            return True
        self._expire(now)
        self._times.append(now)
        while self._peaks and self._peaks[-1][1] <= held:
            self._peaks.pop()
        self._peaks.append((now, held))
        count, there_were = len(self._times), self._peaks[0][1]
        return count <= self._max_deletions or count <= self._max_share * there_were + _ROUNDING

    def restore(self, ages_seconds: Iterable[float], now: float) -> None:
        """Count deletions that were held by the program that ran before. Before the first `deletion`."""
        younger = sorted(age for age in ages_seconds if age < self._window)
        self._times.extend(now - max(age, 0.0) for age in reversed(younger))  # a clock may have been set back

    def pardon(self, key: str) -> None:
        """Let the next deletion of *key* pass, whatever the brake says, uncounted: an operator released it."""
        self._pardons.pop(key, None)
        self._pardons[key] = None
        if len(self._pardons) > MAX_PARDONS:
            self._pardons.popitem(last=False)

    def is_pardoned(self, key: str) -> bool:
        """Whether the next deletion of *key* passes."""
        return key in self._pardons

    def use_pardon(self, key: str) -> bool:
        """Whether this deletion of *key* passes; the next one does not."""
        if key not in self._pardons:
            return False
        del self._pardons[key]
        return True

    def deadline(self) -> float | None:
        """When the oldest of the counted deletions no longer counts. None: there is none."""
        return self._times[0] + self._window if self._times else None

    def _expire(self, now: float) -> None:
        oldest = now - self._window
        while self._times and self._times[0] <= oldest:
            self._times.popleft()
        while self._peaks and self._peaks[0][0] <= oldest:
            self._peaks.popleft()
