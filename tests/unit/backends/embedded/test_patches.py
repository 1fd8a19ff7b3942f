"""Merge and JSON patches, with the examples of their RFCs."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argocd_agent.backends.embedded.patches import PatchFailed, apply_json_patch, merge
from argocd_agent.backends.embedded.values import Json
from argocd_agent.errors import DecodeError

RFC_7386: list[tuple[Json, Json, Json]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]
DOCUMENT: Json = {"foo": ["bar", "baz"], "a/b": 1, "m~n": 2, "child": {"x": 1}, "yes": True}
JSON_PATCHES: list[tuple[Json, Json]] = [
    ([{"op": "add", "path": "/new", "value": 1}], {"new": 1}),
    ([{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
    ([{"op": "add", "path": "/foo/-", "value": "end"}], {"foo": ["bar", "baz", "end"]}),
    ([{"op": "add", "path": "/child", "value": {"y": 2}}], {"child": {"y": 2}}),
    ([{"op": "replace", "path": "/foo/0", "value": 9}], {"foo": [9, "baz"]}),
    ([{"op": "replace", "path": "/a~1b", "value": 9}], {"a/b": 9}),
    ([{"op": "remove", "path": "/foo/0"}], {"foo": ["baz"]}),
    ([{"op": "move", "from": "/foo/0", "path": "/foo/1"}], {"foo": ["baz", "bar"]}),
    (
        [{"op": "copy", "from": "/child", "path": "/twin"}, {"op": "add", "path": "/twin/x", "value": 5}],
        {"twin": {"x": 5}},
    ),
    ([{"op": "test", "path": "/m~0n", "value": 2}], {}),
    ([{"op": "test", "path": "/child", "value": {"x": 1}}], {}),
    ([{"op": "test", "path": "/missing", "value": None}], {}),
]


@pytest.mark.parametrize(("value", "patch", "expected"), RFC_7386)
def test_merge_patch_does_what_its_rfc_shows(value: Json, patch: Json, expected: Json) -> None:
    before = deepcopy(value)

    assert merge(value, patch) == expected
    assert value == before


@pytest.mark.parametrize(("patch", "changed"), JSON_PATCHES)
def test_json_patch_operations(patch: Json, changed: dict[str, Json]) -> None:
    before = deepcopy(DOCUMENT)
    assert isinstance(DOCUMENT, dict)

    result = apply_json_patch(DOCUMENT, patch)

    assert result == {**DOCUMENT, **changed}
    assert before == DOCUMENT


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a~1b", "value": 2},
        {"op": "test", "path": "/yes", "value": 1},
        {"op": "remove", "path": "/missing"},
        {"op": "remove", "path": "/foo/2"},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "/missing", "value": 1},
        {"op": "add", "path": "/missing/deeper", "value": 1},
        {"op": "add", "path": "/foo/3", "value": 1},
        {"op": "add", "path": "/foo/01", "value": 1},
        {"op": "move", "from": "/child", "path": "/child/x"},
        {"op": "copy", "from": "/missing", "path": "/x"},
    ],
)
def test_what_cannot_be_done_fails(operation: Json) -> None:
    with pytest.raises(PatchFailed):
        apply_json_patch(DOCUMENT, [operation])


@pytest.mark.parametrize(
    "patch",
    [
        {},
        ["x"],
        [{"op": "jump", "path": "/a"}],
        [{"op": "add", "path": "/a"}],
        [{"op": "add", "path": "a", "value": 1}],
        [{}],
    ],
)
def test_what_is_no_json_patch_is_refused(patch: Json) -> None:
    with pytest.raises(DecodeError):
        apply_json_patch(DOCUMENT, patch)


def test_the_whole_document_can_be_replaced() -> None:
    assert apply_json_patch(DOCUMENT, [{"op": "replace", "path": "", "value": [1]}]) == [1]


_json: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(_json, _json)
def test_a_merge_patch_twice_is_a_merge_patch_once(value: Json, patch: Json) -> None:
    once = merge(value, patch)

    assert merge(once, patch) == once
