"""Schemas as checks: types, unknown fields, required ones, defaults, and how built-in kinds differ from custom ones."""

import pytest

from argocd_agent.backends.embedded.kinds import DEPLOYMENTS, ROWS
from argocd_agent.backends.embedded.schema import Definitions, Report, compile_schema, dotted
from argocd_agent.backends.embedded.schemas import schema_of
from argocd_agent.backends.embedded.values import Json, JsonObject
from argocd_agent.resources.kinds import APPLICATIONS


def _checked(schema: JsonObject, value: Json, *, is_typed: bool = False) -> tuple[Json, Report]:
    report = Report()
    check = compile_schema(schema, Definitions({"self": schema}, is_typed))
    return check(value, (None, "spec"), report), report


WIDGET: JsonObject = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 2, "pattern": "^[a-z]+$"},
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "color": {"type": "string", "enum": ["red", "blue"]},
        "ratio": {"type": "number"},
        "port": {"x-kubernetes-int-or-string": True},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "closed": {"type": "object"},
        "maybe": {"type": "string", "nullable": True},
        "mode": {"type": "string", "default": "fast"},
        "inner": {"$ref": "self"},
    },
}


def test_a_fitting_value_passes_with_its_defaults() -> None:
    value: JsonObject = {
        "name": "ab",
        "size": 3,
        "ratio": 1,
        "port": "http",
        "tags": ["x"],
        "labels": {"a": "b"},
        "free": {"anything": [1, {}]},
        "maybe": None,
        "inner": {"name": "cd", "mode": "slow"},
    }

    result, report = _checked(WIDGET, value)

    assert result == {**value, "mode": "fast"}
    assert (report.unknown, report.causes) == ([], [])


def test_unknown_fields_are_dropped_and_named() -> None:
    result, report = _checked(WIDGET, {"name": "ab", "x": 1, "closed": {"y": 2}, "inner": {"name": "cd", "z": 3}})

    assert result == {"name": "ab", "closed": {}, "inner": {"name": "cd", "mode": "fast"}, "mode": "fast"}
    assert report.unknown == ["spec.x", "spec.closed.y", "spec.inner.z"]


def test_null_means_absent_unless_it_is_allowed() -> None:
    result, report = _checked(WIDGET, {"name": "ab", "size": None, "maybe": None})

    assert result == {"name": "ab", "maybe": None, "mode": "fast"}
    assert report.causes == []


@pytest.mark.parametrize(
    ("field", "value", "where", "why"),
    [
        ("name", 5, "spec.name", 'must be of type string: "integer"'),
        ("name", "A", "spec.name", "should match '^[a-z]+$'"),
        ("name", "a", "spec.name", "at least 2 chars"),
        ("size", True, "spec.size", 'must be of type integer: "boolean"'),
        ("size", 1.5, "spec.size", 'must be of type integer: "number"'),
        ("size", 0, "spec.size", "greater than or equal to 1"),
        ("size", 10, "spec.size", "less than or equal to 9"),
        ("color", "green", "spec.color", 'one of ["red","blue"]'),
        ("port", [], "spec.port", 'of type integer,string: "array"'),
        ("tags", {}, "spec.tags", 'must be of type array: "object"'),
        ("tags", ["a", 1], "spec.tags[1]", "must be of type string"),
        ("tags", ["a", "b", "c"], "spec.tags", "at most 2 items"),
        ("labels", {"a": 1}, "spec.labels.a", "must be of type string"),
        ("inner", {}, "spec.inner.name", "Required value"),
        ("inner", [], "spec.inner", "must be of type object"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(field: str, value: Json, where: str, why: str) -> None:
    _, report = _checked(WIDGET, {"name": "ab", field: value})

    assert [cause.field for cause in report.causes][:1] == [where]
    assert any(why in cause.message for cause in report.causes)


def test_everything_wrong_is_named_at_once() -> None:
    _, report = _checked(WIDGET, {"size": 0, "color": "green"})

    assert {cause.field for cause in report.causes} == {"spec.size", "spec.color", "spec.name"}


def test_a_built_in_kind_keeps_objects_of_which_nothing_is_known() -> None:
    schema: JsonObject = {"type": "object", "properties": {"raw": {"type": "object"}}}

    assert _checked(schema, {"raw": {"a": 1}}, is_typed=True)[0] == {"raw": {"a": 1}}
    assert _checked(schema, {"raw": {"a": 1}}, is_typed=False)[0] == {"raw": {}}


def test_status_of_a_built_in_kind_may_lack_required_fields() -> None:
    schema = schema_of(DEPLOYMENTS, is_typed=True)
    report = Report()

    schema.fields["status"]({"conditions": [{"type": "Available"}]}, (None, "status"), report)

    assert report.causes == []


def test_paths_are_written_as_kubernetes_writes_them() -> None:
    assert dotted((((None, "spec"), 0), "a")) == "spec[0].a"


def test_every_kind_has_a_schema() -> None:
    assert all(schema_of(row.api, row.is_typed).fields for row in ROWS if row.api.kind != "ServiceAccount")


def test_applications_know_the_fields_of_argo_cd() -> None:
    schema = schema_of(APPLICATIONS, is_typed=False)

    assert set(schema.fields) == {"spec", "status", "operation"}
    assert schema.required == ("spec",)
