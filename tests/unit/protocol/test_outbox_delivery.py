"""When the outbox sends, and sends again: streams, windows, timeouts, once-events."""

import pytest

from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.events import EventType, Target
from argocd_agent.protocol.outbox import Outbox
from tests.support.builders import a_message, an_event
from tests.unit.protocol.outbox_driver import ack, connected, word, words, write

CREATE, UPDATE, STATUS, SET = (
    EventType.CREATE,
    EventType.SPEC_UPDATE,
    EventType.STATUS_UPDATE,
    EventType.SET_OPERATION,
)


@pytest.mark.feature("P-31", "A-24")
def test_an_unacknowledged_event_is_resent_after_5_20_80_and_120_seconds() -> None:
    outbox = connected()
    outbox.put(an_event(), 0)

    sent: list[float] = []
    while len(sent) < 6:
        now = outbox.deadline() or 0.0
        sent += [now] * len(write(outbox, now))

    assert sent == [0, 5, 25, 105, 225, 345]


@pytest.mark.feature("P-31", "A-24")
def test_a_resend_keeps_the_stamp_of_the_first_send() -> None:
    outbox = connected()
    outbox.put(an_event(), 0)
    (first,) = write(outbox, 0)

    (again,) = write(outbox, 5)

    assert again == first
    assert again.sent_at == "t0"


def test_jitter_spreads_resends_toward_a_reference_peer() -> None:
    outbox = Outbox(Backoff(5, 4, 120, spread=1), window=10)
    outbox.connected(0, 10)
    outbox.put(an_event(), 0)

    outbox.take(0, lambda: 0.5, "t0")

    assert outbox.deadline() == 7.5


def test_newer_state_takes_the_place_of_the_unacked_at_its_next_retry() -> None:
    outbox = connected()
    outbox.put(an_event(UPDATE, 1), 0)
    (old,) = write(outbox, 0)
    outbox.put(an_event(UPDATE, 2), 1)

    too_early = write(outbox, 4)
    (new,) = write(outbox, 5)

    assert (too_early, word(new), new.sent_at) == ([], "spec-update:2", "t5")
    assert ack(outbox, old, 6) is None
    assert outbox.deadline() == 10  # a first send, with a first timeout
    assert ack(outbox, new, 7) == new


def test_an_unacked_create_is_retried_with_the_newest_specification() -> None:
    outbox = connected()
    outbox.put(an_event(CREATE, 1), 0)
    write(outbox, 0)
    outbox.put(an_event(UPDATE, 2), 1)

    assert words(write(outbox, 5)) == ["create:2"]


def test_an_unacked_operation_is_retried_as_it_is_before_newer_state() -> None:
    outbox = connected()
    outbox.put(an_event(SET, 1), 0)
    write(outbox, 0)
    outbox.put(an_event(UPDATE, 2), 1)

    (again,) = write(outbox, 5)
    ack(outbox, again, 6)

    assert (word(again), words(write(outbox, 6))) == ("set-operation:1", ["spec-update:2"])


def test_a_late_duplicate_of_an_ack_is_ignored() -> None:
    outbox = connected()
    outbox.put(an_event(), 0)
    (sent,) = write(outbox, 0)

    assert (ack(outbox, sent, 1), ack(outbox, sent, 2)) == (sent, None)


def test_an_event_behind_a_slow_one_falls_due_a_timeout_after_it_became_the_oldest() -> None:
    outbox = connected()
    for name in ("a", "b", "c"):
        outbox.put(an_event(name=name), 0)
    a, _, _ = write(outbox, 0)

    ack(outbox, a, 4)

    assert outbox.deadline() == 9
    assert write(outbox, 8.9) == []
    assert [event.subject for event in write(outbox, 9)] == ["team-a/b"]
    assert outbox.deadline() == 14


def test_a_peer_that_is_slow_for_all_is_probed_with_one_event_at_a_time() -> None:
    outbox = connected(window=100)
    for number in range(100):
        outbox.put(an_event(name=f"app-{number}"), 0)
    write(outbox, 0)

    assert [len(write(outbox, now)) for now in (5, 6, 10, 15)] == [1, 0, 1, 1]


def test_after_four_timeouts_everything_unacked_is_resent_whatever_is_before_it() -> None:
    outbox = connected(window=100)
    for number in range(100):
        outbox.put(an_event(name=f"app-{number}"), 0)
    write(outbox, 0)
    probes = sum(len(write(outbox, now)) for now in (5, 10, 15))

    assert probes + len(write(outbox, 20)) == 100


def test_an_event_that_the_peer_has_passed_by_is_resent_a_timeout_after_it_was_sent() -> None:
    outbox = connected()
    for name in ("stuck", "too", "fine"):
        outbox.put(an_event(name=name), 0)
    fine = write(outbox, 0)[2]

    ack(outbox, fine, 1)

    assert [event.subject for event in write(outbox, 5)] == ["team-a/stuck", "team-a/too"]


def test_the_ack_of_an_event_that_was_sent_twice_does_not_show_that_others_were_passed_by() -> None:
    outbox = connected()
    for name in ("slow", "next", "last"):
        outbox.put(an_event(name=name), 0)
    slow = write(outbox, 0)[0]
    write(outbox, 5)

    ack(outbox, slow, 6)

    assert write(outbox, 6) == []


@pytest.mark.feature("P-31", "A-16")
def test_on_a_new_stream_everything_in_flight_is_due_at_once_in_the_order_of_sending() -> None:
    outbox = connected()
    for name in ("a", "b", "c"):
        outbox.put(an_event(name=name), 0)
    first = write(outbox, 0)
    ack(outbox, first[1], 0.5)
    outbox.put(an_event(name="d"), 1)

    outbox.disconnected()
    outbox.connected(1, 10)

    assert [event.subject for event in write(outbox, 1)] == ["team-a/a", "team-a/c", "team-a/d"]


def test_newer_state_takes_the_place_of_the_unacked_on_a_new_stream() -> None:
    outbox = connected()
    outbox.put(an_event(STATUS, 1), 0)
    write(outbox, 0)
    outbox.put(an_event(STATUS, 2), 0)

    outbox.connected(1, 10)

    assert words(write(outbox, 1)) == ["status-update:2"]


def test_the_first_timeout_of_a_new_stream_is_the_first_pause() -> None:
    outbox = connected()
    outbox.put(an_event(), 0)
    write(outbox, 0)
    write(outbox, 5)

    outbox.connected(10, 10)
    write(outbox, 10)

    assert outbox.deadline() == 15


def test_an_ack_on_a_new_stream_for_what_the_old_one_sent_counts() -> None:
    outbox = connected()
    outbox.put(an_event(), 0)
    (sent,) = write(outbox, 0)

    outbox.connected(1, 10)

    assert ack(outbox, sent, 1) == sent
    assert write(outbox, 1) == []
    assert outbox.is_idle


def test_nothing_is_written_and_nothing_falls_due_without_a_stream() -> None:
    outbox = connected()
    outbox.put(an_event(), 0)
    write(outbox, 0)

    outbox.disconnected()

    assert (outbox.deadline(), write(outbox, 100), outbox.is_idle) == (None, [], False)


@pytest.mark.feature("P-35", "A-31")
def test_never_more_than_the_window_is_unacked_even_when_it_shrinks() -> None:
    outbox = connected(window=3)
    for number in range(5):
        outbox.put(an_event(name=f"app-{number}"), 0)
    before = len(write(outbox, 0))

    outbox.connected(1, 2)

    assert (before, len(write(outbox, 1)), outbox.unacked) == (3, 2, 2)


def test_keys_that_wait_for_the_window_take_turns() -> None:
    outbox = connected(window=1)
    for name in ("a", "b", "c"):
        outbox.put(an_event(UPDATE, 1, name=name), 0)

    order = []
    for _ in range(6):
        (event,) = write(outbox, 0)
        order.append(event.subject[-1])
        outbox.put(an_event(UPDATE, 2, name=event.subject[-1]), 0)
        ack(outbox, event, 0)

    assert order == ["a", "b", "c", "a", "b", "c"]


def test_putting_again_does_not_lose_the_place_in_the_line() -> None:
    outbox = connected(window=1)
    for name in ("first", "second"):
        outbox.put(an_event(UPDATE, 1, name=name), 0)

    outbox.put(an_event(UPDATE, 2, name="first"), 0)

    assert [event.subject for event in write(outbox, 0)] == ["team-a/first"]


def test_once_events_go_before_all_others_outside_the_window_and_are_not_awaited() -> None:
    outbox = connected(window=1)
    outbox.put(an_event(), 0)
    outbox.put_once(a_message("GET"))
    outbox.put_once(a_message(EventType.PING, target=Target.HEARTBEAT))

    written = write(outbox, 0)

    assert words(written) == ["GET", "ping", "spec-update:1"]
    assert [event.sent_at for event in written] == ["t0", "", "t0"]
    assert outbox.unacked == 1


def test_an_ack_keeps_the_stamp_of_what_it_acks() -> None:
    outbox = connected()
    outbox.put_once(an_event(EventType.PROCESSED, target=Target.ACK, sent_at="theirs"))

    assert [event.sent_at for event in write(outbox, 0)] == ["theirs"]


def test_once_events_end_with_their_stream_and_are_not_taken_without_one() -> None:
    outbox = connected()
    taken = outbox.put_once(a_message("GET", "m1"))
    outbox.disconnected()
    refused = outbox.put_once(a_message("GET", "m2"))

    outbox.connected(1, 10)

    assert (taken, refused, write(outbox, 1), outbox.is_idle) == (True, False, [], True)


def test_a_large_batch_is_taken_in_parts() -> None:
    outbox = connected(window=100)
    for number in range(10):
        outbox.put(an_event(name=f"app-{number}"), 0)

    parts = [len(outbox.take(0, lambda: 0.0, "t", limit=4)) for _ in range(2)]

    assert (parts, outbox.deadline()) == ([4, 4], 0.0)


def test_the_deadline_is_now_while_something_can_be_sent_and_none_when_idle() -> None:
    outbox = connected()
    idle = outbox.deadline()
    outbox.put(an_event(), 3)

    assert (idle, outbox.deadline()) == (None, 0.0)
