"""What outlives a session: the events owed to one peer, and the bell that wakes the writer.

Everything that is to be sent to a peer passes `put` or `put_once`; nothing else puts events on a stream.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar
from uuid import uuid4

from argocd_agent.codec import encode
from argocd_agent.errors import DecodeError, EventRefused
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.capabilities import REFERENCE, PeerInfo
from argocd_agent.protocol.events import Event, EventId, ResourceId, Target, object_key
from argocd_agent.protocol.outbox import Outbox
from argocd_agent.protocol.session import Input, State, step
from argocd_agent.resources.objects import Object, decode_object
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.payloads import Payload, decode

log = get_log("Resync")

# docs/protocol, 4.2: 5, 20, 80, then 120 seconds, each multiplied by 1 to 2.
RESEND_FACTOR, RESEND_CEILING_SECONDS = 4.0, 120.0

P = TypeVar("P", bound=Payload)


def payload_of(event: Event, shape: type[P]) -> P:
    """What *event* carries. Raises `EventRefused` where it is no *shape*."""
    try:
        return decode(event.data, shape)
    except DecodeError as error:
        raise EventRefused(str(error)) from error


def object_of(event: Event) -> Object:
    """The object that *event* is about. Raises `EventRefused` where there is none, or one without a name."""
    try:
        obj = decode_object(event.data, event.target.value)
    except DecodeError as error:
        raise EventRefused(str(error)) from error
    if not obj.name:
        raise EventRefused(f"{event.target.value}: expected an object with metadata.name, found none")
    return obj


class Link:
    """One peer, connected or not. Its memory is bounded by the number of objects, not of changes."""

    def __init__(self, name: str, ack_timeout_seconds: float, source: str, clock: Callable[[], float]) -> None:
        self.name, self.source, self.clock = name, source, clock
        self.peer: PeerInfo = REFERENCE
        self.state = State.CONNECTING
        self.outbox = Outbox(
            Backoff(ack_timeout_seconds, RESEND_FACTOR, RESEND_CEILING_SECONDS, spread=1.0), window=REFERENCE.window
        )
        self.wake = asyncio.Event()

    def put(self, event: Event) -> None:
        """Send *event* until it is acked, or superseded."""
        self.outbox.put(event, self.clock())
        self.wake.set()

    def put_once(self, event: Event) -> bool:
        """Send *event* at most once. False: there is no stream, and it is not sent at all."""
        is_taken = self.outbox.put_once(event)
        self.wake.set()
        return is_taken

    def happened(self, what: Input) -> None:
        """Something happened to the stream. Raises `LocalProtocolError` for what cannot have happened."""
        before, self.state = self.state, step(self.state, what)
        if before is State.RESYNCING and self.state is State.STEADY:
            log.info(f"Up to date with {self.name}")

    def message(self, target: Target, kind: str, payload: object, *, key: str = "") -> Event:
        """An event that is not about an object: ids of its own, *payload* as JSON. *key*: what it is ordered on."""
        unique = str(uuid4())
        return Event(
            target=target,
            type=kind,
            resource_id=ResourceId(unique),
            event_id=EventId(unique),
            data=b"" if payload is None else encode(payload),
            key=key,
            source=self.source,
        )

    def about(self, target: Target, kind: str, obj: Object, data: bytes, *, principal_uid: str = "") -> Event:
        """An event about *obj*, with the ids that the wire contract gives it (3.3).

        The last part of the event id is ours: an operation and an update of one version must not share an ack.
        """
        return Event(
            target=target,
            type=kind,
            resource_id=ResourceId(f"{obj.name}_{obj.uid}"),
            event_id=EventId(f"{obj.name}_{obj.uid}_{obj.version}_{kind.rpartition('.')[2]}"),
            data=data,
            key=object_key(target, obj.namespace, obj.name),
            subject=f"{obj.namespace}/{obj.name}",
            source=self.source,
            principal_uid=principal_uid,
        )
