"""What both ends of the reference do: its event writer, and its reader.

The writer keeps per `resourceid` a queue of unsent events and at most one that awaits its ack; every 100 ms it visits
them in random order (wire contract, 4.2). It outlives streams, and so does a `GoEnd`, until it is dropped as a process
that ended. Time is that of the loop; chance is seeded.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from argocd_agent.errors import StreamClosed, UndecodableEvent
from argocd_agent.protocol.events import Event, EventId, EventType, ResourceId, Target, ack_of
from argocd_agent.protocol.modes import Mode, Role
from argocd_agent.wire import cloudevents
from argocd_agent.wire.timestamps import format_sent_at
from tests.conformance.peers.digestible import Checker
from tests.conformance.peers.line import GoLine

TICK_SECONDS = 0.1
RETRIES_SECONDS = (5.0, 20.0, 80.0, 120.0)
EPOCH_SECONDS = 1_700_000_000
FORGOTTEN = frozenset({Target.ACK, Target.HEARTBEAT})  # sent once, never tracked
COALESCED = frozenset({EventType.SPEC_UPDATE, EventType.STATUS_UPDATE})

Json = dict[str, Any]


@dataclass(slots=True)
class _Awaiting:
    event: Event
    retry_at: float
    attempts: int = 1


@dataclass(slots=True)
class _Queue:
    unsent: list[Event] = field(default_factory=list)
    awaiting: _Awaiting | None = None


class GoWriter:
    """The reference's EventWriter."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._queues: dict[str, _Queue] = {}

    @property
    def is_idle(self) -> bool:
        """Whether everything has been sent and acked."""
        return not self._queues

    def add(self, event: Event) -> None:
        """Queue *event*; of updates only the newest is kept, and a delete drops all that is owed."""
        queue = self._queues.setdefault(event.resource_id, _Queue())
        if event.type == EventType.DELETE:
            queue.unsent, queue.awaiting = [event], None
            return
        if event.type in COALESCED:
            queue.unsent = [other for other in queue.unsent if other.type != event.type]
        queue.unsent.append(event)

    def tick(self, now: float) -> list[Event]:
        """What is sent now."""
        ids = list(self._queues)
        self._chance.shuffle(ids)
        sent = [event for key in ids if (event := self._next(self._queues[key], now)) is not None]
        self._clear()
        return sent

    def ack(self, event: Event) -> None:
        """The other end has dealt with what *event* names."""
        queue = self._queues.get(event.resource_id)
        if queue is None:
            return
        if queue.awaiting is not None and queue.awaiting.event.event_id == event.event_id:
            queue.awaiting = None
        elif queue.unsent and queue.unsent[0].event_id == event.event_id:
            queue.unsent.pop(0)
        self._clear()

    def new_stream(self, now: float) -> None:
        """All that is un-acked is due again."""
        for queue in self._queues.values():
            if queue.awaiting is not None:
                queue.awaiting.retry_at = now

    def _next(self, queue: _Queue, now: float) -> Event | None:
        awaiting = queue.awaiting
        if awaiting is not None:
            if now < awaiting.retry_at:
                return None
            awaiting.attempts += 1
            awaiting.retry_at = now + self._retry(awaiting.attempts)
            return awaiting.event
        if not queue.unsent:
            return None
        event = queue.unsent.pop(0)
        if event.target in FORGOTTEN:
            return event
        event = replace(event, sent_at=format_sent_at(int((EPOCH_SECONDS + now) * 1e9)))
        queue.awaiting = _Awaiting(event, now + self._retry(1))
        return event

    def _retry(self, attempt: int) -> float:
        return RETRIES_SECONDS[min(attempt, len(RETRIES_SECONDS)) - 1] * (1 + self._chance.random())

    def _clear(self) -> None:
        for key in [key for key, queue in self._queues.items() if queue.awaiting is None and not queue.unsent]:
            del self._queues[key]


class GoEnd:
    """One process of the reference. *handle* deals with an event that is no ack, and says whether it is acked.

    `said` and `heard` are all events of all streams, acks too. While `withholds` is true of an event its ack is kept
    in `withheld` until `release`.
    """

    def __init__(
        self,
        our_role: Role,
        source: str,
        handle: Callable[[Event], bool],
        seed: int = 1,
        mode: Mode = Mode.MANAGED,
    ) -> None:
        self.checker = Checker(our_role, mode)
        self.said: list[Event] = []
        self.heard: list[Event] = []
        self.withholds: Callable[[Event], bool] = lambda _: False
        self.withheld: list[Event] = []
        self.watch: Callable[[Event], None] = lambda _: None  # called when an event of ours has been dealt with
        self.chance = random.Random(seed)
        self.writer = GoWriter(self.chance)
        self._handle, self._our_role, self._source = handle, our_role, source
        self._line: GoLine | None = None

    async def serve(self, line: GoLine) -> None:
        """Speak on *line* until it is closed."""
        self._line = line
        self.checker.opened()
        self.writer.new_stream(self.now)
        async with asyncio.TaskGroup() as tasks:
            ticking = tasks.create_task(self._tick(line), name="event writer of the reference")
            try:
                while True:
                    self.receive(await line.hear())
            except StreamClosed:
                ticking.cancel()

    @property
    def now(self) -> float:
        """The time."""
        return asyncio.get_running_loop().time()

    def receive(self, data: bytes) -> None:
        """Deal with one message of ours."""
        self.checker.from_ours(data, self.now)
        event = cloudevents.decode(data)
        self.heard.append(event)
        if event.target is Target.ACK:
            self.writer.ack(event)
        elif self._handle(event):
            if self.withholds(event):
                self.withheld.append(event)
            else:
                self.writer.add(ack_of(event))
        self.watch(event)

    def release(self) -> None:
        """Ack what was withheld."""
        for event in self.withheld:
            self.writer.add(ack_of(event))
        self.withheld.clear()

    def say(self, event: Event) -> None:
        """Put *event* on the line as it is, past the writer."""
        self.say_bytes(cloudevents.encode(event, self._source))

    def say_bytes(self, data: bytes) -> None:
        """Put *data* on the line as they are."""
        assert self._line is not None, "serve a line first"
        self.checker.from_go(data)
        with contextlib.suppress(UndecodableEvent):  # said on purpose
            self.said.append(cloudevents.decode(data))
        self._line.say(data)

    def hang_up(self, reason: str = "the reference has hung up") -> None:
        """End the stream."""
        if self._line is not None:
            self._line.end(reason)

    def message(self, target: Target, kind: str, payload: Json | None) -> Event:
        """An event about no object, with an id of its own."""
        unique = str(UUID(int=self.chance.getrandbits(128), version=4))
        data = b"" if payload is None else json.dumps(payload).encode()
        return Event(target, kind, ResourceId(unique), EventId(unique), data)

    def about(self, kind: str, obj: Json, target: Target = Target.APPLICATION, principal_uid: str = "") -> Event:
        """An event about *obj*, with the ids of the reference: those of one version are the same."""
        meta = obj["metadata"]
        resource_id = f"{meta['name']}_{meta.get('uid', '')}"
        return Event(
            target,
            kind,
            ResourceId(resource_id),
            EventId(f"{resource_id}_{meta.get('resourceVersion', '')}"),
            json.dumps(obj).encode(),
            subject=f"{meta.get('namespace', '')}/{meta['name']}",
            principal_uid=principal_uid,
        )

    def of_ours(self, *kinds: str) -> list[Event]:
        """What ours sent of these types, or of all types but acks."""
        return [event for event in self.heard if (event.type in kinds if kinds else event.target not in FORGOTTEN)]

    async def _tick(self, line: GoLine) -> None:
        while True:
            for event in self.writer.tick(self.now):
                self.say(event)
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await asyncio.get_running_loop().create_future()
            except TimeoutError:
                if not line.is_open:
                    return
