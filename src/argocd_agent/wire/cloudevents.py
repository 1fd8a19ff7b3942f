"""Events as they travel: `eventstreamapi.Event` around a CloudEvent in protobuf format (wire contract, 3.2 and 3.3).

Written strictly: `dataschema` as URI, everything else as string, the data always binary, attributes sorted by name, so
that equal events have equal bytes. Read liberally, as far as the event can still be understood:

- attributes in any order; `dataschema` and text attributes as string, URI or URI reference;
- `id`, `time` and the CloudEvents version count for nothing, an unknown `type` is handed on as it is;
- an extension that is not text is treated as missing, as the reference does; unknown ones are kept for the ack.

What cannot be read at all ends the session; what can be read but not understood is refused, with what an ack needs.
"""

from google.protobuf.message import DecodeError as ProtobufDecodeError

from argocd_agent.errors import EventRefused, LocalProtocolError, RemoteProtocolError, UndecodableEvent
from argocd_agent.protocol.events import Event, EventId, EventType, ResourceId, Target
from argocd_agent.protocol.names import (
    CONTENT_TYPE_JSON,
    EXTENSION_EVENT_ID,
    EXTENSION_PRINCIPAL_UID,
    EXTENSION_RESOURCE_ID,
    EXTENSION_SENT_AT,
    EXTENSION_TRACE_PARENT,
    EXTENSION_TRACE_STATE,
    SPEC_VERSION,
)
from argocd_agent.wire.proto.cloudevents_pb2 import CloudEvent
from argocd_agent.wire.proto.eventstreamapi_pb2 import Event as Frame

_CONTENT_TYPE = "datacontenttype"
_SCHEMA = "dataschema"
_SUBJECT = "subject"
_TIME = "time"

_TARGETS = {target.value: target for target in Target if target is not Target.UNKNOWN}
_TYPES: dict[str, str] = {kind.value: kind for kind in EventType}
_JSON_CONTENT_TYPES = frozenset({"", CONTENT_TYPE_JSON, "text/json"})
_TEXT_MEMBERS = frozenset({"ce_string", "ce_uri", "ce_uri_ref"})


def encode(event: Event, source: str = "") -> bytes:
    """*event* as it is sent. *source* stands in where the event names none: the agent's constant, nothing on a hub.

    Raises `LocalProtocolError` for an event that could never be acknowledged (no resource id) or has no target on the
    wire; an ack without resource id is written, so that an ack of whatever `decode` reported always can be. Raises
    `EventRefused` where a text is not Unicode (lone surrogates).
    """
    if not event.resource_id and event.target is not Target.ACK:
        raise LocalProtocolError(f"an event needs a resource id, found none: {event.target.value} {event.type}")
    if event.target is Target.UNKNOWN:
        raise LocalProtocolError(f"{event.resource_id}: target {event.target.value!r} is never sent")
    frame = Frame()
    message = frame.event
    try:
        message.source = event.source or source
        message.spec_version = SPEC_VERSION
        message.type = event.type
        _set_attributes(message, event)
        message.binary_data = event.data
    except UnicodeEncodeError as error:
        raise EventRefused(f"{event.resource_id!r}: an event's texts must be Unicode: {error}") from error
    return frame.SerializeToString(deterministic=True)


def decode(data: bytes) -> Event:
    """The event in *data*.

    Raises `RemoteProtocolError` for bytes that are no message, or a message without an event. Raises
    `UndecodableEvent` for an unknown or missing target, an empty resource id or type, an attribute without value, data
    that are not binary or not JSON by their content type. Its `envelope` is the `Event` as far as it was understood,
    without data and with `Target.UNKNOWN` where the target was not. An envelope without resource id, or with
    `Target.ACK`, is not to be acked: nobody waits for it.
    """
    try:
        frame = Frame.FromString(data)
    except ProtobufDecodeError as error:
        raise RemoteProtocolError(
            f"expected an eventstreamapi.Event, found {len(data)} other bytes: {error}"
        ) from error
    if not frame.HasField("event"):
        raise RemoteProtocolError(
            f"expected an eventstreamapi.Event with an event in it, found none in {len(data)} bytes"
        )
    message = frame.event
    attributes, complaint = _attributes(message)
    content_type = attributes.pop(_CONTENT_TYPE, "")
    schema = attributes.pop(_SCHEMA, "")
    attributes.pop(_TIME, None)
    target = _TARGETS.get(schema)
    complaint = complaint or _complaint(message, schema, content_type)
    if target is None or complaint or EXTENSION_RESOURCE_ID not in attributes:
        envelope = _event(message, target or Target.UNKNOWN, attributes, b"")
        raise UndecodableEvent(_refusal(envelope, complaint or "expected a resource id, found none"), envelope)
    return _event(message, target, attributes, message.binary_data)


def _set_attributes(message: CloudEvent, event: Event) -> None:
    attributes = message.attributes
    for name, value in event.extensions.items():
        attributes[name].ce_string = value
    attributes[_SCHEMA].ce_uri = event.target.value
    if event.resource_id:
        attributes[EXTENSION_RESOURCE_ID].ce_string = event.resource_id
    if event.event_id:
        attributes[EXTENSION_EVENT_ID].ce_string = event.event_id
    if event.data:
        attributes[_CONTENT_TYPE].ce_string = CONTENT_TYPE_JSON
    if event.subject:
        attributes[_SUBJECT].ce_string = event.subject
    if event.sent_at:
        attributes[EXTENSION_SENT_AT].ce_string = event.sent_at
    if event.principal_uid:
        attributes[EXTENSION_PRINCIPAL_UID].ce_string = event.principal_uid
    if event.trace_parent:
        attributes[EXTENSION_TRACE_PARENT].ce_string = event.trace_parent
    if event.trace_state:
        attributes[EXTENSION_TRACE_STATE].ce_string = event.trace_state


def _attributes(message: CloudEvent) -> tuple[dict[str, str], str]:
    """The attributes that are text and not empty, by name; and what is wrong with the others, if it matters."""
    texts: dict[str, str] = {}
    complaint = ""
    for name, value in message.attributes.items():
        member = value.WhichOneof("attr")
        if member in _TEXT_MEMBERS:
            if text := getattr(value, member):
                texts[name] = text
        elif member is None:
            complaint = f"attribute {name!r}: expected a value, found none"
    return texts, complaint


def _complaint(message: CloudEvent, schema: str, content_type: str) -> str:
    """Why *message* cannot be understood; empty if it can."""
    if schema not in _TARGETS:
        return f"expected a known target as {_SCHEMA}, found {schema[:100]!r}"
    if not message.type:
        return "expected a type, found none"
    member = message.WhichOneof("data")
    if member not in ("binary_data", None):
        return f"expected binary_data, found {member}"
    if content_type not in _JSON_CONTENT_TYPES and message.binary_data:
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type not in _JSON_CONTENT_TYPES and not media_type.endswith("+json"):
            return f"expected data of {CONTENT_TYPE_JSON}, found {content_type[:100]!r}"
    return ""


def _event(message: CloudEvent, target: Target, attributes: dict[str, str], data: bytes) -> Event:
    """The event, whose extensions are what is left of *attributes* once the ones we know are taken out."""
    take = attributes.pop
    return Event(
        target=target,
        type=_TYPES.get(message.type, message.type),
        resource_id=ResourceId(take(EXTENSION_RESOURCE_ID, "")),
        event_id=EventId(take(EXTENSION_EVENT_ID, "")),
        data=data,
        key="",
        subject=take(_SUBJECT, ""),
        source=message.source,
        principal_uid=take(EXTENSION_PRINCIPAL_UID, ""),
        sent_at=take(EXTENSION_SENT_AT, ""),
        trace_parent=take(EXTENSION_TRACE_PARENT, ""),
        trace_state=take(EXTENSION_TRACE_STATE, ""),
        **({"extensions": attributes} if attributes else {}),
    )


def _refusal(envelope: Event, complaint: str) -> str:
    return f"event {envelope.event_id[:100]!r} of {envelope.resource_id[:100]!r} ({envelope.type[:100]}): {complaint}"
