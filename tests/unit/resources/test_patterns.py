"""Globs and regular expressions, as Argo CD reads them."""

import pytest

from argocd_agent.errors import ConfigError
from argocd_agent.resources.patterns import compiled_glob, matches_any


@pytest.mark.feature("P-48")
@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*", ""),
        ("team-*", "team-a"),
        ("team-?", "team-a"),
        ("team-[ab]", "team-b"),
        ("team-[!ab]", "team-c"),
        ("team-[a-c]", "team-b"),
        ("{prod,stage}-*", "stage-1"),
        ("a/b*", "a/b/c"),
        (r"a\*b", "a*b"),
        ("/^agent-[0-9]+$/", "agent-12"),
        ("/gent/", "agent-1"),
        ("a,b", "a,b"),
    ],
)
def test_pattern_matches(pattern: str, name: str) -> None:
    assert matches_any([pattern], name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("team-*", "my-team-a"),
        ("team-?", "team-ab"),
        ("team-[ab]", "team-c"),
        ("team-[!ab]", "team-a"),
        ("{prod,stage}-*", "dev-1"),
        (r"a\*b", "axb"),
        ("/^agent-[0-9]+$/", "agent-x"),
        ("a.c", "abc"),
        ("", "a"),
    ],
)
def test_pattern_does_not_match(pattern: str, name: str) -> None:
    assert not matches_any([pattern], name)


def test_no_pattern_matches_nothing() -> None:
    assert not matches_any([], "argocd")


@pytest.mark.parametrize("pattern", ["[a", "{a,b", "/(/", "a\\"])
def test_what_is_no_pattern_is_named(pattern: str) -> None:
    with pytest.raises(ConfigError, match="neither a glob nor"):
        matches_any([pattern], "a")


def test_where_only_globs_are_known_slashes_are_characters() -> None:
    glob = compiled_glob("/a*/")

    assert (glob("/abc/"), glob("a")) == (True, False)
    with pytest.raises(ConfigError, match=r"'\{a' is not a glob"):
        compiled_glob("{a")


@pytest.mark.parametrize(
    "pattern", ["*" * 200 + "b", "*a" * 40 + "b", "{*,a,?}" * 40 + "b", "{" * 30 + "*" + "}*" * 30 + "b"]
)
def test_no_glob_takes_for_ever(pattern: str) -> None:
    assert not compiled_glob(pattern)("a" * 63)
    assert compiled_glob(pattern)("a" * 63 + "b")


def test_choices_nest_and_may_be_empty() -> None:
    glob = compiled_glob("{a,b{c,d}*,}-x,y")

    assert [glob(name) for name in ("a-x,y", "bc-x,y", "bdzz-x,y", "-x,y", "b-x,y", "a-x")] == [True] * 4 + [False] * 2


def test_a_brace_that_closes_nothing_is_a_character() -> None:
    assert compiled_glob("a}")("a}")


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("[a-c-]", "abc-", "d"),
        ("[-a]", "-a", "b"),
        ("[]a]", "]a", "b"),
        ("[!a-c]", "d-", "abc"),
        ("[^a]", "^a", "b"),
        ("[[a&&b]", "[ab&", "c"),
        (r"[\a]", r"\a", "b"),
    ],
)
def test_a_class_has_exactly_its_characters(pattern: str, inside: str, outside: str) -> None:
    glob = compiled_glob(pattern)

    assert all(glob(char) for char in inside)
    assert not any(glob(char) for char in outside)


@pytest.mark.parametrize("pattern", ["[c-a]", "[!]"])
def test_a_class_of_nothing_is_no_glob(pattern: str) -> None:
    with pytest.raises(ConfigError, match="is not a glob"):
        compiled_glob(pattern)
