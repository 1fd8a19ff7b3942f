"""The checker itself: it must object to each thing that a Go end could not digest, or the other tests prove nothing."""

from dataclasses import replace

import pytest

from argocd_agent.protocol.events import Event, EventId, EventType, ResourceId, Target, ack_of
from argocd_agent.protocol.modes import Role
from argocd_agent.protocol.names import AGENT_SOURCE
from argocd_agent.wire import cloudevents
from argocd_agent.wire.proto.eventstreamapi_pb2 import Event as Frame
from tests.conformance.peers.digestible import Checker

APPLICATION = (
    b'{"metadata":{"name":"one","namespace":"agent-1","uid":"u","resourceVersion":"1"},"spec":{"project":"p"}}'
)
GOOD = Event(
    Target.APPLICATION,
    EventType.SPEC_UPDATE,
    ResourceId("one_u"),
    EventId("one_u_1_spec-update"),
    APPLICATION,
    subject="agent-1/one",
    principal_uid="p",
    sent_at="2026-01-01T00:00:00.5Z",
)
STATUS = replace(GOOD, type=EventType.STATUS_UPDATE, principal_uid="", event_id=EventId("one_u_1_status-update"))
DELETE = replace(GOOD, type=EventType.DELETE, event_id=EventId("one_u_1_delete"))


def said(event: Event) -> bytes:
    return cloudevents.encode(event)


def problems_of(*events: Event, role: Role = Role.PRINCIPAL, apart_seconds: float = 0.0) -> list[str]:
    checker = Checker(role)
    for number, event in enumerate(events):
        source = AGENT_SOURCE if role is Role.AGENT else ""
        checker.from_ours(cloudevents.encode(event, source), number * apart_seconds)
    return checker.problems


def test_a_good_event_and_its_resend_raise_no_objection() -> None:
    assert problems_of(GOOD, GOOD, apart_seconds=5) == []
    assert problems_of(STATUS, role=Role.AGENT) == []


@pytest.mark.parametrize(
    "event",
    [
        replace(GOOD, target=Target.APPLICATIONSET),
        replace(GOOD, target=Target.HEARTBEAT, type=EventType.PING, data=b""),
        replace(GOOD, target=Target.RESYNC, type=EventType.DIGEST),
        replace(GOOD, type=EventType.REFUSED),
        replace(GOOD, type=EventType.STATUS_UPDATE),
        replace(GOOD, principal_uid=""),
        replace(GOOD, type=EventType.SET_OPERATION),
        replace(GOOD, subject=""),
        replace(GOOD, subject="one"),
        replace(GOOD, event_id=EventId("")),
        replace(GOOD, event_id=EventId("one_u_2_spec-update")),
        replace(GOOD, resource_id=ResourceId("two_u")),
        replace(GOOD, sent_at=""),
        replace(GOOD, sent_at="2026-01-01T00:00:00.50Z"),
        replace(GOOD, extensions={"hello": "there"}),
        replace(GOOD, source="agent://agent-managed"),
        replace(GOOD, data=b'{"metadata":{"name":7}}'),
        replace(GOOD, data=APPLICATION.replace(b'"p"', b"1")),
        replace(GOOD, data=APPLICATION.replace(b'"project":"p"', b'"syncPolicy":[]')),
        replace(GOOD, data=APPLICATION.replace(b'"uid":"u"', b'"uid":"u","labels":{"a":true}')),
        ack_of(GOOD),
    ],
)
def test_each_thing_that_a_go_agent_cannot_digest_is_objected_to(event: Event) -> None:
    assert problems_of(event) != []


@pytest.mark.parametrize(
    "event",
    [
        replace(STATUS, principal_uid="p"),
        replace(STATUS, type=EventType.CREATE),
        replace(STATUS, target=Target.RESYNC, type=EventType.REQUEST_RESOURCE_RESYNC, data=b"{}", subject=""),
        replace(STATUS, type=EventType.ERROR, data=b'{"resourceName":"one"}', subject=""),
    ],
)
def test_each_thing_that_a_go_principal_cannot_digest_is_objected_to(event: Event) -> None:
    assert problems_of(event, role=Role.AGENT) != []


def test_a_second_event_of_an_object_must_wait() -> None:
    newer = replace(GOOD, event_id=EventId("one_u_1_x"), sent_at="2026-01-01T00:00:01Z")

    assert problems_of(GOOD, newer, apart_seconds=0.1) != []
    assert problems_of(GOOD, newer, apart_seconds=5) == []
    assert problems_of(GOOD, GOOD, apart_seconds=4.9) != []


def test_a_delete_need_not_wait_and_must_be_waited_for() -> None:
    again = Event(
        Target.APPLICATION,
        EventType.CREATE,
        ResourceId("one_v"),
        EventId("one_v_2_create"),
        APPLICATION.replace(b'"u"', b'"v"').replace(b'"1"', b'"2"'),
        subject="agent-1/one",
        principal_uid="p",
        sent_at="2026-01-01T00:00:01Z",
    )

    assert problems_of(GOOD, DELETE) == []
    assert problems_of(DELETE, again, apart_seconds=60) != []


def test_a_resend_keeps_its_stamp() -> None:
    assert problems_of(GOOD, replace(GOOD, sent_at="2026-01-01T00:00:09Z"), apart_seconds=9) != []


def test_more_than_128_unacked_are_objected_to() -> None:
    resync = [
        Event(
            Target.RESYNC,
            EventType.REQUEST_RESOURCE_RESYNC,
            ResourceId(f"id-{number}"),
            EventId(f"id-{number}"),
            b"{}",
            sent_at="2026-01-01T00:00:00Z",
        )
        for number in range(129)
    ]

    assert problems_of(*resync[:128]) == []
    assert problems_of(*resync) != []


def test_an_ack_echoes_everything_once() -> None:
    checker = Checker(Role.PRINCIPAL)
    checker.from_go(said(STATUS))
    assert checker.owed == [STATUS.event_id]

    checker.from_ours(said(ack_of(STATUS)), 0)
    assert (checker.owed, checker.problems) == ([], [])
    checker.from_ours(said(ack_of(STATUS)), 0)
    checker.from_go(said(STATUS))
    checker.from_ours(said(replace(ack_of(STATUS), sent_at="")), 0)

    assert len(checker.problems) == 2


@pytest.mark.parametrize("name", ["dataschema", "resourceid"])
def test_attributes_of_another_type_and_other_data_are_objected_to(name: str) -> None:
    frame = Frame.FromString(said(GOOD))
    frame.event.attributes[name].ce_uri_ref = "application"
    frame.event.text_data = APPLICATION.decode()
    checker = Checker(Role.PRINCIPAL)

    checker.from_ours(frame.SerializeToString(), 0)
    checker.from_ours(b"", 0)

    assert any("ce_uri_ref" in problem for problem in checker.problems)
    assert any("text_data" in problem for problem in checker.problems)
    assert "a message without an event" in checker.problems
