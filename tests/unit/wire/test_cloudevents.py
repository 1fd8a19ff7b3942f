"""Events as bytes: what is written, what is tolerated, what is refused."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argocd_agent.errors import EventRefused, LocalProtocolError, RemoteProtocolError, UndecodableEvent
from argocd_agent.protocol.events import Event, EventId, EventType, ResourceId, Target, ack_of
from argocd_agent.wire.cloudevents import decode, encode
from argocd_agent.wire.proto.cloudevents_pb2 import CloudEvent, CloudEventAttributeValue
from argocd_agent.wire.proto.eventstreamapi_pb2 import Event as Frame

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


def an_event(**changes: object) -> Event:
    event = Event(
        target=Target.APPLICATION,
        type=EventType.SPEC_UPDATE,
        resource_id=ResourceId("guestbook_1"),
        event_id=EventId("guestbook_1_2"),
        data=b'{"spec":{}}',
        subject="argocd/guestbook",
        principal_uid="5b6a1013-18b8-4fcc-93a3-7d17adfbd7e7",
        sent_at="2026-08-21T04:05:16.123456789Z",
        trace_parent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        trace_state="a=b",
        extensions={"partition": "7"},
    )
    return dataclasses.replace(event, **changes)  # type: ignore[arg-type]  # names and types are the test's business


def a_frame(**attributes: CloudEventAttributeValue | None) -> Frame:
    """A frame that decodes, with some attributes set otherwise, or taken away where the value is None."""
    frame = Frame.FromString(encode(an_event(principal_uid="", sent_at="", trace_parent="", trace_state="")))
    for name, value in attributes.items():
        if value is None:
            del frame.event.attributes[name]
        else:
            frame.event.attributes[name].CopyFrom(value)
    return frame


def refused(frame: Frame) -> tuple[str, Event]:
    """The words and the envelope with which *frame* is refused."""
    with pytest.raises(UndecodableEvent) as caught:
        decode(frame.SerializeToString())
    assert isinstance(caught.value.envelope, Event)
    return str(caught.value), caught.value.envelope


def attributes_of(event: Event) -> dict[str, tuple[str | None, str]]:
    message = Frame.FromString(encode(event)).event
    found = {name: (value.WhichOneof("attr"), value) for name, value in message.attributes.items()}
    return {name: (member, getattr(value, member or "")) for name, (member, value) in found.items()}


def test_target_is_written_as_uri_and_everything_else_as_string() -> None:
    assert attributes_of(an_event()) == {
        "dataschema": ("ce_uri", "application"),
        "datacontenttype": ("ce_string", "application/json"),
        "subject": ("ce_string", "argocd/guestbook"),
        "resourceid": ("ce_string", "guestbook_1"),
        "eventid": ("ce_string", "guestbook_1_2"),
        "sentat": ("ce_string", "2026-08-21T04:05:16.123456789Z"),
        "principaluid": ("ce_string", "5b6a1013-18b8-4fcc-93a3-7d17adfbd7e7"),
        "traceparent": ("ce_string", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        "tracestate": ("ce_string", "a=b"),
        "partition": ("ce_string", "7"),
    }


def test_event_without_data_has_empty_binary_data_and_no_content_type() -> None:
    message = Frame.FromString(encode(an_event(data=b""))).event

    assert message.WhichOneof("data") == "binary_data"
    assert "datacontenttype" not in message.attributes


def test_source_of_the_sender_stands_in_only_where_the_event_has_none() -> None:
    assert decode(encode(an_event(), source="agent://agent-managed")).source == "agent://agent-managed"
    assert decode(encode(an_event(source="own"), source="agent://agent-managed")).source == "own"


def test_equal_events_have_equal_bytes_whatever_the_order_of_their_extensions() -> None:
    one, other = an_event(extensions={"a": "1", "b": "2"}), an_event(extensions={"b": "2", "a": "1"})

    assert encode(one) == encode(other)


def test_extension_cannot_take_the_place_of_what_we_write() -> None:
    event = decode(encode(an_event(extensions={"resourceid": "other", "dataschema": "redis", "eventid": "other"})))

    assert (event.target, event.resource_id, event.event_id) == (Target.APPLICATION, "guestbook_1", "guestbook_1_2")


@pytest.mark.parametrize("event", [an_event(resource_id=""), an_event(target=Target.UNKNOWN)])
def test_event_that_nobody_could_ack_is_our_own_mistake(event: Event) -> None:
    with pytest.raises(LocalProtocolError):
        encode(event)


def test_text_that_is_not_unicode_is_refused_for_this_event_alone() -> None:
    with pytest.raises(EventRefused, match="guestbook_1"):
        encode(an_event(subject="\ud800"))


@settings(max_examples=25)
@given(
    st.builds(
        Event,
        target=st.sampled_from([target for target in Target if target is not Target.UNKNOWN]),
        type=st.sampled_from(EventType) | st.just("GET"),
        resource_id=TEXT.filter(bool).map(ResourceId),
        event_id=TEXT.map(EventId),
        data=st.binary(max_size=50),
        key=st.just(""),
        subject=TEXT,
        source=TEXT,
        principal_uid=TEXT,
        sent_at=TEXT,
        trace_parent=TEXT,
        trace_state=TEXT,
        extensions=st.dictionaries(st.from_regex(r"x[a-z0-9]{0,8}", fullmatch=True), TEXT.filter(bool), max_size=3),
    )
)
def test_every_event_that_can_be_written_is_read_back_the_same(event: Event) -> None:
    assert decode(encode(event)) == event


@pytest.mark.parametrize(
    "value", [CloudEventAttributeValue(ce_string="redis"), CloudEventAttributeValue(ce_uri_ref="redis")]
)
def test_target_is_read_from_other_members_too(value: CloudEventAttributeValue) -> None:
    frame = a_frame(dataschema=value)

    assert decode(frame.SerializeToString()).target is Target.REDIS


def test_id_time_and_version_of_the_specification_do_not_matter() -> None:
    frame = a_frame(time=CloudEventAttributeValue(ce_string="yesterday"))
    frame.event.id, frame.event.spec_version = "1", "7.0"

    assert decode(frame.SerializeToString()) == decode(a_frame().SerializeToString())


def test_extension_that_is_not_text_counts_as_missing() -> None:
    frame = a_frame(partition=CloudEventAttributeValue(ce_integer=7), sentat=CloudEventAttributeValue(ce_boolean=True))

    event = decode(frame.SerializeToString())

    assert (event.extensions, event.sent_at) == ({}, "")


def test_unknown_extensions_come_back_in_the_ack() -> None:
    event = decode(a_frame(later=CloudEventAttributeValue(ce_string="x")).SerializeToString())

    assert ack_of(event).extensions == {"partition": "7", "later": "x"}


def test_unknown_type_is_handed_on_and_a_known_one_is_the_enum_s() -> None:
    frame = a_frame()
    known = decode(frame.SerializeToString()).type
    frame.event.type = "io.argoproj.argocd-agent.event.later"

    assert known is EventType.SPEC_UPDATE
    assert decode(frame.SerializeToString()).type == "io.argoproj.argocd-agent.event.later"


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "text/json", "APPLICATION/JSON", "a/b+json"]
)
def test_json_by_any_name_is_json(content_type: str) -> None:
    frame = a_frame(datacontenttype=CloudEventAttributeValue(ce_string=content_type))

    assert decode(frame.SerializeToString()).data == b'{"spec":{}}'


@pytest.mark.parametrize("data", [b"\xff", b"\x0a", b"\x0a\x05\x1a\x03\xff\xff\xff"])
def test_bytes_that_are_no_message_break_the_session(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=r"expected an eventstreamapi\.Event"):
        decode(data)


def test_message_without_an_event_breaks_the_session() -> None:
    with pytest.raises(RemoteProtocolError, match="found none in 0 bytes"):
        decode(b"")


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (
            a_frame(dataschema=CloudEventAttributeValue(ce_uri="later")),
            "expected a known target as dataschema, found 'later'",
        ),
        (a_frame(dataschema=CloudEventAttributeValue(ce_uri="unknown")), "found 'unknown'"),
        (a_frame(dataschema=CloudEventAttributeValue(ce_integer=1)), "found ''"),
        (a_frame(dataschema=None), "found ''"),
    ],
)
def test_unknown_target_is_refused_with_what_its_ack_needs(frame: Frame, words: str) -> None:
    message, envelope = refused(frame)

    assert words in message
    assert (envelope.target, envelope.resource_id, envelope.event_id) == (
        Target.UNKNOWN,
        "guestbook_1",
        "guestbook_1_2",
    )
    assert decode(encode(ack_of(envelope))).extensions == {"partition": "7"}


def with_event(**fields: object) -> Frame:
    frame = a_frame()
    frame.event.MergeFrom(CloudEvent(**fields))  # type: ignore[arg-type]  # names and types are the test's business
    return frame


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (a_frame(later=CloudEventAttributeValue()), "attribute 'later': expected a value, found none"),
        (with_event(text_data="{}"), "expected binary_data, found text_data"),
        (with_event(proto_data={}), "expected binary_data, found proto_data"),
        (a_frame(datacontenttype=CloudEventAttributeValue(ce_string="text/xml")), "found 'text/xml'"),
    ],
)
def test_content_that_cannot_be_understood_is_refused_with_its_target(frame: Frame, words: str) -> None:
    message, envelope = refused(frame)

    assert words in message
    assert message.startswith("event 'guestbook_1_2' of 'guestbook_1' (io.argoproj.argocd-agent.event.spec-update): ")
    assert (envelope.target, envelope.data) == (Target.APPLICATION, b"")


def test_event_without_type_is_refused() -> None:
    frame = a_frame()
    frame.event.type = ""

    assert "expected a type" in refused(frame)[0]


@pytest.mark.parametrize("value", [None, CloudEventAttributeValue(ce_string="")])
def test_event_without_resource_id_is_refused_and_its_envelope_can_still_be_acked(
    value: CloudEventAttributeValue | None,
) -> None:
    message, envelope = refused(a_frame(resourceid=value))

    assert "expected a resource id" in message
    assert Frame.FromString(encode(ack_of(envelope))).event.attributes["eventid"].ce_string == "guestbook_1_2"


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_the_named_errors(data: bytes) -> None:
    try:
        event = decode(data)
    except (RemoteProtocolError, UndecodableEvent):
        return

    assert decode(encode(event)) == event
