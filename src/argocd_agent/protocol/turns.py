"""Who may go next, where many callers share one thing that serves only so many at once.

At most *at_once* go at the same time, at most *per_caller* of them for one caller. Who does not fit waits: at most
*waiting* in all, and half as many for one caller, so that one cannot take the room of all; one more is refused. When a
place is free, callers take turns, whatever number each has waiting; of one caller, who came first goes first.

No I/O, no clock. A ticket is whatever the driver tells its waiters apart by.
"""

from collections import OrderedDict, deque
from enum import StrEnum
from typing import Generic, TypeVar

from argocd_agent.errors import LocalProtocolError

T = TypeVar("T")


class Admission(StrEnum):
    """What becomes of one who asks to go."""

    GO = "go"
    WAIT = "wait"
    CALLER_FULL = "caller full"  # refused: this caller has too many waiting
    FULL = "full"  # refused: too many wait


class Turns(Generic[T]):
    """The turns at one thing."""

    def __init__(self, at_once: int, per_caller: int, waiting: int) -> None:
        self._at_once, self._per_caller, self._most_waiting = at_once, per_caller, waiting
        self._going: dict[str, int] = {}  # by caller; none that is 0
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()  # whose turn comes next first; none that is empty

    @property
    def going(self) -> int:
        """How many go now."""
        return sum(self._going.values())

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(len(tickets) for tickets in self._waiting.values())

    def ask(self, caller: str, ticket: T) -> Admission:
        """*ticket* of *caller* wants to go."""
        if self._has_place(caller):  # whoever waits then, waits for a place of its own caller
            self._going[caller] = self._going.get(caller, 0) + 1
            return Admission.GO
        own = self._waiting.get(caller, ())
        if len(own) >= (self._most_waiting + 1) // 2:
            is_its_own = bool(own) or self._going.get(caller, 0) >= self._per_caller
            return Admission.CALLER_FULL if is_its_own else Admission.FULL
        if self.waiting >= self._most_waiting:
            return Admission.FULL
        self._waiting.setdefault(caller, deque()).append(ticket)
        return Admission.WAIT

    def leave(self, caller: str, ticket: T) -> bool:
        """*ticket* waits no longer. False: it did not wait."""
        tickets = self._waiting.get(caller, deque())
        if ticket not in tickets:
            return False
        tickets.remove(ticket)
        if not tickets:
            del self._waiting[caller]
        return True

    def done(self, caller: str) -> T | None:
        """One of *caller* that went is done: the ticket that goes now, None where nobody can."""
        count = self._going.get(caller, 0)
        if not count:
            raise LocalProtocolError(f"caller {caller!r}: expected one that goes, found none")
        if count == 1:
            del self._going[caller]
        else:
            self._going[caller] = count - 1
        following = next((other for other in self._waiting if self._has_place(other)), None)
        if following is None:
            return None
        tickets = self._waiting[following]
        ticket = tickets.popleft()
        if tickets:
            self._waiting.move_to_end(following)
        else:
            del self._waiting[following]
        self._going[following] = self._going.get(following, 0) + 1
        return ticket

    def _has_place(self, caller: str) -> bool:
        return self.going < self._at_once and self._going.get(caller, 0) < self._per_caller
