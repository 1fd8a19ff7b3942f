"""Drives one stream of one peer, from open to close: reads, writes, beats, hands events to a handler.

Every outgoing event passes `_send`, every incoming one `_receive`. One task group; when a part ends, the session
ends. Events of different objects are handled side by side, those of one object one after the other. An ack goes out
when the handler is done, that is, when the write is durable. A deferred event is handled again after a growing pause,
or superseded by newer state of its object.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from argocd_agent.errors import (
    DecodeError,
    EventDeferred,
    EventDiscarded,
    EventRefused,
    RemoteProtocolError,
    StreamClosed,
    TransportError,
    UndecodableEvent,
)
from argocd_agent.peer.link import Link
from argocd_agent.peer.reconcile import AntiEntropy
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.capabilities import Capability
from argocd_agent.protocol.events import Event, EventType, Target, ack_of
from argocd_agent.protocol.heartbeat import Heartbeat
from argocd_agent.protocol.inbox import Inbox, order_of
from argocd_agent.protocol.session import Input, State
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.transport.stream import EventStream
from argocd_agent.wire.timestamps import format_sent_at

log = get_log("GrpcEvent", "grpc-event")

Handler = Callable[[Event], Awaitable[None]]

# A peer of ours has at most its window un-acked; one of the reference, as many as it has objects.
INBOX_LIMIT = 8192

# Between our own ends these are sent once, whatever becomes of them: an ack would double the traffic, for nobody.
UNACKED = frozenset({Target.RESOURCE})

# How often an event is tried again here before the peer's own resend would come.
DEFERRED = Backoff(first=0.5, factor=2.0, ceiling=30.0)


@dataclass(frozen=True, slots=True)
class Watchers:
    """Who wants to know what passes. Called synchronously; must not wait."""

    sent: Callable[[Event], None]
    received: Callable[[Event], None]
    processed: Callable[[Event, str, float], None]
    """Event, `success`, `failure`, `discarded`, `refused` or `deferred`, seconds."""
    refused: Callable[[Event, str], None]
    """An event that could not be carried out, or not be sent, and why."""
    resent: Callable[[Event], None]
    unsent: Callable[[], None]
    """The stream broke while an event was written."""
    depth: Callable[[int], None]
    """How many objects have events that are not acked or not sent."""


class Session:
    """One open stream. `run` returns why it ended.

    *opened* is called when events can be put for this peer; it must not wait. *entropy* is driven as long as the
    session lasts.
    """

    def __init__(
        self,
        link: Link,
        stream: EventStream,
        handle: Handler,
        watchers: Watchers,
        *,
        beat: Heartbeat,
        opened: Callable[[], None],
        entropy: AntiEntropy,
    ) -> None:
        self._link, self._stream, self._handle, self._watchers = link, stream, handle, watchers
        self._opened, self._entropy = opened, entropy
        self._dismissed = ""
        self._inbox = Inbox(DEFERRED, order=order_of)
        self._beat = beat
        self._clock = asyncio.get_running_loop().time
        self._due, self._room = asyncio.Event(), asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> str:
        """Drive the stream until it ends; the reason, for people."""
        self._link.outbox.connected(self._clock(), self._stream.peer.window)
        self._link.peer, self._link.state = self._stream.peer, State.AUTHENTICATED
        self._link.happened(Input.OPENED)
        reason = "the stream was closed"
        try:
            self._opened()
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._write(), name=f"write to {self._link.name}")
                tasks.create_task(self._tick(), name=f"what falls due with {self._link.name}")
                await self._read()
        except* (TransportError, RemoteProtocolError) as group:
            reason = str(_first(group))
        finally:
            self._link.happened(Input.CLOSED)
            self._link.outbox.disconnected()
            await self._stream.close(reason)
        return reason

    async def _read(self) -> None:
        while True:
            while len(self._inbox) >= INBOX_LIMIT:  # the peer sends more than we can do: it waits
                self._room.clear()
                await self._room.wait()
            try:
                event = await self._stream.receive()
            except UndecodableEvent as error:
                self._refuse_unread(error)
                continue
            self._receive(event)

    def _receive(self, event: Event) -> None:
        """The one passage of everything that comes in."""
        now = self._clock()
        self._beat.heard(now)
        self._watchers.received(event)
        if event.target is Target.ACK:
            if self._link.outbox.ack(event.resource_id, event.event_id, now, event.sent_at) is not None:
                self._link.wake.set()
                if self._link.outbox.is_idle and self._link.state is State.RESYNCING:
                    self._link.happened(Input.SETTLED)
        elif event.target is Target.HEARTBEAT:
            if not self._stream.peer.can(Capability.HEARTBEAT):
                self._link.put_once(ack_of(event))
        else:
            self._inbox.receive(event, now)
            self._start(now)

    def _refuse_unread(self, error: UndecodableEvent) -> None:
        self._beat.heard(self._clock())
        envelope = error.envelope
        assert isinstance(envelope, Event), "the wire gives what it could read as an event"
        log.warning("An event could not be understood and is refused", {**_about(envelope), fields.ERROR: str(error)})
        self._watchers.processed(envelope, "refused", 0.0)
        if envelope.resource_id and envelope.target is not Target.ACK:
            self._link.put_once(ack_of(envelope))

    def _start(self, now: float) -> None:
        assert self._tasks is not None, "events are received while the session runs"
        for event in self._inbox.take(now):
            self._tasks.create_task(self._process(event), name=f"handle {event.event_id}")
        self._pay_acks()

    def _pay_acks(self) -> None:
        for ack in self._inbox.acks():
            self._link.put_once(ack)

    async def _process(self, event: Event) -> None:
        began, verdict = self._clock(), "success"
        try:
            await self._handle(event)
        except EventDeferred as error:
            delay = self._inbox.defer(event, self._clock(), random.random())
            log.warning(
                "An event cannot be carried out now and is kept",
                {**_about(event), fields.ERROR: str(error), fields.SECONDS: round(delay, 1)},
            )
            self._watchers.processed(event, "deferred", self._clock() - began)
            self._due.set()
            return
        except EventDiscarded as error:
            verdict = "discarded"
            log.info("An event makes no sense here and is discarded", {**_about(event), fields.ERROR: str(error)})
        except (EventRefused, DecodeError) as error:
            verdict = "refused"
            log.warning("An event was refused", {**_about(event), fields.ERROR: str(error)})
            self._watchers.refused(event, str(error))
        self._inbox.finished(event, owes_ack=not (event.target in UNACKED and self._stream.peer.can(Capability.LIVE)))
        self._room.set()
        if event.target is Target.RESYNC:  # it may have been about the next comparison
            self._due.set()
        self._watchers.processed(event, verdict, self._clock() - began)
        self._start(self._clock())

    def dismiss(self, reason: str) -> None:
        """End the session, for *reason*."""
        self._dismissed = reason
        self._due.set()

    async def _tick(self) -> None:
        """Do what falls due: deferred events, heartbeats, comparisons. One task for all: a hub has many sessions."""
        while True:
            self._due.clear()
            if self._dismissed:
                raise StreamClosed(self._dismissed)
            now = self._clock()
            self._start(now)
            self._keep_alive(now)
            self._entropy.tick(now)
            deadlines = (self._inbox.deadline(), self._beat.deadline(), self._entropy.deadline())
            with contextlib.suppress(TimeoutError):  # not a failure: something fell due
                async with asyncio.timeout_at(min((at for at in deadlines if at is not None), default=None)):
                    await self._due.wait()

    def _keep_alive(self, now: float) -> None:
        if self._beat.lost(now):
            raise StreamClosed(f"nothing was heard from {self._stream.address} for {self._beat.timeout:.0f} s")
        if self._beat.due(now):
            self._beat.sent(now)
            self._link.put_once(self._link.message(Target.HEARTBEAT, EventType.PING, None))

    async def _write(self) -> None:
        outbox, wake = self._link.outbox, self._link.wake
        while True:
            wake.clear()
            stamp = format_sent_at(time.time_ns())
            for event in outbox.take(self._clock(), random.random, stamp):
                if event.sent_at not in ("", stamp) and event.target is not Target.ACK:
                    self._watchers.resent(event)
                await self._send(event)
            self._watchers.depth(len(outbox))
            with contextlib.suppress(TimeoutError):  # not a failure: something fell due
                async with asyncio.timeout_at(outbox.deadline()):
                    await wake.wait()

    async def _send(self, event: Event) -> None:
        """The one passage of everything that goes out."""
        try:
            await self._stream.send(event)
        except StreamClosed:
            self._watchers.unsent()
            raise
        except EventRefused as error:  # too large for any stream: sending it again would not help
            self._link.outbox.ack(event.resource_id, event.event_id, self._clock())
            log.error("An event cannot be sent", {**_about(event), fields.ERROR: str(error)})
            self._watchers.refused(event, str(error))
            return
        if not self._beat.toward_reference:  # the reference acks a ping and nothing else at once
            self._beat.sent(self._clock())
        self._watchers.sent(event)


def _about(event: Event) -> dict[str, object]:
    return {
        fields.EVENT_TARGET: event.target.value,
        fields.EVENT_TYPE: event.type,
        fields.EVENT_ID: event.event_id,
        fields.RESOURCE_ID: event.resource_id,
    }


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
