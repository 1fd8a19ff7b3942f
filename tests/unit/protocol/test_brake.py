"""Deletions over a sliding minute: the few pass, the rest of a burst is held."""

import pytest

from argocd_agent.protocol.brake import MAX_PARDONS, Brake, HeldDeletion, How


def burst(brake: Brake, count: int, *, of: int, at: float = 0.0) -> list[bool]:
    """What becomes of *count* deletions at one moment; those carried out leave fewer."""
    passed: list[bool] = []
    for _ in range(count):
        passed.append(brake.deletion(at, of - sum(passed)))
    return passed


def test_ten_deletions_in_a_minute_pass_even_if_they_are_all_there_is() -> None:
    assert all(burst(Brake(10, 0.3), 10, of=10))


def test_thirty_percent_pass_even_if_they_are_many() -> None:
    assert all(burst(Brake(10, 0.3), 300, of=1000))


@pytest.mark.parametrize(("of", "passing"), [(1000, 300), (100, 30), (34, 10), (11, 10), (37, 11)])
def test_what_is_more_than_both_limits_is_held(of: int, passing: int) -> None:
    assert burst(Brake(10, 0.3), of, of=of) == [True] * passing + [False] * (of - passing)


@pytest.mark.parametrize("percent", range(1, 100))
def test_a_share_that_a_float_cannot_write_is_not_rounded_against_the_user(percent: int) -> None:
    assert all(burst(Brake(1, percent / 100), percent * 10, of=1000))


def test_slow_deletions_let_nothing_more_pass() -> None:
    brake = Brake(10, 0.3)

    passed = [brake.deletion(0, 100) for _ in range(100)]  # each still waits for its finalizers

    assert sum(passed) == 30


def test_a_burst_stays_held_while_it_lasts() -> None:
    brake = Brake(10, 0.3)
    burst(brake, 15, of=30)

    assert not any(brake.deletion(at, 20) for at in range(0, 600, 5))  # twelve a minute, of twenty


def test_a_quiet_minute_ends_a_burst() -> None:
    brake = Brake(10, 0.3)
    burst(brake, 50, of=100)

    assert [brake.deletion(59.9, 70), brake.deletion(60, 70)] == [False, True]


def test_the_window_slides_and_is_not_counted_by_the_clock() -> None:
    brake = Brake(10, 0.3)
    burst(brake, 10, of=20, at=55)

    assert not brake.deletion(65, 10)


def test_with_a_limit_of_zero_there_is_no_brake() -> None:
    assert all(burst(Brake(0, 0.0), 100, of=100))


def test_what_was_held_before_a_restart_counts_while_it_is_younger_than_the_window() -> None:
    brake = Brake(10, 0.3)

    brake.restore([-5, 1, 2, 3, 4, 5, 6, 7, 8, 59, 60, 3600], now=1000)

    assert brake.deadline() == 1001
    assert [brake.deletion(1000, 20), brake.deletion(1000.5, 20), brake.deletion(1001, 20)] == [False, False, False]
    assert brake.deletion(1060.5, 20)


def test_the_deadline_is_when_the_oldest_deletion_stops_counting() -> None:
    brake = Brake(10, 0.3)

    assert brake.deadline() is None
    brake.deletion(5, 20)
    brake.deletion(7, 20)

    assert brake.deadline() == 65


def test_a_pardoned_key_passes_once() -> None:
    brake = Brake(10, 0.3)

    brake.pardon("a")
    brake.pardon("a")

    assert brake.is_pardoned("a")
    assert [brake.use_pardon("a"), brake.use_pardon("a"), brake.is_pardoned("a")] == [True, False, False]


def test_of_too_many_pardons_the_oldest_goes() -> None:
    brake = Brake(10, 0.3)

    for number in range(MAX_PARDONS + 1):
        brake.pardon(str(number))

    assert [brake.is_pardoned("0"), brake.is_pardoned("1"), brake.is_pardoned(str(MAX_PARDONS))] == [False, True, True]


def test_a_held_deletion_is_known_by_kind_namespace_and_name() -> None:
    held = HeldDeletion("Application", "argocd", "a", "u1", How.DELETE, "2026-08-21T04:05:16Z")

    assert held.key == "Application/argocd/a"
