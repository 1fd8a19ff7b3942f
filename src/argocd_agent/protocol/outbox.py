"""Events waiting to be sent, and events sent but not yet acknowledged.

Delivery is at least once, and latest wins. Of one key (`Event.order_key`) events leave in order and one at a time:

* A newer update takes the place of the unsent one of its sort. Operations (set, terminate) are never left out and never
  change their order. A create that had to wait carries the newest specification.
* What is un-acked is sent again: at once on a new stream, and on a live one when it is overdue. Newer state takes its
  place then; the late ack of what it replaced is ignored.
* A delete supersedes everything of its object, un-acked or not, at once. What comes after it waits for its ack.

Keys do not wait for each other, except for room in the window, in which they take turns. Nothing is dropped in silence,
and memory is bounded by keys: of one key at most a create, a delete, one update of each sort, and its operations.

Events put once (acks, heartbeats, requests, answers) are written to at most one stream and kept no longer than it:
after a reconnect the peer sends again what we had not acked, and whoever asked has given up with the stream.

An event identifies itself by resource id and event id: two keys never share both, and two different events of one key
that share them (as a Go principal's) are told apart by `sent_at` alone. A caller whose create carries an operation
puts that operation as an event as well, since a newer specification may take the create's place.

No I/O, no clock. A driver calls `take` after every `put`, `put_once` and `ack` and whenever `deadline` has passed.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.events import Event, EventId, EventType, ResourceId, Target
from argocd_agent.protocol.overdue import Flight, Unacked

AT_ONCE = 0.0  # a deadline in the past of every clock
NEVER = -math.inf

# Sorts of state of which only the newest counts. A create is the specification too: the peer applies both alike.
_SPEC = "spec"
_SORTS: dict[str, str] = {
    EventType.CREATE: _SPEC,
    EventType.SPEC_UPDATE: _SPEC,
    EventType.STATUS_UPDATE: "status",
    EventType.CLUSTER_CACHE_INFO_UPDATE: "cache info",
    EventType.HELD: "held deletions",
    EventType.HELD_ORDER: "held order",
    EventType.REQUEST_SYNCED_RESOURCE_LIST: "list request",
    EventType.REQUEST_RESOURCE_RESYNC: "resync request",
    EventType.DIGEST: "digest",
    EventType.DIGEST_ENTRIES: "digest entries",
}
_UNSTAMPED = frozenset({Target.ACK, Target.HEARTBEAT})  # an ack's stamp is that of what it acks


@dataclass(slots=True)
class _Lane:
    """What one key still owes the peer. `unsent` holds at most one create, before at most one update of each sort."""

    flight: Flight | None = None
    unsent: list[Event] = field(default_factory=list)
    created_at: float = NEVER  # when the unsent create was put, if a stream was there to take it


class Outbox:
    """The events owed to one peer. Outlives its streams.

    *retry* gives the pause before each resend, *window* how many events may be un-acked on a stream. A create that
    waited longer than *create_patience_seconds*, or for a stream, is sent with the newest specification.
    """

    def __init__(self, retry: Backoff, window: int, create_patience_seconds: float = 1.0) -> None:
        self._retry, self._window, self._patience = retry, window, create_patience_seconds
        self._lanes: dict[str, _Lane] = {}
        self._ready: OrderedDict[str, None] = OrderedDict()  # keys with something to send, longest waiting first
        self._unacked = Unacked()
        self._awaited: dict[tuple[ResourceId, EventId], Flight] = {}  # by the ids that its ack will have
        self._once: deque[Event] = deque()
        self._stream = 0  # counts the streams; the current one while connected
        self._is_connected, self._connected_at = False, NEVER

    def __len__(self) -> int:
        """How many keys have something unsent or un-acked."""
        return len(self._lanes)

    @property
    def is_idle(self) -> bool:
        """Whether the peer has acked everything, and nothing waits to be written."""
        return not self._lanes and not self._once

    @property
    def unacked(self) -> int:
        """How many events are un-acked on the current stream; never more than the window."""
        return len(self._unacked)

    def put(self, event: Event, now: float) -> None:
        """Send *event* until it is acked, or superseded by newer state of its key."""
        key = event.order_key
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane()
        if event.type == EventType.DELETE:
            self._put_delete(key, lane, event, now)
        else:
            _merge(lane.unsent, event)
            if event.type == EventType.CREATE:
                lane.created_at = now if self._is_connected else NEVER
        if lane.flight is None:
            self._ready.setdefault(key)

    def put_once(self, event: Event) -> bool:
        """Write *event* to the current stream, or never. False: there is no stream, and it is not taken."""
        if self._is_connected:
            self._once.append(event)
        return self._is_connected

    def take(self, now: float, jitter: Callable[[], float], stamp: str, limit: int = 128) -> list[Event]:
        """What is to be written now, at most *limit* events: once-events, overdue resends, then first sends.

        A first send gets *stamp* as its `sent_at`; a resend keeps its own. What is returned counts as sent.
        """
        taken: list[Event] = []
        if not self._is_connected:
            return taken
        while self._once and len(taken) < limit:
            event = self._once.popleft()
            taken.append(event if event.target in _UNSTAMPED else replace(event, sent_at=stamp))
        while len(taken) < limit and (overdue := self._unacked.pop_overdue(now)) is not None:
            taken.append(self._send(overdue, now, jitter(), stamp))
        while len(taken) < limit and self._ready and len(self._unacked) < self._window:
            key, _ = self._ready.popitem(last=False)
            taken.append(self._send(key, now, jitter(), stamp))
        return taken

    def ack(self, resource_id: ResourceId, event_id: EventId, now: float, sent_at: str = "") -> Event | None:
        """The event that is thereby delivered. None: a late duplicate. *sent_at*: as the ack echoes it, if it does."""
        flight = self._awaited.get((resource_id, event_id))
        if flight is None or (sent_at and sent_at != flight.event.sent_at):
            return None
        del self._awaited[resource_id, event_id]
        self._unacked.acked(flight, now)
        lane = self._lanes[flight.key]
        lane.flight = None
        if lane.unsent:
            self._ready.setdefault(flight.key)
        else:
            self._remove(flight.key)
        return flight.event

    def connected(self, now: float, window: int) -> None:
        """A new stream takes the place of the one before, if any: everything in flight is due again at once."""
        self.disconnected()
        self._stream += 1
        self._is_connected, self._connected_at, self._window = True, now, max(window, 1)

    def disconnected(self) -> None:
        """The stream ended: once-events that were not written are gone, what was un-acked goes first on the next."""
        self._is_connected = False
        self._once.clear()
        for key in reversed(self._unacked.clear()):
            self._ready[key] = None
            self._ready.move_to_end(key, last=False)

    def deadline(self) -> float | None:
        """When `take` next has something to say; in the past: now. None: not before something happens."""
        if not self._is_connected:
            return None
        if self._once or (self._ready and len(self._unacked) < self._window):
            return AT_ONCE
        return self._unacked.deadline()

    def in_flight(self, key: str) -> Event | None:
        """The event of *key* that was sent and is not acked."""
        lane = self._lanes.get(key)
        return lane.flight.event if lane is not None and lane.flight is not None else None

    def pending_types(self, key: str) -> tuple[str, ...]:
        """The types of what *key* still owes the peer, in the order of sending, un-acked first."""
        return tuple(event.type for event in self._owed(key))

    def drop(self, key: str) -> None:
        """Forget everything about *key*: it no longer concerns this peer."""
        lane = self._lanes.get(key)
        if lane is not None:
            self._abandon(lane, lane.flight.sent if lane.flight is not None else 0.0)
            self._remove(key)

    def _owed(self, key: str) -> Iterator[Event]:
        lane = self._lanes.get(key)
        if lane is not None:
            if lane.flight is not None:
                yield lane.flight.event
            yield from lane.unsent

    def _put_delete(self, key: str, lane: _Lane, delete: Event, now: float) -> None:
        """Supersede what is owed, but for the delete of another object that had the name before: a receiver refuses
        a delete whose uid is not that of the object it holds."""
        flight = lane.flight
        if flight is not None and not _is_other_delete(flight.event, delete):
            held_a_place = flight.is_live
            self._abandon(lane, now)
            if held_a_place:  # the place in the window is the delete's: it goes at once, before who waits for room
                self._ready[key] = None
                self._ready.move_to_end(key, last=False)
        others = [event for event in lane.unsent if _is_other_delete(event, delete)]
        after_other = bool(others) or lane.flight is not None
        never_sent = any(e.type == EventType.CREATE and e.resource_id == delete.resource_id for e in lane.unsent)
        # An object born after the deletion of another one that is still to be told, and never told itself: nothing to
        # undo. Without this, an object made and deleted over and over while the peer is away would pile up deletes.
        lane.unsent = others if after_other and never_sent else [*others, delete]

    def _send(self, key: str, now: float, jitter: float, stamp: str) -> Event:
        """Put the next event of *key* in flight: the un-acked one again, or what has taken its place."""
        lane = self._lanes[key]
        sent, attempt = lane.flight, 1
        event = self._first_of(lane, now) if sent is None else _newest(sent.event, lane.unsent)
        if sent is not None and event is sent.event:
            attempt = sent.attempt + 1 if sent.stream == self._stream else 1
        else:
            if sent is not None:
                self._awaited.pop(_ids(sent.event), None)
            event = replace(event, sent_at=stamp)
        flight = Flight(key, event, attempt, self._stream, now, self._retry.delay(attempt, jitter))
        lane.flight = self._awaited[_ids(event)] = flight
        self._unacked.add(flight)
        return event

    def _first_of(self, lane: _Lane, now: float) -> Event:
        event = lane.unsent.pop(0)
        if event.type == EventType.CREATE:
            has_waited = lane.created_at < self._connected_at or now - lane.created_at > self._patience
            if has_waited:
                return _newest(event, lane.unsent)
        return event

    def _abandon(self, lane: _Lane, now: float) -> None:
        """What is in flight needs no ack any more; one that still comes is ignored."""
        flight, lane.flight = lane.flight, None
        if flight is not None:
            self._awaited.pop(_ids(flight.event), None)
            self._unacked.superseded(flight, now)

    def _remove(self, key: str) -> None:
        del self._lanes[key]
        self._ready.pop(key, None)


def _ids(event: Event) -> tuple[ResourceId, EventId]:
    return (event.resource_id, event.event_id)


def _is_other_delete(event: Event, delete: Event) -> bool:
    return event.type == EventType.DELETE and event.resource_id != delete.resource_id


def _merge(unsent: list[Event], event: Event) -> None:
    """Add *event*, in the place of older state of its sort. An update leaves an older create before it."""
    sort = _SORTS.get(event.type)
    if sort is None:
        unsent.append(event)
        return
    kept = event.type != EventType.CREATE
    older = [
        index
        for index, other in enumerate(unsent)
        if _SORTS.get(other.type) == sort and not (kept and other.type == EventType.CREATE)
    ]
    if not older:
        unsent.append(event)
        return
    unsent[older[0]] = event
    for index in reversed(older[1:]):
        del unsent[index]


def _newest(event: Event, unsent: list[Event]) -> Event:
    """*event*, or the newest state of its sort, which leaves *unsent*. What replaces a create is a create."""
    sort = _SORTS.get(event.type)
    if sort is None:
        return event
    newer = [other for other in unsent if _SORTS.get(other.type) == sort]
    if not newer:
        return event
    unsent[:] = [other for other in unsent if _SORTS.get(other.type) != sort]
    is_create = event.type == EventType.CREATE or any(other.type == EventType.CREATE for other in newer)
    return replace(newer[-1], type=EventType.CREATE) if is_create else newer[-1]
