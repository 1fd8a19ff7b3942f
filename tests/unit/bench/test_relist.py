from bench.relist import differing

KEPT, OTHER = ("hub", "kept"), ("spoke", "kept")


def test_what_has_its_version_still_was_not_written() -> None:
    assert differing({KEPT: "1", OTHER: "2"}, {OTHER: "2", KEPT: "1"}) == 0


def test_what_came_went_or_changed_was_written() -> None:
    before = {KEPT: "1", OTHER: "2", ("hub", "gone"): "3"}
    after = {KEPT: "1", OTHER: "4", ("hub", "new"): "5"}

    assert differing(before, after) == 3
