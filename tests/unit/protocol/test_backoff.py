"""How long to wait before trying again."""

import math

import pytest

from argocd_agent.protocol.backoff import RESEND_OF_REFERENCE, Backoff, Reconnect


@pytest.mark.feature("P-31", "A-24")
def test_resends_toward_the_reference_wait_5_20_80_and_then_120_seconds() -> None:
    assert [RESEND_OF_REFERENCE.delay(attempt) for attempt in (1, 2, 3, 4, 5)] == [5, 20, 80, 120, 120]


def test_jitter_multiplies_by_one_to_one_plus_spread() -> None:
    backoff = Backoff(first=5, factor=4, ceiling=120, spread=1)

    assert [backoff.delay(1, jitter) for jitter in (0.0, 0.5)] == [5, 7.5]
    assert backoff.delay(9, 0.999) < 240


def test_without_spread_jitter_changes_nothing() -> None:
    assert Backoff(first=5, factor=4, ceiling=120).delay(2, 0.9) == 20


def test_a_million_attempts_still_wait_for_the_ceiling() -> None:
    assert Backoff(first=5, factor=4, ceiling=120).delay(1_000_000) == 120


def test_attempts_before_the_first_wait_as_long_as_the_first() -> None:
    assert Backoff(first=1, factor=2, ceiling=30).delay(0) == 1


@pytest.mark.feature("A-11", "A-17", "C-65")
def test_in_the_first_minute_of_being_down_a_peer_is_tried_every_half_second_at_most() -> None:
    reconnect = Reconnect()
    reconnect.failed(100)

    assert [reconnect.delay(now, 0.5) for now in (100, 130, 160)] == [0.25, 0.25, 0.25]


@pytest.mark.feature("A-17", "C-65")
def test_after_a_minute_the_cap_grows_to_thirty_seconds() -> None:
    reconnect = Reconnect()
    reconnect.failed(0)

    assert [reconnect.cap(now) for now in (60, 80, 120, 180, 3600)] == [0.5, 5, 15, 30, 30]


def test_only_success_ends_being_down() -> None:
    reconnect = Reconnect()
    reconnect.failed(0)
    reconnect.failed(300)

    still_down = reconnect.cap(300)
    reconnect.succeeded()
    reconnect.failed(301)

    assert (still_down, reconnect.cap(301)) == (30, 0.5)


def test_a_hint_is_waited_for_once_and_spread_like_every_delay() -> None:
    reconnect = Reconnect()
    reconnect.failed(0)
    reconnect.hint(10)

    assert [reconnect.delay(0, 0.5), reconnect.delay(0, 0.5)] == [10.25, 0.25]


@pytest.mark.parametrize(("seconds", "waited"), [(1e9, 300), (-5, 0), (math.nan, 0), (math.inf, 0)])
def test_a_hint_cannot_keep_us_away_for_ever(seconds: float, waited: float) -> None:
    reconnect = Reconnect()
    reconnect.failed(0)

    reconnect.hint(seconds)

    assert reconnect.delay(0, 0.0) == waited
