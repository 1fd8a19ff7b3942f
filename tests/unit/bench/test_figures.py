import pytest

from bench.figures import Figure, latencies, median_of, percentile


def test_percentile_is_the_smallest_sample_that_so_many_are_not_above() -> None:
    samples = [float(number) for number in range(100, 0, -1)]

    found = [percentile(samples, percent) for percent in (0, 50, 90, 99, 99.5, 100)]

    assert found == [1, 50, 90, 99, 100, 100]


def test_percentile_of_one_sample_is_that_sample() -> None:
    assert [percentile([7.0], percent) for percent in (0, 50, 100)] == [7.0, 7.0, 7.0]


def test_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample, found none"):
        percentile([], 50)


def test_p99_is_given_only_where_both_sides_have_a_thousand_samples() -> None:
    enough, few = [0.001] * 1000, [0.001] * 999

    names = [[figure.name for figure in latencies("create", *sides)] for sides in ((enough, enough), (enough, few))]

    assert names == [["p50", "p90", "p99", "max"], ["p50", "p90", "max"]]


def test_latencies_are_milliseconds_beside_those_of_the_floor() -> None:
    figures = latencies("create", [0.010, 0.030, 0.020], [0.001, 0.003, 0.002])

    assert [(figure.name, round(figure.value), round(figure.floor or 0)) for figure in figures] == [
        ("p50", 20, 2),
        ("p90", 30, 3),
        ("max", 30, 3),
    ]


def test_median_of_rounds_has_a_floor_only_where_one_was_measured() -> None:
    with_floor = median_of("burst", "creates", "s", [9.0, 1.0, 2.0], [3.0, 1.0])
    without = median_of("burst", "CPU", "s", [4.0])

    assert with_floor == Figure("burst", "creates", "s", 2.0, 2.0)
    assert without == Figure("burst", "CPU", "s", 4.0, None)
