"""Our code reads every event that the reference was seen to send, and writes it again."""

import dataclasses
import json
from collections import defaultdict

import pytest

from argocd_agent.protocol.events import Event, EventType, Target, ack_of
from argocd_agent.protocol.names import AGENT_SOURCE, METHOD_SUBSCRIBE
from argocd_agent.resources.objects import decode_object
from argocd_agent.wire import cloudevents
from argocd_agent.wire.proto.eventstreamapi_pb2 import Event as Frame
from argocd_agent.wire.timestamps import format_sent_at, parse_nanoseconds
from tests.conformance.transcripts.records import NAMES, events, messages

OBJECTS = {Target.APPLICATION, Target.APPPROJECT, Target.REPOSITORY, Target.GPGKEY}
COUNTS = {"managed": 308, "autonomous": 101}
SOURCES = {"agent": AGENT_SOURCE, "principal": ""}


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_event_decodes(name: str) -> None:
    decoded = list(events(name))

    assert len(decoded) == COUNTS[name]
    assert all(record.event.source == SOURCES[record.sender] for record in decoded)


@pytest.mark.parametrize("name", NAMES)
def test_recorded_events_encode_to_the_same_bytes_but_for_the_order_of_attributes(name: str) -> None:
    for record in events(name):
        written = cloudevents.encode(record.event)

        assert Frame.FromString(written) == Frame.FromString(record.data)
        assert written == Frame.FromString(record.data).SerializeToString(deterministic=True)


@pytest.mark.parametrize("name", NAMES)
def test_some_records_happen_to_be_sorted_and_are_reproduced_byte_for_byte(name: str) -> None:
    same = sum(cloudevents.encode(record.event) == record.data for record in events(name))

    assert same > 0


@pytest.mark.parametrize("name", NAMES)
def test_our_reading_agrees_with_the_recorder_s(name: str) -> None:
    for message in messages(name):
        if message.method != METHOD_SUBSCRIBE or message.data is None:
            continue
        event = cloudevents.decode(message.data)
        (read,) = message.read
        texts = {key: value["string"] for key, value in read["attributes"].items() if key != "dataschema"}

        assert (event.type, event.target, event.source) == (
            read["type"],
            read["attributes"]["dataschema"]["uri"],
            read.get("source", ""),
        )
        assert event.resource_id == texts["resourceid"]
        assert event.event_id == texts["eventid"]
        assert event.sent_at == texts.get("sentat", "")
        assert event.principal_uid == texts.get("principaluid", "")
        assert event.subject == texts.get("subject", "")
        assert (json.loads(event.data) if event.data else "") == read["binary_data"]


@pytest.mark.feature("P-29", "A-28")
@pytest.mark.parametrize("name", NAMES)
def test_recorded_acks_are_what_we_would_have_acked(name: str) -> None:
    sent: defaultdict[tuple[str, str, str], list[Event]] = defaultdict(list)
    other = {"agent": "principal", "principal": "agent"}
    acks = 0

    for record in events(name):
        event = record.event
        if event.target is not Target.ACK:
            sent[record.sender, event.resource_id, event.event_id].append(event)
            continue
        acks += 1
        candidates = sent[other[record.sender], event.resource_id, event.event_id]
        ours = [dataclasses.replace(ack_of(candidate), source=event.source) for candidate in candidates]
        assert event in ours

    assert acks == {"managed": 154, "autonomous": 49}[name]


@pytest.mark.parametrize("name", NAMES)
def test_ids_and_subjects_of_recorded_objects_follow_their_metadata(name: str) -> None:
    for record in events(name):
        event = record.event
        if event.target not in OBJECTS or event.type == EventType.ERROR:
            continue
        obj = decode_object(event.data)

        assert event.resource_id == f"{obj.name}_{obj.uid}"
        assert event.event_id == f"{obj.name}_{obj.uid}_{obj.version}"
        assert event.subject == f"{obj.namespace}/{obj.name}"


@pytest.mark.parametrize("name", NAMES)
def test_recorded_times_are_written_as_we_write_them(name: str) -> None:
    times = [record.event.sent_at for record in events(name) if record.event.sent_at]

    assert times
    assert [format_sent_at(parse_nanoseconds(time)) for time in times] == times
