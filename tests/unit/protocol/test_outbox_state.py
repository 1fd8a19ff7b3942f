"""What of one key is sent: the newest state, operations in order, deletes at once."""

import pytest

from argocd_agent.protocol.events import EventType
from argocd_agent.protocol.outbox import Outbox
from tests.support.builders import a_message, an_event
from tests.unit.protocol.outbox_driver import RETRY, ack, connected, word, words, write

CREATE, UPDATE, STATUS = EventType.CREATE, EventType.SPEC_UPDATE, EventType.STATUS_UPDATE
DELETE, SET, TERMINATE = EventType.DELETE, EventType.SET_OPERATION, EventType.TERMINATE_OPERATION
KEY = an_event().order_key


def drained(outbox: Outbox, now: float) -> list[str]:
    """All that is written from *now* on by acking everything at once."""
    seen = []
    while events := write(outbox, now):
        for event in events:
            seen.append(word(event))
            ack(outbox, event, now)
    return seen


@pytest.mark.feature("P-32", "P-35", "A-26")
@pytest.mark.parametrize("kind", [UPDATE, STATUS, EventType.CLUSTER_CACHE_INFO_UPDATE, EventType.DIGEST])
def test_of_unsent_updates_only_the_newest_is_sent(kind: EventType) -> None:
    outbox = connected()
    for version in (1, 2, 3):
        outbox.put(an_event(kind, version), 0)

    assert [event.data for event in write(outbox, 0)] == [b'{"version":3}']


def test_a_newer_update_takes_the_place_of_the_older_before_an_operation() -> None:
    outbox = connected()
    for event in (an_event(UPDATE, 1), an_event(SET, 1), an_event(STATUS, 1), an_event(UPDATE, 2)):
        outbox.put(event, 0)

    assert drained(outbox, 0) == ["spec-update:2", "set-operation:1", "status-update:1"]


def test_operations_are_never_left_out_and_keep_their_order() -> None:
    outbox = connected()
    for version, kind in enumerate((SET, TERMINATE, SET, SET, TERMINATE)):
        outbox.put(an_event(kind, version), 0)

    assert drained(outbox, 0) == [
        "set-operation:0",
        "terminate-operation:1",
        "set-operation:2",
        "set-operation:3",
        "terminate-operation:4",
    ]


def test_a_create_that_is_taken_at_once_is_sent_as_it_was_and_the_update_follows() -> None:
    outbox = connected()
    outbox.put(an_event(CREATE, 1), 0)
    outbox.put(an_event(UPDATE, 2), 0.2)

    assert drained(outbox, 1) == ["create:1", "spec-update:2"]


def test_a_create_that_waited_for_more_than_a_second_carries_the_newest_specification() -> None:
    outbox = connected(window=1)
    outbox.put(an_event(name="other"), 0)
    (other,) = write(outbox, 0)
    outbox.put(an_event(CREATE, 1), 0)
    for version in (2, 3):
        outbox.put(an_event(UPDATE, version), 0.5)
    ack(outbox, other, 1.1)

    (create,) = write(outbox, 1.1)

    assert (word(create), create.event_id) == ("create:3", an_event(UPDATE, 3).event_id)
    assert outbox.pending_types(KEY) == (CREATE,)


def test_a_create_put_while_the_agent_is_away_carries_the_newest_specification() -> None:
    outbox = Outbox(RETRY, window=10)
    outbox.put(an_event(CREATE, 1), 0)
    outbox.put(an_event(UPDATE, 2), 0)

    outbox.connected(0, 10)

    assert drained(outbox, 0) == ["create:2"]


def test_a_create_that_lost_its_stream_unsent_carries_the_newest_specification() -> None:
    outbox = connected()
    outbox.put(an_event(CREATE, 1), 0.1)
    outbox.put(an_event(UPDATE, 2), 0.1)

    outbox.connected(0.2, 10)

    assert drained(outbox, 0.2) == ["create:2"]


def test_a_waiting_create_keeps_the_operation_behind_it() -> None:
    outbox = Outbox(RETRY, window=10)
    for event in (an_event(CREATE, 1), an_event(SET, 1), an_event(UPDATE, 2)):
        outbox.put(event, 0)

    outbox.connected(5, 10)

    assert drained(outbox, 5) == ["create:2", "set-operation:1"]


def test_a_second_create_takes_the_place_of_the_first_and_of_its_updates() -> None:
    outbox = connected()
    for event in (an_event(CREATE, 1), an_event(UPDATE, 2), an_event(CREATE, 3)):
        outbox.put(event, 0)

    assert drained(outbox, 0) == ["create:3"]


@pytest.mark.feature("P-34", "A-25")
def test_the_next_event_of_a_key_waits_for_the_ack() -> None:
    outbox = connected()
    outbox.put(an_event(UPDATE, 1), 0)
    (sent,) = write(outbox, 0)
    outbox.put(an_event(SET, 2), 0)

    before = write(outbox, 0)
    ack(outbox, sent, 1)

    assert (before, words(write(outbox, 1))) == ([], ["set-operation:2"])


@pytest.mark.feature("P-33", "A-27")
def test_a_delete_supersedes_everything_pending() -> None:
    outbox = connected()
    for event in (an_event(CREATE, 1), an_event(SET, 1), an_event(UPDATE, 2), an_event(STATUS, 2), an_event(DELETE, 3)):
        outbox.put(event, 0)

    assert drained(outbox, 0) == ["delete:3"]


@pytest.mark.feature("P-33", "A-27")
def test_a_delete_supersedes_the_unacked_event_at_once_and_its_late_ack_is_ignored() -> None:
    outbox = connected()
    outbox.put(an_event(UPDATE, 1), 0)
    (update,) = write(outbox, 0)

    outbox.put(an_event(DELETE, 2), 0.1)
    written = write(outbox, 0.1)

    assert words(written) == ["delete:2"]
    assert ack(outbox, update, 0.2) is None
    assert ack(outbox, written[0], 0.3) == written[0]
    assert outbox.is_idle


def test_a_delete_takes_the_place_in_the_window_of_what_it_supersedes() -> None:
    outbox = connected(window=1)
    outbox.put(an_event(UPDATE, 1), 0)
    write(outbox, 0)
    outbox.put(an_event(UPDATE, 1, name="waiting"), 0)

    outbox.put(an_event(DELETE, 2), 0)

    assert words(write(outbox, 0)) == ["delete:2"]


def test_a_create_after_a_delete_waits_for_its_ack() -> None:
    outbox = connected()
    outbox.put(an_event(DELETE, 1, uid="old"), 0)
    outbox.put(an_event(CREATE, 2, uid="new"), 0)

    (delete,) = write(outbox, 0)
    resent = write(outbox, 5)
    ack(outbox, delete, 6)

    assert (word(delete), words(resent), words(write(outbox, 6))) == ("delete:1", ["delete:1"], ["create:2"])


def test_a_delete_does_not_supersede_that_of_an_older_object_of_the_same_name() -> None:
    outbox = connected()
    outbox.put(an_event(DELETE, 1, uid="old"), 0)
    outbox.put(an_event(UPDATE, 2, uid="new"), 0)
    outbox.put(an_event(DELETE, 3, uid="new"), 0)

    assert drained(outbox, 0) == ["delete:1", "delete:3"]


def test_an_object_born_and_gone_behind_an_untold_delete_leaves_nothing() -> None:
    outbox = Outbox(RETRY, window=10)
    outbox.put(an_event(DELETE, 1, uid="u0"), 0)
    for number in range(1, 1000):
        outbox.put(an_event(CREATE, number, uid=f"u{number}"), 0)
        outbox.put(an_event(DELETE, number, uid=f"u{number}"), 0)

    assert outbox.pending_types(KEY) == (DELETE,)


def test_a_delete_of_an_object_that_the_peer_may_know_is_told_even_behind_another_delete() -> None:
    outbox = connected()
    outbox.put(an_event(DELETE, 1, uid="u1"), 0)
    outbox.put(an_event(CREATE, 2, uid="u2"), 0)
    outbox.put(an_event(DELETE, 3, uid="u3"), 0)

    assert drained(outbox, 0) == ["delete:1", "delete:3"]


def test_two_events_with_equal_ids_are_told_apart_by_their_stamp() -> None:
    outbox = connected()
    update, operation = a_message(UPDATE, "same", key="k"), a_message(SET, "same", key="k")
    outbox.put(update, 0)
    (first,) = write(outbox, 0)
    outbox.put(operation, 0)
    ack(outbox, first, 1)
    (second,) = write(outbox, 1)

    late_duplicate = ack(outbox, first, 2)

    assert late_duplicate is None
    assert ack(outbox, second, 3) == second


def test_dropping_a_key_forgets_it_and_frees_its_place() -> None:
    outbox = connected(window=1)
    outbox.put(an_event(UPDATE, 1), 0)
    (sent,) = write(outbox, 0)
    outbox.put(an_event(UPDATE, 2, name="other"), 0)

    outbox.drop(KEY)

    assert (outbox.pending_types(KEY), outbox.in_flight(KEY), ack(outbox, sent, 0)) == ((), None, None)
    assert words(write(outbox, 0)) == ["spec-update:2"]


def test_what_is_owed_can_be_asked() -> None:
    outbox = connected()
    outbox.put(an_event(UPDATE, 1), 0)
    (sent,) = write(outbox, 0)
    outbox.put(an_event(SET, 2), 0)

    assert (outbox.in_flight(KEY), outbox.pending_types(KEY)) == (sent, (UPDATE, SET))
    assert (len(outbox), outbox.unacked, outbox.is_idle) == (1, 1, False)
