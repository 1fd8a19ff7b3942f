"""How long to wait before trying again: attempt or time being down → seconds. Jitter comes in, 0 ≤ jitter < 1.

`Backoff` is for one thing that is tried again. `Reconnect` is for coming back to a peer that many others come back to
as well: quick in the first minute, so that a restart of the hub is hardly noticed, and spread out after it.
"""

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that grow by *factor* from *first* to *ceiling* seconds, each multiplied by 1 to 1 + *spread*."""

    first: float
    factor: float
    ceiling: float
    spread: float = 0.0

    def delay(self, attempt: int, jitter: float = 0.0) -> float:
        """Seconds from the *attempt*-th try (the first is 1) to the next."""
        try:
            grown = self.first * self.factor ** max(attempt - 1, 0)
        except OverflowError:
            grown = self.ceiling
        return min(grown, self.ceiling) * (1.0 + self.spread * jitter)


# The reference's schedule: 5, 20, 80, then 120 seconds for ever, times a random factor in [1, 2).
RESEND_OF_REFERENCE = Backoff(first=5.0, factor=4.0, ceiling=120.0, spread=1.0)


@dataclass(slots=True)
class Reconnect:
    """When to come back to a peer that is gone: uniform in 0…cap.

    The cap is *first_cap* while we have been down for at most *patience*, then a quarter of the time beyond it, at
    most *last_cap*: reached after three minutes by default. All in seconds.
    """

    first_cap: float = 0.5
    last_cap: float = 30.0
    patience: float = 60.0
    longest_hint: float = 300.0  # what a peer can ask for: a broken one must not keep us away
    _down_since: float | None = field(default=None, init=False)
    _hinted: float = field(default=0.0, init=False)

    def succeeded(self) -> None:
        """We are back; the next failure is the first."""
        self._down_since, self._hinted = None, 0.0

    def failed(self, now: float) -> None:
        """The connection ended, or could not be made."""
        if self._down_since is None:
            self._down_since = now

    def hint(self, seconds: float) -> None:
        """The peer said to stay away for so long. Counts for the next delay; what is no duration is ignored."""
        if math.isfinite(seconds) and seconds > 0:
            self._hinted = min(seconds, self.longest_hint)

    def cap(self, now: float) -> float:
        """The longest that the next delay may be, beyond a hint."""
        if self._down_since is None:
            return self.first_cap
        beyond = now - self._down_since - self.patience
        return min(max(self.first_cap, beyond / 4), self.last_cap)

    def delay(self, now: float, jitter: float) -> float:
        """Seconds to wait before the next try. Uses up the hint."""
        hinted, self._hinted = self._hinted, 0.0
        return hinted + jitter * self.cap(now)
