"""What the documents say exists: tests that guarantees name, files that links name, commands of the Makefile."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.generate import PAGES, REFERENCE
from tests.architecture.source import ROOT, Function, tracked_files

GUARANTEE = re.compile(r"^(\d+)\. ")
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)\b")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
DECISION = re.compile(r"docs/decisions/(\d{4})-[a-z0-9-]+\.md")
FRAGMENT = re.compile(r"changes/[a-z0-9-]+\.(added|changed|fixed|removed|security)\.md")
SECTIONS = ("## Context", "## Decision", "## Consequences")

# A registry's address would bind everybody to it, and a path of one machine is on no other.
OUT_OF_PLACE = {
    "a package registry": re.compile(
        r"(?:pypi|pythonhosted|npmjs|crates)\.(?:org|com|io)\b|(?:proxy|sum)\.golang\.org|repo1?\.maven|deb\.debian\.org"
    ),
    "a path of one machine": re.compile(r"(?<![\w.\]])/(?:work|root|home/[a-z]\w*|Users/\w+)/"),
    "a folder beside the checkout": re.compile(r"\.\./shared\b"),
}
BINARY = {".png", ".gif", ".ico", ".woff2"}


def texts(*suffixes: str) -> Iterator[tuple[str, str]]:
    """Path and text of every tracked file, or of those that end in one of *suffixes*."""
    for path in tracked_files():
        if Path(path).suffix not in BINARY and (not suffixes or path.endswith(suffixes)):
            yield path, (ROOT / path).read_text(encoding="utf-8", errors="replace")


def expect_empty(found: list[str]) -> None:
    """Fail with the findings, one per line."""
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def guarantees(text: str) -> Iterator[tuple[int, str]]:
    """The numbered paragraphs of *text*: number and the whole of it."""
    for paragraph in re.split(r"\n\s*\n|\n(?=\d+\. )", text):
        if match := GUARANTEE.match(paragraph.strip()):
            yield int(match[1]), paragraph.strip()


def names_of_functions(path: Path) -> set[str]:
    """The names of the functions in the file at *path*; none if it does not exist."""
    if not path.exists():
        return set()
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, Function)}


def broken_guarantees(text: str) -> Iterator[str]:
    """Guarantees that name no test, or one that does not exist."""
    for number, paragraph in guarantees(text):
        named = NAMED_TEST.findall(paragraph)
        if not named:
            yield f"guarantee {number} names no test: write one, and name it as `tests/….py::test_…`"
        for path, test in named:
            if test not in names_of_functions(ROOT / path):
                yield f"guarantee {number}: there is no {path}::{test}: name the test that shows it now"


def test_every_guarantee_names_tests_that_exist() -> None:
    text = (ROOT / "GUARANTEES.md").read_text("utf-8")

    expect_empty(list(broken_guarantees(text)))
    assert [number for number, _ in guarantees(text)] == list(range(1, len(list(guarantees(text))) + 1))


def test_a_guarantee_without_its_test_is_found() -> None:
    text = "1. No test.\n2. Gone: `tests/unit/test_none.py::test_none`.\n\n3. Here: `{}::{}`.".format(
        "tests/architecture/test_documents.py", "test_a_guarantee_without_its_test_is_found"
    )

    assert [line.split(":")[0].split(" names")[0] for line in broken_guarantees(text)] == ["guarantee 1", "guarantee 2"]


def test_links_between_documents_lead_somewhere() -> None:
    expect_empty(
        [
            f"{path}: there is no {target}: the link must name a file of this repository"
            for path, text in texts(".md")
            for target in LINK.findall(re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL))
            if "://" not in target and not (ROOT / path).parent.joinpath(target).exists()
        ]
    )


def test_files_on_the_map_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")

    expect_empty(
        [
            f"ARCHITECTURE.md: there is no {path} in src/argocd_agent: name the file that does this now"
            for path in re.findall(r"`(\w+/[\w/]+\.py)`", text)
            if not (ROOT / "src/argocd_agent" / path).exists()
        ]
    )


@pytest.mark.feature("C-109")
def test_commands_in_documents_are_targets_of_the_makefile() -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text("utf-8")))

    expect_empty(
        [
            f"{path}: `make {name}` is no target of the Makefile: {', '.join(sorted(targets))}"
            for path, text in texts(".md")
            for span in re.findall(r"`[^`\n]*`|```.*?```", text, flags=re.DOTALL)
            for name in MAKE.findall(span)
            if name not in targets
        ]
    )


def test_reference_pages_are_in_step_with_the_code() -> None:
    made = {name: page() for name, page in PAGES.items()}

    found = {path.name: path.read_text("utf-8") for path in REFERENCE.glob("*.md")}
    stale = sorted(name for name in made.keys() | found.keys() if made.get(name) != found.get(name))
    assert not stale, f"docs/reference is out of step in {', '.join(stale)}: run `make docs`"


def test_decisions_are_numbered_without_gaps_and_have_their_sections() -> None:
    decisions = {path: text for path, text in texts(".md") if path.startswith("docs/decisions/0")}

    numbers = sorted(int(match[1]) for path in decisions if (match := DECISION.fullmatch(path)))
    assert numbers == list(range(1, len(decisions) + 1))
    expect_empty(
        [
            f"{path}: no section '{section}'"
            for path, text in decisions.items()
            for section in SECTIONS
            if section not in text
        ]
    )


def test_fragments_of_the_changelog_say_what_sort_of_change_they_are() -> None:
    expect_empty(
        [
            f"{path}: expected changes/NAME.SORT.md, with SORT added, changed, fixed, removed or security"
            for path in tracked_files()
            if path.startswith("changes/") and path != "changes/README.md" and not FRAGMENT.fullmatch(path)
        ]
    )


@pytest.mark.parametrize("what", OUT_OF_PLACE)
def test_no_file_names(what: str) -> None:
    expect_empty(
        [
            f"{path}:{number}: names {what}, '{match[0]}': leave it to the configuration of whoever runs this"
            for path, text in texts()
            for number, line in enumerate(text.splitlines(), start=1)
            if (match := OUT_OF_PLACE[what].search(line))
        ]
    )


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a package registry", "index-url = https://pypi" + ".org/simple"),
        ("a package registry", "GOPROXY=https://proxy" + ".golang.org"),
        ("a path of one machine", "cd /root" + "/src"),
        ("a folder beside the checkout", "see .." + "/shared/spec"),
    ],
)
def test_what_is_out_of_place_is_found(what: str, line: str) -> None:
    assert OUT_OF_PLACE[what].search(line)
