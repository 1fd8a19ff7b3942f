"""The page of features: what tests/features.toml says, and for each row the tests that carry its id.

Markers are read from the sources of the tests, so nothing is imported or run. They are read in two places: above a
test at the top level of its module, and in a module's `pytestmark`. Anywhere else is a `stray`, which a test refuses.
"""

import ast
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
ROWS = TESTS / "features.toml"
PARTS = {"P": "The principal", "A": "The agent", "C": "The whole, as users see it"}
LANES = {"architecture": "check", "unit": "check", "property": "check", "clusters": "clusters"}
LANE_OF_ALL_OTHERS = "test"
MARKER = "pytest.mark.feature"

HEAD = """# Features

Made from tests/features.toml and the tests by `make docs`; do not edit.

Each row is a feature, the tests that would fail without it, and the lane that runs them: `make check`, `make test` or
`make test-clusters`. *Partly* says what the tests do not show, *not yet* what the feature comes with, *no test* why
nothing shows what is served.
"""


@dataclass(frozen=True, slots=True)
class Feature:
    """One row. `reason`: why there is no test, or what the tests do not show; empty if they show it all."""

    id: str
    area: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A test at *path*, from the root, that shows the features *ids*; without a name, every test of that module."""

    path: str
    test: str
    ids: tuple[str, ...]

    @property
    def lane(self) -> str:
        """The command that runs it."""
        return LANES.get(self.path.split("/")[1], LANE_OF_ALL_OTHERS)


def features(text: str) -> tuple[Feature, ...]:
    """The rows of *text*, in their order. Raises `ValueError` for what is no TOML, no row, or an id given twice."""
    try:
        return tuple(Feature(id=name, **{"reason": "", **row}) for name, row in tomllib.loads(text).items())
    except TypeError as error:
        raise ValueError(f"expected rows of area, text and perhaps reason: {error}") from error


def read_features() -> tuple[Feature, ...]:
    """The rows of this repository."""
    return features(ROWS.read_text("utf-8"))


def read_shown() -> tuple[Shown, ...]:
    """All tests of this repository that say what they show."""
    paths = sorted(path.relative_to(ROOT).as_posix() for path in TESTS.rglob("test_*.py"))
    return tuple(one for path in paths for one in shown_in(path, ast.parse((ROOT / path).read_text("utf-8"))))


def shown_in(path: str, module: ast.Module) -> Iterator[Shown]:
    """What the tests of *module*, at *path*, say that they show."""
    for node in module.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="pytestmark")], value=value):
                for call in _markers(_elements(value)):
                    yield Shown(path, "", _ids(call, path))
            case ast.FunctionDef() | ast.AsyncFunctionDef() if node.name.startswith("test_"):
                for call in _markers(node.decorator_list):
                    yield Shown(path, node.name, _ids(call, path))


def strays_in(path: str, module: ast.Module) -> Iterator[str]:
    """Markers of features that the page would miss."""
    found = [node for node in ast.walk(module) if isinstance(node, ast.Attribute) and ast.unparse(node) == MARKER]
    if len(found) != sum(1 for _ in shown_in(path, module)):
        yield f"{path}: a marker of a feature stands where it is not read: put it above a test, or into pytestmark"


def page() -> str:
    """The page, as Markdown."""
    shown = read_shown()
    by_id: dict[str, list[Shown]] = {}
    for one in shown:
        for feature_id in one.ids:
            by_id.setdefault(feature_id, []).append(one)
    rows = read_features()
    parts = {letter: [row for row in rows if row.id.startswith(f"{letter}-")] for letter in PARTS}
    text = [HEAD, *_summary(parts, by_id)]
    for letter, title in PARTS.items():
        text += ["", f"## {title}"]
        for area in dict.fromkeys(row.area for row in parts[letter]):
            chosen = [row for row in parts[letter] if row.area == area]
            text += ["", f"### {title}: {area}", "", "| | | Tests | Lanes |", "|---|---|---|---|"]
            text += [_row(row, by_id.get(row.id, [])) for row in chosen]
    return "\n".join(text) + "\n"


def _summary(parts: dict[str, list[Feature]], by_id: dict[str, list[Shown]]) -> Iterator[str]:
    yield "| | Features | Shown | Partly | No test |"
    yield "|---|---|---|---|---|"
    for letter, rows in parts.items():
        tested = [row for row in rows if row.id in by_id]
        partly = sum(bool(row.reason) for row in tested)
        yield f"| {PARTS[letter]} | {len(rows)} | {len(tested) - partly} | {partly} | {len(rows) - len(tested)} |"


def _row(row: Feature, tests: Sequence[Shown]) -> str:
    said = row.text + (f" *{row.reason[:1].upper()}{row.reason[1:]}.*" if row.reason else "")
    lanes = [lane for lane in ("check", LANE_OF_ALL_OTHERS, "clusters") if any(one.lane == lane for one in tests)]
    return f"| {row.id} | {said} | {'<br>'.join(map(_link, tests))} | {', '.join(lanes)} |"


def _link(one: Shown) -> str:
    name = one.test or f"all of {Path(one.path).name}"
    return f"[{name}](../../{one.path})"


def _elements(value: ast.expr) -> list[ast.expr]:
    return value.elts if isinstance(value, ast.List | ast.Tuple) else [value]


def _markers(nodes: Iterable[ast.expr]) -> Iterator[ast.Call]:
    for node in nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == MARKER:
            yield node


def _ids(call: ast.Call, path: str) -> tuple[str, ...]:
    ids = tuple(node.value for node in call.args if isinstance(node, ast.Constant) and isinstance(node.value, str))
    if len(ids) != len(call.args) or call.keywords or not ids:
        raise ValueError(f"{path}:{call.lineno}: expected ids of features as plain text, found {ast.unparse(call)}")
    return ids
