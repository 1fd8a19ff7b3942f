"""Which of the un-acked events of a live stream is to be sent again, and when.

The peer works through what it is sent, so an event that waits its turn there is not lost. Its clock therefore runs
from when it was sent or became the oldest un-acked one, whichever is later: a peer that is slow for all is probed with
one event at a time instead of being sent everything twice. An event that was sent again is the youngest. Two things
start a clock earlier, since a Go peer says nothing of what it could not apply: an ack of an event that was sent later,
and only once, shows that the peer has passed this one by; and `LONG_STOP` pauses after it was sent, an event is overdue
whatever is before it.

Every operation takes constant or logarithmic time. No clock; the outbox drives it.
"""

import heapq
import itertools
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from argocd_agent.protocol.events import Event

LONG_STOP = 4
_SLACK = 64  # dead entries that a heap may hold before it is built anew


@dataclass(slots=True, eq=False)
class Flight:
    """An event that was sent. *wait* seconds after its clock has started it is overdue."""

    key: str
    event: Event
    attempt: int
    stream: int
    sent: float
    wait: float
    turn: int = 0  # place in the order of sending on its stream
    is_live: bool = False  # un-acked on the current stream
    is_passed: bool = False  # a later event was acked


class Unacked:
    """The un-acked events of one stream."""

    def __init__(self) -> None:
        self._turn = 0
        self._in_line: OrderedDict[int, Flight] = OrderedDict()  # by turn; the first one's clock runs
        self._first_since = 0.0
        self._passed: list[tuple[float, int, Flight]] = []  # heap by due time, with dead entries
        self._passed_alive = 0

    def __len__(self) -> int:
        return len(self._in_line) + self._passed_alive

    def add(self, flight: Flight) -> None:
        """*flight* was sent just now."""
        self._turn += 1
        flight.turn, flight.is_live, flight.is_passed = self._turn, True, False
        self._in_line[self._turn] = flight

    def acked(self, flight: Flight, now: float) -> None:
        """*flight* was acked. The ack of one that was sent twice may be for the first time: it shows nothing more."""
        if flight.is_live and not flight.is_passed and flight.attempt == 1:
            for turn, earlier in list(self._until(flight)):
                del self._in_line[turn]
                earlier.is_passed = True
                self._passed_alive += 1
                heapq.heappush(self._passed, (earlier.sent + earlier.wait, turn, earlier))
        self.superseded(flight, now)

    def superseded(self, flight: Flight, now: float) -> None:
        """*flight* needs no ack any more."""
        if not flight.is_live:
            return
        flight.is_live = False
        if flight.is_passed:
            self._passed_alive -= 1
            self._compact()
        else:
            if next(iter(self._in_line)) == flight.turn:
                self._first_since = now
            del self._in_line[flight.turn]

    def pop_overdue(self, now: float) -> str | None:
        """The key of an event that is to be sent again now, which leaves this; None if there is none."""
        if (due := self._passed_due()) is not None and due <= now:
            flight = heapq.heappop(self._passed)[2]
            self._passed_alive -= 1
        elif (due := self._first_due()) is not None and due <= now:
            flight = self._in_line.popitem(last=False)[1]
            self._first_since = now
        else:
            return None
        return flight.key

    def deadline(self) -> float | None:
        """When `pop_overdue` next has something."""
        dues = [due for due in (self._passed_due(), self._first_due()) if due is not None]
        return min(dues) if dues else None

    def clear(self) -> list[str]:
        """The stream ended: the keys of what was un-acked on it, in the order of sending."""
        flights = [flight for _, _, flight in self._passed if _is_waiting(flight)]
        flights += self._in_line.values()
        for flight in flights:
            flight.is_live = False
        self._in_line.clear()
        self._passed.clear()
        self._passed_alive = 0
        return [flight.key for flight in sorted(flights, key=lambda flight: flight.turn)]

    def _until(self, flight: Flight) -> Iterator[tuple[int, Flight]]:
        """What is in line before *flight*."""
        return itertools.takewhile(lambda item: item[0] != flight.turn, self._in_line.items())

    def _first_due(self) -> float | None:
        for flight in self._in_line.values():
            in_turn = max(flight.sent, self._first_since) + flight.wait
            return min(in_turn, flight.sent + LONG_STOP * flight.wait)
        return None

    def _passed_due(self) -> float | None:
        while self._passed and not _is_waiting(self._passed[0][2]):
            heapq.heappop(self._passed)
        return self._passed[0][0] if self._passed else None

    def _compact(self) -> None:
        if len(self._passed) > 2 * self._passed_alive + _SLACK:
            self._passed = [entry for entry in self._passed if _is_waiting(entry[2])]
            heapq.heapify(self._passed)


def _is_waiting(flight: Flight) -> bool:
    return flight.is_live and flight.is_passed
