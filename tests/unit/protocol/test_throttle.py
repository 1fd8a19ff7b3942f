"""At most one update per key and interval."""

import pytest

from argocd_agent.protocol.throttle import Throttle


@pytest.mark.feature("A-70", "C-17")
def test_the_first_update_passes_at_once_and_the_next_is_kept() -> None:
    throttle: Throttle[int] = Throttle(5)

    assert [throttle.update("a", 1, 0), throttle.update("a", 2, 1), throttle.update("b", 3, 1)] == [True, False, True]


@pytest.mark.feature("A-70", "C-17")
def test_the_latest_kept_update_passes_when_the_interval_is_over() -> None:
    throttle: Throttle[int] = Throttle(5)
    for value in (1, 2, 3):
        throttle.update("a", value, 0)

    assert (throttle.deadline(), throttle.due(4.9), throttle.due(5), throttle.due(5)) == (5, [], [("a", 3)], [])


def test_a_kept_update_that_passes_closes_the_key_again() -> None:
    throttle: Throttle[int] = Throttle(5)
    throttle.update("a", 1, 0)
    throttle.update("a", 2, 0)
    throttle.due(5)

    assert (throttle.update("a", 3, 9), throttle.due(10)) == (False, [("a", 3)])


def test_after_a_quiet_interval_an_update_passes_at_once() -> None:
    throttle: Throttle[int] = Throttle(5)
    throttle.update("a", 1, 0)

    assert throttle.update("a", 2, 5)


def test_an_update_that_is_late_for_its_turn_does_not_pass_the_kept_one() -> None:
    throttle: Throttle[int] = Throttle(5)
    throttle.update("a", 1, 0)
    throttle.update("a", 2, 1)

    assert (throttle.update("a", 3, 6), throttle.due(6)) == (False, [("a", 3)])


def test_a_creation_or_deletion_drops_what_was_kept_and_opens_the_key() -> None:
    throttle: Throttle[int] = Throttle(5)
    throttle.update("a", 1, 0)
    throttle.update("a", 2, 1)

    throttle.reset("a")

    assert (throttle.due(100), throttle.update("a", 3, 1)) == ([], True)


def test_without_an_interval_everything_passes() -> None:
    throttle: Throttle[int] = Throttle(0)

    assert ([throttle.update("a", value, 0) for value in range(3)], throttle.deadline()) == ([True] * 3, None)


def test_quiet_keys_are_forgotten() -> None:
    throttle: Throttle[int] = Throttle(5)
    for number in range(100):
        throttle.update(str(number), number, 0)

    assert (throttle.due(5), throttle.deadline(), len(throttle)) == ([], None, 0)
