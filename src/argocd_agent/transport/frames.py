"""Events ↔ the bytes of one gRPC message, within the size limit of both ends.

An event above the limit is refused here, before it is sent: gRPC would end the whole stream, with a status that a
Go agent cannot live with. One that comes in above our limit, but below what gRPC lets through, is refused alone.
"""

from dataclasses import replace

from argocd_agent.errors import EventRefused, UndecodableEvent
from argocd_agent.protocol.events import Event
from argocd_agent.wire import cloudevents

MAX_MESSAGE_BYTES = 200 * 1024 * 1024  # the reference's default, both directions
_SLACK_BYTES = 1024 * 1024


def receive_ceiling(max_bytes: int) -> int:
    """The limit to set in gRPC itself, where a larger message ends the stream: never below what a Go agent sends."""
    return max(max_bytes, MAX_MESSAGE_BYTES) + _SLACK_BYTES


def pack(event: Event, source: str, max_bytes: int) -> bytes:
    """*event* as bytes. Raises `EventRefused` when there are more than *max_bytes* of them."""
    data = cloudevents.encode(event, source)
    if len(data) > max_bytes:
        raise EventRefused(
            f"event {event.event_id} ({event.type}) is {len(data)} bytes, the limit is {max_bytes} "
            "(--grpc-max-message-size)"
        )
    return data


def unpack(data: bytes, max_bytes: int) -> Event:
    """The event in *data*. Raises `RemoteProtocolError`; `UndecodableEvent`, also for more than *max_bytes*."""
    event = cloudevents.decode(data)
    if len(data) > max_bytes:
        raise UndecodableEvent(
            f"event {event.event_id} ({event.type}) is {len(data)} bytes, the limit is {max_bytes} "
            "(--grpc-max-message-size)",
            replace(event, data=b""),
        )
    return event
