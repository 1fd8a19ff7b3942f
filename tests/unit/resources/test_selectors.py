"""Label and field selectors: what they match, and what is no selector."""

import contextlib
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argocd_agent.errors import DecodeError
from argocd_agent.resources.selectors import (
    Operator,
    Requirement,
    is_label_value,
    is_qualified_name,
    label_selector,
    parse_fields,
    parse_labels,
)

LABELS = {"env": "prod", "tier": "", "count": "7", "example.com/team": "a"}


@pytest.mark.feature("P-49")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "env",
        "env=prod",
        "env==prod",
        "env!=dev",
        "missing!=dev",
        "env in (dev, prod)",
        "env in (prod)",
        "env notin (dev)",
        "missing notin (dev,prod)",
        "!missing",
        "tier=",
        "tier in ()",
        "tier in (,x)",
        "count>6",
        "count < 8",
        "count gt 6",
        "example.com/team=a",
        "env=prod,!missing , count>1",
        "in",  # a label may be called so
    ],
)
def test_label_selector_matches(text: str) -> None:
    labels = {**LABELS, "in": "x"}

    assert parse_labels(text).matches(labels)


@pytest.mark.parametrize(
    "text",
    [
        "env=dev",
        "env!=prod",
        "missing=prod",
        "missing",
        "!env",
        "env in (dev)",
        "missing in (a)",
        "env notin (prod, dev)",
        "count>7",
        "count<7",
        "env>1",
        "missing>1",
        "env=prod,missing",
        "tier=x",
    ],
)
def test_label_selector_does_not_match(text: str) -> None:
    assert not parse_labels(text).matches(LABELS)


@pytest.mark.parametrize(
    "text",
    [
        "env in dev",
        "env=(",
        "=x",
        "env in (a",
        "a b",
        "a,",
        ",a",
        "a,,b",
        "a>x",
        "!",
        "a=b=c",
        "-a=b",
        "a=b!",
        "a in (b c)",
    ],
)
def test_what_is_no_label_selector_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_labels(text)


def test_refusal_says_what_was_found_and_what_was_expected() -> None:
    with pytest.raises(DecodeError, match=r"found 'b', expected: in, notin, =, ==, !=, gt, lt"):
        parse_labels("a b")


def test_a_selector_object_becomes_a_selector() -> None:
    selector = label_selector({"env": "prod"}, [Requirement("count", Operator.EXISTS)])

    assert selector.matches(LABELS)
    assert not selector.matches({"env": "prod"})
    assert not label_selector({})


def _values(fields: Mapping[str, str]) -> Callable[[str], str]:
    return lambda name: fields.get(name, "")


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("metadata.name=a", True),
        ("metadata.name==a", True),
        ("metadata.name!=a", False),
        ("metadata.name=b", False),
        ("metadata.name!=b,status.phase=Running", True),
        ("metadata.name=a,status.phase=Pending", False),
        ("empty=", True),
        (r"odd=a\,b\=c\\d", True),
    ],
)
def test_field_selector_compares_text(text: str, matches: bool) -> None:
    fields = {"metadata.name": "a", "status.phase": "Running", "odd": r"a,b=c\d"}

    assert parse_fields(text).matches(_values(fields)) is matches


@pytest.mark.parametrize("text", ["name", "=a", r"a=b\x", "a=b=c"])
def test_what_is_no_field_selector_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_fields(text)


def test_exact_gives_the_value_that_a_field_must_have() -> None:
    selector = parse_fields("metadata.name=a,status.phase!=Running")

    assert selector.exact("metadata.name") == "a"
    assert selector.exact("status.phase") is None


@pytest.mark.parametrize("name", ["a", "a.b_c-d", "example.com/a", "A9", "a" * 63])
def test_qualified_names(name: str) -> None:
    assert is_qualified_name(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "a/b/c", "Example.com/a", "/a", "a/", "a" * 64, "é", "a\n"])
def test_what_is_no_qualified_name(name: str) -> None:
    assert not is_qualified_name(name)


def test_label_values_may_be_empty_but_not_longer_than_63() -> None:
    assert [is_label_value(value) for value in ("", "a", "a" * 63, "a" * 64, "a b")] == [True, True, True, False, False]


@given(st.text(max_size=30))
def test_any_text_is_a_selector_or_refused(text: str) -> None:
    with contextlib.suppress(DecodeError):  # no other error may come
        assert parse_labels(text).matches({}) in (True, False)
    with contextlib.suppress(DecodeError):
        assert parse_fields(text).matches(lambda name: "") in (True, False)
