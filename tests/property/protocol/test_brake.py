"""The brake never holds an ordinary deletion, and lets no burst through, whenever the deletions come."""

from hypothesis import given, settings
from hypothesis import strategies as st

from argocd_agent.protocol.brake import WINDOW_SECONDS, Brake

MOST, PERCENT = 10, 30

pauses = st.lists(st.sampled_from([0.0, 0.5, 1.0, 5.0, 6.0, 7.0, 30.0, 59.0, 60.0, 61.0]), min_size=1, max_size=80)


def times_of(pauses: list[float]) -> list[float]:
    times, now = list[float](), 0.0
    for pause in pauses:
        now += pause
        times.append(now)
    return times


def within_window(times: list[float], index: int) -> int:
    """How many of the deletions up to *index* are younger than a window when that one comes."""
    return sum(times[index] - time < WINDOW_SECONDS for time in times[: index + 1])


@given(pauses, st.integers(0, 200))
@settings(max_examples=200, deadline=None)
def test_few_deletions_in_any_minute_are_never_held(pauses: list[float], held: int) -> None:
    brake, times = Brake(MOST, PERCENT / 100), times_of(pauses)

    for index, now in enumerate(times):
        passes = brake.deletion(now, held)
        assert passes or within_window(times, index) > MOST


@given(pauses, st.lists(st.integers(0, 200), min_size=80, max_size=80))
@settings(max_examples=200, deadline=None)
def test_a_small_share_of_what_there_was_is_never_held(pauses: list[float], held: list[int]) -> None:
    brake, times = Brake(MOST, PERCENT / 100), times_of(pauses)

    for index, now in enumerate(times):
        passes = brake.deletion(now, held[index])
        assert passes or within_window(times, index) * 100 > PERCENT * held[index]


@given(st.integers(1, 400), st.floats(0, 59.9), st.booleans())
@settings(max_examples=200, deadline=None)
def test_of_every_burst_the_rest_beyond_both_limits_is_held(there_were: int, lasts: float, is_slow: bool) -> None:
    brake, gone = Brake(MOST, PERCENT / 100), 0

    for number in range(there_were):
        held = there_were if is_slow else there_were - gone
        gone += brake.deletion(number * lasts / there_were, held)

    assert gone == min(there_were, max(MOST, there_were * PERCENT // 100))


@given(pauses, st.integers(1, 200))
@settings(max_examples=200, deadline=None)
def test_what_is_held_was_beyond_both_limits_and_what_passes_was_not(pauses: list[float], start: int) -> None:
    brake, times = Brake(MOST, PERCENT / 100), times_of(pauses)
    held, seen = start, list[int]()

    for index, now in enumerate(times):
        seen.append(held)
        count = within_window(times, index)
        there_were = max(seen[index - count + 1 :])
        assert brake.deletion(now, held) == (count <= MOST or count * 100 <= PERCENT * there_were)
        held = max(held - 1, 0)
