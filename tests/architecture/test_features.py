"""The rows of tests/features.toml and the tests that carry their ids belong together."""

import ast
from collections.abc import Iterable, Iterator, Sequence

import pytest

from docs.features import PARTS, Feature, Shown, features, read_features, read_shown, shown_in, strays_in
from tests.architecture.source import SourceFile, expect_none

WITHOUT_TESTS, WITH_TESTS = ("not yet: ", "no test: "), ("partly: ",)


def misfits(rows: Sequence[Feature], shown: Iterable[Shown]) -> Iterator[str]:
    """Ids that no row has, rows with neither test nor reason, and reasons that no longer fit."""
    by_id: dict[str, list[str]] = {}
    for one in shown:
        for feature_id in one.ids:
            by_id.setdefault(feature_id, []).append(f"{one.path}::{one.test}")
    known = {row.id for row in rows}
    for feature_id in sorted(by_id.keys() - known):
        yield f"{by_id[feature_id][0]}: tests/features.toml has no row {feature_id}"
    for row in rows:
        wanted = WITH_TESTS if row.id in by_id else WITHOUT_TESTS
        if row.reason and not row.reason.startswith(wanted):
            state = f"has a test, {by_id[row.id][0]}" if row.id in by_id else "has no test"
            yield f"{row.id} {state}: its reason must begin with {' or '.join(wanted)}, found {row.reason!r}"
        if not row.reason and row.id not in by_id:
            yield f"{row.id} has neither a test nor a reason: mark a test with its id, or say why there is none"


def strays(file: SourceFile) -> Iterator[str]:
    """Markers of features stand where the page of features reads them."""
    yield from strays_in(file.path, file.tree)


def test_every_feature_has_a_test_or_a_reason_and_every_marker_a_feature() -> None:
    if found := list(misfits(read_features(), read_shown())):
        pytest.fail("\n".join(found), pytrace=False)


def test_ids_are_counted_without_gaps() -> None:
    ids = [row.id for row in read_features()]

    counts = {letter: sum(one.startswith(f"{letter}-") for one in ids) for letter in PARTS}
    assert ids == [f"{letter}-{number + 1}" for letter, count in counts.items() for number in range(count)]


def test_markers_stand_where_they_are_read() -> None:
    expect_none(strays)


def test_an_id_given_twice_is_refused() -> None:
    row = 'P-1 = { area = "a", text = "t" }\n'

    with pytest.raises(ValueError, match="Cannot overwrite"):
        features(row + row)


@pytest.mark.parametrize(
    ("reason", "ids", "complaint"),
    [
        ("", (), "P-1 has neither a test nor a reason"),
        ("", ("P-1", "P-9"), "no row P-9"),
        ("not yet: later", ("P-1",), "P-1 has a test"),
        ("partly: half", (), "P-1 has no test"),
        ("soon", (), "must begin with not yet: "),
    ],
)
def test_a_misfit_is_found(reason: str, ids: tuple[str, ...], complaint: str) -> None:
    rows = [Feature(id="P-1", area="a", text="t", reason=reason)]

    (found,) = misfits(rows, [Shown("tests/unit/test_x.py", "test_y", ids)] if ids else [])

    assert complaint in found


def test_markers_are_read_above_tests_and_in_pytestmark_alone() -> None:
    module = ast.parse(
        "pytestmark = [pytest.mark.real_time(5), pytest.mark.feature('A-1')]\n"
        "@pytest.mark.feature('P-1', 'P-2')\n"
        "async def test_one(): ...\n"
        "def build():\n"
        "    @pytest.mark.feature('P-3')\n"
        "    def test_two(): ...\n"
    )

    found = list(shown_in("tests/unit/test_x.py", module))

    assert [(one.test, one.ids, one.lane) for one in found] == [
        ("", ("A-1",), "check"),
        ("test_one", ("P-1", "P-2"), "check"),
    ]
    assert len(list(strays_in("tests/unit/test_x.py", module))) == 1
