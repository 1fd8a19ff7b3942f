from pathlib import Path

from bench.figures import Figure
from bench.report import BARS, Run, last_recorded, misses, save, table


def a_run(*figures: Figure, date: str = "2026-01-01", quick: bool = False) -> Run:
    return Run(date=date, cores=2, python="3.11.9", quick=quick, figures=list(figures))


def columns(text: str, row: str) -> str:
    """The line of *row*, with single spaces."""
    return next(" ".join(line.split()) for line in text.splitlines() if line.startswith(row))


def test_a_figure_is_held_against_its_own_floor() -> None:
    inside = Figure("create", "p50", "ms", 15.0, floor=10.0)
    above = Figure("create", "p50", "ms", 15.1, floor=10.0)

    assert (misses([inside]), misses([above])) == ([], [above])


def test_a_figure_with_an_absolute_bar_needs_no_floor() -> None:
    inside = Figure("restart", "converged", "s", 4.0)
    above = Figure("restart", "converged", "s", 4.01)

    assert misses([inside, above]) == [above]


def test_a_figure_whose_floor_is_missing_is_not_judged() -> None:
    figure = Figure("create", "p50", "ms", 1000.0)

    text = table([figure], None)

    assert misses([figure]) == []
    assert columns(text, "create") == "create p50 1000 ms 101 ms"


def test_a_row_shows_ours_floor_bar_verdict_reference_and_the_last_run_with_its_floor() -> None:
    now = Figure("create", "p50", "ms", 12.0, floor=9.0)
    before = Figure("create", "p50", "ms", 11.0, floor=8.0)

    text = table([now], a_run(before))

    assert columns(text, "create") == ("create p50 12.0 ms 9.00 ms <= 13.5 ms (1.5x) ok 101 ms 11.0 ms (floor 8)")


def test_a_miss_says_so_in_its_row() -> None:
    assert "MISSED" in columns(table([Figure("idle", "CPU of the agent", "%", 0.25)], None), "idle")


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    run = a_run(Figure("create", "p50", "ms", 11.0, floor=8.0), Figure("small", "agent", "MiB", 60.0))

    save(run, tmp_path / "2026-01-01-2.json")

    assert last_recorded(tmp_path) == run


def test_the_last_recorded_run_is_the_newest_and_never_the_latest_one(tmp_path: Path) -> None:
    for date in ("2026-02-01", "2025-12-31", "2026-01-15"):
        save(a_run(date=date), tmp_path / f"{date}-2.json")
    save(a_run(date="2026-03-01", quick=True), tmp_path / "latest.json")

    found = last_recorded(tmp_path)

    assert found is not None
    assert found.date == "2026-02-01"


def test_without_a_recorded_run_there_is_none(tmp_path: Path) -> None:
    assert last_recorded(tmp_path) is None


def test_every_bar_is_either_absolute_or_in_terms_of_the_floor() -> None:
    both = [name for name, bar in BARS.items() if (bar.at_most is None) == (bar.times_floor is None)]

    assert both == []
