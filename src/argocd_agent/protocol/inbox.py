"""Events received and not yet dealt with, in order per key, and the acks owed for them.

* Of one key one event at a time is processed; keys go side by side. What must wait (a deferred event, or one behind
  it) holds up no other key.
* A duplicate is the same type, event id and `sent_at`: never an id alone, since a Go principal gives an update and an
  operation of one object version the same ids. One that is still here will be acked when it is done; one that is done
  is acked again and not processed again.
* Newer state takes the place of older that has not begun or has been deferred, of the same resource id only: its
  sender has given the older up by sending it. Operations are never left out, a create stays one, and a delete takes the
  place of everything.
* An ack is owed once an event is finished: processed, refused or discarded. A deferred event is not acked.

Bounded: by what the peer may have un-acked (our window), as the driver stops reading when `len` exceeds it; what was
last finished is remembered for *remembered* keys, the least recently used goes first, and a duplicate of what was
forgotten is processed again, which is idempotent.

No I/O, no clock. A driver calls `take` after `receive` and `finished` and whenever `deadline` has passed, and writes
what `acks` gives.
"""

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from argocd_agent.errors import LocalProtocolError
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.events import Event, EventType, Target, ack_of

REMEMBERED = 4096

_OBJECTS = frozenset(
    {Target.APPLICATION, Target.APPPROJECT, Target.APPLICATIONSET, Target.REPOSITORY, Target.GPGKEY},
)
_SPEC = frozenset({EventType.CREATE, EventType.SPEC_UPDATE})
_STATES: dict[str, frozenset[EventType]] = {
    EventType.CREATE: _SPEC,
    EventType.SPEC_UPDATE: _SPEC,
    EventType.STATUS_UPDATE: frozenset({EventType.STATUS_UPDATE}),
}

_Identity = tuple[str, str, str]


def order_of(event: Event) -> str:
    """What a received event is serialised on: its object's kind, namespace and name; its resource id if it has none."""
    if event.key:
        return event.key
    if event.target in _OBJECTS and event.subject:
        return f"{event.target.value}/{event.subject}"
    return event.resource_id


@dataclass(slots=True, eq=False)
class _Entry:
    """One event to be processed, and what a duplicate of it looks like."""

    event: Event
    identity: _Identity
    attempts: int = 0


@dataclass(slots=True, eq=False)
class _Lane:
    """One key. Of `active`, `is_ready` and `due` exactly one holds: the first waiting one may begin, or is deferred."""

    active: _Entry | None = None
    waiting: list[_Entry] = field(default_factory=list)
    is_ready: bool = False
    due: float | None = None


class Inbox:
    """What one peer sent. *retry* gives the pause before a deferred event is tried again."""

    def __init__(
        self, retry: Backoff, *, order: Callable[[Event], str] = order_of, remembered: int = REMEMBERED
    ) -> None:
        self._retry, self._order, self._remembered = retry, order, remembered
        self._lanes: dict[str, _Lane] = {}
        self._ready: deque[str] = deque()  # longest ready first
        self._deferred: list[tuple[float, str]] = []  # heap by due time, with dead entries
        self._finished: OrderedDict[str, _Identity] = OrderedDict()
        self._acks: list[Event] = []
        self._held = 0

    def __len__(self) -> int:
        """How many events are here: waiting, being processed or deferred."""
        return self._held

    def receive(self, event: Event, now: float) -> None:
        """Take in *event*, unless it is a duplicate."""
        key, identity = self._order(event), (event.type, event.event_id, event.sent_at)
        if self._finished.get(key) == identity:
            self._acks.append(ack_of(event))
            return
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane()
        elif _holds(lane, identity):
            return
        before = len(lane.waiting)
        takes_first_place = _place(lane.waiting, _Entry(event, identity))
        self._held += len(lane.waiting) - before
        if lane.active is None and (lane.due is None or takes_first_place):
            self._make_ready(key, lane)

    def take(self, now: float, limit: int | None = None) -> list[Event]:
        """The events whose processing begins now, at most *limit*."""
        while (due := self._first_deferred()) is not None and due <= now:
            _, key = heapq.heappop(self._deferred)
            self._make_ready(key, self._lanes[key])
        begun: list[Event] = []
        while self._ready and (limit is None or len(begun) < limit):
            lane = self._lanes[self._ready.popleft()]
            lane.is_ready, lane.active = False, lane.waiting.pop(0)
            begun.append(lane.active.event)
        return begun

    def finished(self, event: Event, *, owes_ack: bool = True) -> None:
        """*event*, which `take` gave, is processed, refused or discarded; its ack is owed, if *owes_ack*."""
        key, lane, entry = self._processing(event)
        self._finished[key] = entry.identity
        self._finished.move_to_end(key)
        if len(self._finished) > self._remembered:
            self._finished.popitem(last=False)
        if owes_ack:
            self._acks.append(ack_of(event))
        self._held -= 1
        lane.active = None
        if lane.waiting:
            self._make_ready(key, lane)
        else:
            del self._lanes[key]

    def defer(self, event: Event, now: float, jitter: float) -> float:
        """*event*, which `take` gave, cannot be dealt with now: seconds until it is tried again.

        0: newer state of its object has arrived meanwhile, takes its place and is tried at once.
        """
        key, lane, entry = self._processing(event)
        entry.attempts += 1
        newer, lane.active, lane.waiting = lane.waiting, None, [entry]
        takes_first_place = [_place(lane.waiting, other) for other in newer]
        self._held += len(lane.waiting) - len(newer) - 1
        if any(takes_first_place):
            self._make_ready(key, lane)
            return 0.0
        delay = self._retry.delay(entry.attempts, jitter)
        lane.due = now + delay
        heapq.heappush(self._deferred, (lane.due, key))
        return delay

    def acks(self) -> list[Event]:
        """The acks owed since the last call."""
        owed, self._acks = self._acks, []
        return owed

    def deadline(self) -> float | None:
        """When `take` next gives something; in the past: now. None: not before something happens."""
        return 0.0 if self._ready else self._first_deferred()

    def _first_deferred(self) -> float | None:
        while self._deferred:
            due, key = self._deferred[0]
            lane = self._lanes.get(key)
            if lane is not None and lane.due == due:
                return due
            heapq.heappop(self._deferred)
        return None

    def _make_ready(self, key: str, lane: _Lane) -> None:
        lane.due = None
        if not lane.is_ready:
            lane.is_ready = True
            self._ready.append(key)

    def _processing(self, event: Event) -> tuple[str, _Lane, _Entry]:
        key = self._order(event)
        lane = self._lanes.get(key)
        if lane is None or lane.active is None or lane.active.event is not event:
            raise LocalProtocolError(f"{event.type} {event.event_id} of {key}: expected an event being processed")
        return key, lane, lane.active


def _holds(lane: _Lane, identity: _Identity) -> bool:
    if lane.active is not None and lane.active.identity == identity:
        return True
    return any(entry.identity == identity for entry in lane.waiting)


def _place(waiting: list[_Entry], entry: _Entry) -> bool:
    """Add *entry*, in the place of what it supersedes. Whether it has thereby changed what comes first."""
    event = entry.event
    if event.type == EventType.DELETE:
        first = waiting[0] if waiting else None
        waiting[:] = [other for other in waiting if other.event.resource_id != event.resource_id]
        waiting.append(entry)
        return waiting[0] is not first
    states = _STATES.get(event.type, frozenset())
    for index, older in enumerate(waiting):
        if older.event.type in states and older.event.resource_id == event.resource_id:
            if EventType.CREATE in (older.event.type, event.type):
                entry.event = replace(event, type=EventType.CREATE)
            entry.attempts = older.attempts
            waiting[index] = entry
            return index == 0
    waiting.append(entry)
    return len(waiting) == 1
