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

    assert (glob("/abc/") is not None, glob("a") is not None) == (True, False)
    with pytest.raises(ConfigError, match=r"'\{a' is not a glob"):
        compiled_glob("{a")
