"""throttle: bursts at once, then no more than so many a second."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argocd_agent.backends.kubernetes.throttle import TokenBucket


def test_a_burst_goes_at_once_and_the_rest_in_step() -> None:
    bucket = TokenBucket(qps=10, burst=3, now=0.0)

    waits = [bucket.take(0.0) for _ in range(6)]

    assert waits == pytest.approx([0, 0, 0, 0.1, 0.2, 0.3])


def test_rest_saves_up_no_more_than_a_burst() -> None:
    bucket = TokenBucket(qps=10, burst=2, now=0.0)

    waits = [bucket.take(1000.0) for _ in range(3)]

    assert waits == pytest.approx([0, 0, 0.1])


@pytest.mark.feature("A-101")
@given(st.lists(st.floats(0, 5), max_size=60), st.floats(0.5, 50), st.integers(1, 10))
def test_never_more_than_the_burst_and_the_rate_allow(gaps: list[float], qps: float, burst: int) -> None:
    bucket = TokenBucket(qps, burst, now=0.0)
    now, used_at = 0.0, []
    for gap in gaps:
        now += gap
        used_at.append(now + bucket.take(now))

    for first in range(len(used_at)):
        for last in range(first, len(used_at)):
            assert last - first + 1 <= burst + (used_at[last] - used_at[first]) * qps + 1e-6


def test_a_rate_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="qps > 0"):
        TokenBucket(0, 1, 0.0)
