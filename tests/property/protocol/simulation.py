"""A source and a mirror, with an outbox, a link that loses and reorders, and an inbox between them. Nothing waits.

The mirror applies what it is told, durably, and refuses a delete of another object than it holds. Every write is held
against the promises of the outbox as it is made. A test draws steps, then calls `settle`, after which nothing is lost.
"""

from collections.abc import Callable
from dataclasses import dataclass

from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.events import Event, EventType
from argocd_agent.protocol.inbox import Inbox
from argocd_agent.protocol.outbox import Outbox
from tests.support.builders import an_event

RETRY = Backoff(first=5, factor=4, ceiling=120)
PAUSE = Backoff(first=1, factor=2, ceiling=30)
SPECIFICATION = {EventType.CREATE, EventType.SPEC_UPDATE}
OPERATIONS = (EventType.SET_OPERATION, EventType.TERMINATE_OPERATION)
KEYS = 3


@dataclass
class Thing:
    """One object: which one it is, and in what version its specification and status are."""

    uid: int
    spec: int
    status: int


class Simulation:
    """Both ends and what is between them."""

    def __init__(self, window: int) -> None:
        self.window, self.now, self._number = window, 0.0, 0
        self.outbox, self.inbox = Outbox(RETRY, window), Inbox(PAUSE)
        self.source: dict[str, Thing] = {}
        self.mirror: dict[str, Thing] = {}
        self.asked: dict[str, list[tuple[int, int]]] = {}  # operations put: uid and number
        self.carried_out: dict[str, list[tuple[int, int]]] = {}
        self.is_connected = False
        self.there: list[Event] = []  # on the way to the mirror
        self.back: list[Event] = []  # acks on the way to the source
        self.working: list[Event] = []
        self._open: dict[str, Event] = {}  # written on this stream and neither acked nor superseded

    # What can happen at the source

    def create(self, which: int) -> None:
        name = _name(which)
        if name not in self.source:
            self.source[name] = Thing(self._next(), self._next(), 0)
            self._put(EventType.CREATE, name)

    def update(self, which: int) -> None:
        if thing := self.source.get(_name(which)):
            thing.spec = self._next()
            self._put(EventType.SPEC_UPDATE, _name(which))

    def change_status(self, which: int) -> None:
        if thing := self.source.get(_name(which)):
            thing.status = self._next()
            self._put(EventType.STATUS_UPDATE, _name(which))

    def operate(self, which: int) -> None:
        if thing := self.source.get(_name(which)):
            number = self._next()
            self.asked.setdefault(_name(which), []).append((thing.uid, number))
            self._put(OPERATIONS[number % 2], _name(which), number)

    def delete(self, which: int) -> None:
        if _name(which) in self.source:
            self._put(EventType.DELETE, _name(which))
            del self.source[_name(which)]

    def write(self, which: int) -> None:
        for event in self.outbox.take(self.now, lambda: which / 10, f"stamp-{self._next()}", limit=1 + which):
            self._hold_against_the_promises(event)
            self._open[event.order_key] = event
            self.there.append(event)

    def hear(self, which: int) -> None:
        if self.back:
            ack = self.back.pop(which % len(self.back))
            acked = self.outbox.ack(ack.resource_id, ack.event_id, self.now, ack.sent_at)
            if acked is not None:
                self._open.pop(acked.order_key, None)

    # What can happen on the link

    def connect(self, which: int) -> None:
        self.cut(which)
        self.outbox.connected(self.now, self.window)
        self.is_connected = True

    def cut(self, which: int) -> None:
        self.outbox.disconnected()
        self.is_connected = False
        self.there, self.back, self._open = [], [], {}

    def deliver(self, which: int) -> None:
        """Something arrives; not before what was sent earlier of its key."""
        if self.there:
            key = self.there[which % len(self.there)].order_key
            event = next(event for event in self.there if event.order_key == key)
            self.there.remove(event)
            self.inbox.receive(event, self.now)

    def deliver_twice(self, which: int) -> None:
        if self.there:
            self.inbox.receive(self.there[0], self.now)
            self.deliver(0)

    def wait(self, which: int) -> None:
        self.now += which

    # What can happen at the mirror

    def begin(self, which: int) -> None:
        self.working += self.inbox.take(self.now, limit=1 + which)
        keys = [event.order_key for event in self.working]
        assert len(keys) == len(set(keys)), "two events of one key are being processed"

    def finish(self, which: int) -> None:
        if self.working:
            event = self.working.pop(which % len(self.working))
            self._apply(event)
            self.inbox.finished(event)

    def defer(self, which: int) -> None:
        if self.working:
            self.inbox.defer(self.working.pop(which % len(self.working)), self.now, which / 10)

    def answer(self, which: int) -> None:
        acks = self.inbox.acks()
        if self.is_connected:
            self.back += acks

    def restart_mirror(self, which: int) -> None:
        """What it has applied stays; what it had received is gone, the stream with it."""
        self.cut(which)
        self.inbox, self.working = Inbox(PAUSE), []

    def restart_source(self, which: int) -> None:
        """What was owed is gone; everything there is is told again, as after a start."""
        self.cut(which)
        self.outbox, self.asked = Outbox(RETRY, self.window), {}
        for name in self.source:
            self._put(EventType.CREATE, name)
            self._put(EventType.STATUS_UPDATE, name)

    def settle(self) -> None:
        """From now on nothing is lost and nothing new happens: run until nothing is owed."""
        self.connect(0)
        for _ in range(500):
            self.write(9)
            for step in (self.deliver, self.hear):
                while self.there if step == self.deliver else self.back:
                    step(0)
            self.begin(9)
            while self.working:
                self.finish(0)
            self.answer(0)
            if not self.back and self.outbox.is_idle and len(self.inbox) == 0:
                return
            if not self.back and self.inbox.deadline() != 0.0:
                deadlines = [at for at in (self.outbox.deadline(), self.inbox.deadline()) if at is not None]
                assert deadlines, "something is owed, and nothing will ever wake the driver"
                self.now = max(self.now, min(deadlines))
        raise AssertionError("still not settled")

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _put(self, kind: EventType, name: str, number: int = 0) -> None:
        thing = self.source[name]
        version = {EventType.STATUS_UPDATE: thing.status}.get(kind, number or thing.spec)
        self.outbox.put(an_event(kind, version, name=name, uid=str(thing.uid)), self.now)

    def _hold_against_the_promises(self, event: Event) -> None:
        before = self._open.get(event.order_key)
        if before is None:
            assert len(self._open) < self.window, f"more than {self.window} un-acked events"
        elif event.type == EventType.DELETE:
            other = before.type == EventType.DELETE and before.resource_id != event.resource_id
            assert not other, "a delete overtook that of an older object"
        elif before.event_id != event.event_id:
            replaces = {before.type, event.type} <= SPECIFICATION or before.type == event.type not in OPERATIONS
            assert replaces, f"{event.type} was written while {before.type} of its key was un-acked"

    def _apply(self, event: Event) -> None:
        name = event.subject.partition("/")[2]
        uid = int(event.resource_id.rpartition("_")[2])
        number = int(event.data.decode().partition(":")[2].rstrip("}"))
        held = self.mirror.get(name)
        if event.type in SPECIFICATION:
            self.mirror[name] = Thing(uid, number, held.status if held is not None and held.uid == uid else 0)
        elif event.type == EventType.STATUS_UPDATE and held is not None and held.uid == uid:
            held.status = number
        elif event.type == EventType.DELETE and held is not None and held.uid == uid:
            del self.mirror[name]
        elif event.type in OPERATIONS:
            self.carried_out.setdefault(name, []).append((uid, number))


SOURCE_STEPS: tuple[Callable[[Simulation, int], None], ...] = (
    Simulation.create,
    Simulation.update,
    Simulation.update,
    Simulation.change_status,
    Simulation.operate,
    Simulation.delete,
)
CALM_STEPS = (
    Simulation.write,
    Simulation.write,
    Simulation.deliver,
    Simulation.begin,
    Simulation.finish,
    Simulation.answer,
    Simulation.hear,
    Simulation.wait,
)
ROUGH_STEPS = (
    Simulation.connect,
    Simulation.connect,
    Simulation.cut,
    Simulation.deliver_twice,
    Simulation.defer,
    Simulation.restart_mirror,
)


def _name(which: int) -> str:
    return f"app-{which % KEYS}"
