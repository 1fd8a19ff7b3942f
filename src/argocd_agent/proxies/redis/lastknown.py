"""What agents last said of their applications, for when they are away.

At most *limit_bytes* of values are kept; when a new one does not fit, those that were said or shown longest ago go
first. A value of more than a quarter of that is not kept. Nothing outlives the process: after a restart of the hub, an
agent that is away has no last word until it is back.
"""

from collections import OrderedDict
from dataclasses import dataclass

from argocd_agent.protocol.events import AgentName


@dataclass(frozen=True, slots=True)
class Known:
    """A value, and when it was said (seconds since 1970)."""

    value: bytes
    said_at: float


class LastKnown:
    """Values by agent and key."""

    def __init__(self, limit_bytes: int = 64 * 1024 * 1024) -> None:
        self._limit_bytes = limit_bytes
        self._values: OrderedDict[tuple[AgentName, str], Known] = OrderedDict()
        self.used_bytes = 0

    def note(self, agent: AgentName, key: str, value: bytes | None, now: float) -> None:
        """*agent* says that *value* is under *key*; None: nothing is."""
        self._drop((agent, key))
        if value is None or len(value) > self._limit_bytes // 4:
            return
        self._values[agent, key] = Known(value, now)
        self.used_bytes += len(value)
        while self.used_bytes > self._limit_bytes:
            self._drop(next(iter(self._values)))

    def get(self, agent: AgentName, key: str) -> Known | None:
        """The last word of *agent* on *key*."""
        known = self._values.get((agent, key))
        if known is not None:
            self._values.move_to_end((agent, key))
        return known

    def newest(self, agent: AgentName) -> float | None:
        """When *agent* last said something that is still kept; None: nothing is."""
        return max((known.said_at for (name, _), known in self._values.items() if name == agent), default=None)

    def forget(self, agent: AgentName) -> None:
        """*agent* is no longer registered."""
        for place in [place for place in self._values if place[0] == agent]:
            self._drop(place)

    def _drop(self, place: tuple[AgentName, str]) -> None:
        known = self._values.pop(place, None)
        if known is not None:
            self.used_bytes -= len(known.value)
