"""Bytes from the event stream: an event that is written again the same, or one of the two named errors."""

from argocd_agent.errors import RemoteProtocolError, UndecodableEvent
from argocd_agent.protocol.events import Event, ack_of
from argocd_agent.wire.cloudevents import decode, encode


def check(data: bytes) -> None:
    """Raises AssertionError where an event changes on its way through bytes, or its ack cannot be written."""
    try:
        event = decode(data)
    except RemoteProtocolError:
        return
    except UndecodableEvent as error:
        event = _envelope(error)
    else:
        assert decode(encode(event)) == event
    ack = encode(ack_of(event))
    if event.resource_id:
        assert decode(ack).extensions == event.extensions


def _envelope(error: UndecodableEvent) -> Event:
    assert isinstance(error.envelope, Event)
    assert error.envelope.data == b"", "what was not understood is not handed on"
    return error.envelope
