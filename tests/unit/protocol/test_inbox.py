"""What is processed when, what is a duplicate, and which acks are owed."""

from dataclasses import replace

import pytest

from argocd_agent.errors import LocalProtocolError
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.events import Event, EventType, ack_of
from argocd_agent.protocol.inbox import Inbox, order_of
from tests.support.builders import a_message, an_event
from tests.unit.protocol.outbox_driver import words

CREATE, UPDATE, STATUS = EventType.CREATE, EventType.SPEC_UPDATE, EventType.STATUS_UPDATE
DELETE, SET = EventType.DELETE, EventType.SET_OPERATION


def an_inbox(*events: Event, remembered: int = 100) -> Inbox:
    inbox = Inbox(Backoff(first=1, factor=2, ceiling=30), remembered=remembered)
    for event in events:
        inbox.receive(event, 0)
    return inbox


@pytest.mark.feature("P-34")
def test_events_of_one_key_are_processed_one_at_a_time_in_order() -> None:
    inbox = an_inbox(an_event(SET, 1), an_event(SET, 2), an_event(SET, 3))

    order = []
    while begun := inbox.take(0):
        assert len(begun) == 1
        order += words(begun)
        inbox.finished(begun[0])

    assert order == ["set-operation:1", "set-operation:2", "set-operation:3"]


def test_an_event_that_comes_during_the_processing_of_its_key_waits() -> None:
    inbox = an_inbox(an_event(UPDATE, 1))
    (first,) = inbox.take(0)
    inbox.receive(an_event(UPDATE, 2), 0)

    during = inbox.take(0)
    inbox.finished(first)

    assert (during, words(inbox.take(0))) == ([], ["spec-update:2"])


def test_state_of_another_object_of_the_same_name_does_not_take_the_place() -> None:
    inbox = an_inbox(an_event(UPDATE, 1, uid="old"), an_event(UPDATE, 2, uid="new"))

    order = []
    while begun := inbox.take(0):
        order += words(begun)
        inbox.finished(begun[0])

    assert order == ["spec-update:1", "spec-update:2"]


def test_keys_are_processed_side_by_side() -> None:
    inbox = an_inbox(an_event(name="a"), an_event(name="b"))

    assert [event.subject for event in inbox.take(0)] == ["team-a/a", "team-a/b"]


def test_a_limit_leaves_the_rest_for_later() -> None:
    inbox = an_inbox(an_event(name="a"), an_event(name="b"))

    first = inbox.take(0, limit=1)

    assert (len(first), inbox.deadline(), len(inbox.take(0))) == (1, 0.0, 1)


@pytest.mark.feature("P-29", "P-30", "A-28", "A-29")
def test_an_ack_is_owed_only_once_finished() -> None:
    inbox = an_inbox(an_event(sent_at="t"))
    (event,) = inbox.take(0)

    before = inbox.acks()
    inbox.finished(event)

    assert (before, inbox.acks(), inbox.acks()) == ([], [ack_of(event)], [])


@pytest.mark.parametrize("is_begun", [True, False])
def test_a_duplicate_of_what_is_still_here_does_nothing(is_begun: bool) -> None:
    inbox = an_inbox(an_event(sent_at="t"))
    begun = inbox.take(0) if is_begun else []

    inbox.receive(an_event(sent_at="t"), 1)

    assert (len(inbox), inbox.acks(), len(inbox.take(1))) == (1, [], 1 - len(begun))


@pytest.mark.feature("P-29", "A-28")
def test_a_duplicate_of_what_is_finished_is_acked_again_and_not_processed() -> None:
    inbox = an_inbox(an_event(sent_at="t"))
    (event,) = inbox.take(0)
    inbox.finished(event)
    inbox.acks()

    inbox.receive(an_event(sent_at="t"), 1)

    assert (inbox.acks(), inbox.take(1), len(inbox)) == ([ack_of(event)], [], 0)


def test_events_with_equal_ids_but_another_type_or_stamp_are_processed() -> None:
    for other in (a_message(SET, "same", key="k"), replace(a_message(UPDATE, "same", key="k"), sent_at="t2")):
        inbox = an_inbox(a_message(UPDATE, "same", key="k"))
        inbox.finished(inbox.take(0)[0])

        inbox.receive(other, 1)

        assert inbox.take(1) == [other]


def test_what_was_finished_longest_ago_is_forgotten_first() -> None:
    inbox = an_inbox(remembered=2)
    for name in ("a", "b", "c"):
        inbox.receive(an_event(name=name, sent_at="t"), 0)
        inbox.finished(inbox.take(0)[0])

    for name in ("a", "b", "c"):
        inbox.receive(an_event(name=name, sent_at="t"), 1)

    assert [event.subject for event in inbox.take(1)] == ["team-a/a"]


def test_a_deferred_event_is_due_again_after_growing_pauses() -> None:
    inbox = an_inbox(an_event())
    delays, now = [], 0.0
    for _ in range(3):
        (event,) = inbox.take(now)
        delays.append(inbox.defer(event, now, 0.0))
        assert inbox.take(now) == []
        now = inbox.deadline() or 0.0

    assert (delays, now) == ([1, 2, 4], 7)


@pytest.mark.feature("P-30", "A-29")
def test_a_deferred_event_is_not_acked_and_holds_up_no_other_key() -> None:
    inbox = an_inbox(an_event(name="deferred"))
    inbox.defer(inbox.take(0)[0], 0, 0.0)

    inbox.receive(an_event(name="other"), 0)

    assert [event.subject for event in inbox.take(0)] == ["team-a/other"]
    assert inbox.acks() == []


def test_what_follows_a_deferred_event_of_its_key_waits_for_it() -> None:
    inbox = an_inbox(an_event(SET, 1))
    inbox.defer(inbox.take(0)[0], 0, 0.0)

    inbox.receive(an_event(UPDATE, 2), 0.5)

    assert inbox.take(0.5) == []
    assert words(inbox.take(1)) == ["set-operation:1"]


def test_newer_state_takes_the_place_of_a_deferred_event_at_once() -> None:
    inbox = an_inbox(an_event(UPDATE, 1))
    inbox.defer(inbox.take(0)[0], 0, 0.0)

    inbox.receive(an_event(UPDATE, 2), 0.5)
    (newer,) = inbox.take(0.5)
    inbox.finished(newer)

    assert (words([newer]), inbox.acks(), len(inbox)) == (["spec-update:2"], [ack_of(newer)], 0)
    assert inbox.deadline() is None


def test_newer_state_that_came_during_processing_takes_the_place_when_that_is_deferred() -> None:
    inbox = an_inbox(an_event(UPDATE, 1))
    (event,) = inbox.take(0)
    for newer in (an_event(UPDATE, 2), an_event(SET, 2), an_event(UPDATE, 3)):
        inbox.receive(newer, 0)

    delay = inbox.defer(event, 0, 0.0)
    (first,) = inbox.take(0)
    inbox.finished(first)

    assert (delay, words([first, *inbox.take(0)])) == (0.0, ["spec-update:3", "set-operation:2"])


def test_a_deferred_create_stays_a_create_with_the_newest_state_and_the_newest_ack() -> None:
    inbox = an_inbox(an_event(CREATE, 1))
    inbox.defer(inbox.take(0)[0], 0, 0.0)
    newest = an_event(UPDATE, 2)

    inbox.receive(newest, 0)
    (event,) = inbox.take(0)
    inbox.finished(event)

    assert (words([event]), inbox.acks()) == (["create:2"], [ack_of(newest)])


def test_a_duplicate_of_the_state_that_took_over_a_create_is_still_known() -> None:
    inbox = an_inbox(an_event(CREATE, 1))
    inbox.defer(inbox.take(0)[0], 0, 0.0)
    inbox.receive(an_event(UPDATE, 2), 0)
    inbox.finished(inbox.take(0)[0])

    inbox.receive(an_event(UPDATE, 2), 1)

    assert (inbox.take(1), len(inbox.acks())) == ([], 2)


def test_an_update_of_another_sort_does_not_take_the_place() -> None:
    inbox = an_inbox(an_event(UPDATE, 1))
    inbox.defer(inbox.take(0)[0], 0, 0.0)

    inbox.receive(an_event(STATUS, 2), 0)

    assert (inbox.take(0), len(inbox)) == ([], 2)


def test_a_delete_takes_the_place_of_everything_of_its_object_that_has_not_begun() -> None:
    inbox = an_inbox(an_event(UPDATE, 1))
    (begun,) = inbox.take(0)
    for event in (an_event(SET, 1), an_event(UPDATE, 2), an_event(DELETE, 3)):
        inbox.receive(event, 0)

    inbox.defer(begun, 0, 0.0)

    assert words(inbox.take(0)) == ["delete:3"]


def test_a_delete_leaves_events_of_another_object_of_the_same_name() -> None:
    inbox = an_inbox(an_event(DELETE, 1, uid="u1"), an_event(CREATE, 2, uid="u2"), an_event(DELETE, 3, uid="u3"))

    order = []
    while begun := inbox.take(0):
        order += words(begun)
        inbox.finished(begun[0])

    assert order == ["delete:1", "create:2", "delete:3"]


def test_finishing_what_is_not_being_processed_is_our_bug() -> None:
    inbox = an_inbox(an_event())

    with pytest.raises(LocalProtocolError, match="expected an event being processed"):
        inbox.finished(an_event())


def test_objects_are_ordered_by_kind_namespace_and_name_and_not_by_uid() -> None:
    old, new = (replace(an_event(uid=uid), key="") for uid in ("u1", "u2"))

    assert order_of(old) == order_of(new) == an_event().order_key


def test_what_is_no_object_or_has_no_subject_is_ordered_by_its_resource_id() -> None:
    nameless = replace(an_event(), key="", subject="")

    assert (order_of(a_message("GET", "m1")), order_of(nameless)) == ("m1", nameless.resource_id)
