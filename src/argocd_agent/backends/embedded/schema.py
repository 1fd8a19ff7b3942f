"""OpenAPI schemas as functions: check a value, drop what the schema does not know, fill in defaults.

One pass over a freshly decoded value; what is wrong is collected in a `Report` rather than raised, because the API
server names everything at once. Built-in kinds ("typed") are treated as Go structs are: a wrong type makes the whole
request unreadable, null means absent, and lists of required fields do not count inside `status`. Custom resources are
treated as structural schemas: wrong types are `FieldValueTypeInvalid`.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/. Left out:
`anyOf`, `oneOf`, `not`, and validation rules (CEL).
"""

import re
from collections.abc import Callable, Mapping
from copy import deepcopy

from argocd_agent.backends.embedded.faults import Cause, required
from argocd_agent.backends.embedded.values import Json, JsonObject, canonical

Path = tuple["Path", str | int] | None
Check = Callable[[Json, Path, "Report"], Json]

OPEN = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
SERVER_FIELDS = frozenset({"apiVersion", "kind", "metadata"})


class Report:
    """What was found in one object."""

    def __init__(self) -> None:
        self.unknown: list[str] = []
        self.causes: list[Cause] = []
        self.mistyped: list[str] = []  # in the words of Go's decoder: expected, path

    def wrong_type(self, path: Path, expected: str, value: Json) -> Json:
        found, where = _type_name(value), dotted(path)
        message = f'Invalid value: "{found}": {where} in body must be of type {expected}: "{found}"'
        self.causes.append(Cause(where, "FieldValueTypeInvalid", message))
        self.mistyped.append(
            f"cannot unmarshal {_GO_NAMES.get(found, found)} into Go struct field {where} of type {expected}"
        )
        return value

    def wrong_value(self, path: Path, value: Json, why: str) -> None:
        where = dotted(path)
        shown = canonical(value).decode()
        self.causes.append(Cause(where, "FieldValueInvalid", f"Invalid value: {shown}: {where} in body should {why}"))


_GO_NAMES = {"integer": "number", "boolean": "bool"}


class Definitions:
    """Named schemas; each is compiled when it is first met."""

    def __init__(self, schemas: Mapping[str, JsonObject], is_typed: bool) -> None:
        self.schemas = schemas
        self.is_typed = is_typed
        self._checks: dict[str, Check] = {}

    def resolve(self, schema: JsonObject) -> JsonObject:
        """*schema* itself, or the definition that it refers to, with its own words on top."""
        name = schema.get("$ref")
        return {**self.schemas[name], **schema} if isinstance(name, str) else schema

    def check(self, name: str) -> Check:
        """The compiled definition *name*."""
        if name not in self._checks:
            self._checks[name] = compile_schema(self.schemas[name], self)
        return self._checks[name]


class ObjectSchema:
    """The schema of a whole object, cut into its top-level fields; `metadata` has rules of its own."""

    def __init__(self, root: JsonObject, definitions: Definitions) -> None:
        self.root, self.definitions = root, definitions
        properties = _object(root.get("properties"))
        self.is_open = root.get(OPEN) is True
        self.required = tuple(name for name in _names(root.get("required")) if name not in SERVER_FIELDS)
        self.fields: dict[str, Check] = {
            name: compile_schema(_object(part), definitions, is_lenient=definitions.is_typed and name == "status")
            for name, part in properties.items()
            if name not in SERVER_FIELDS
        }

    @property
    def is_typed(self) -> bool:
        return self.definitions.is_typed


def compile_schema(schema: JsonObject, definitions: Definitions, *, is_lenient: bool = False) -> Check:
    """The check that *schema* stands for. A lenient one does not ask for required fields at its own level."""
    name = schema.get("$ref")
    if isinstance(name, str):
        if is_lenient:
            return compile_schema(definitions.schemas[name], definitions, is_lenient=True)
        return lambda value, path, report: definitions.check(name)(value, path, report)
    if schema.get(INT_OR_STRING) is True:
        return _int_or_string
    match schema.get("type"):
        case "object":
            return _object_check(schema, definitions, is_lenient)
        case "array":
            return _array_check(schema, definitions, is_lenient)
        case "string" | "integer" | "number" | "boolean" as kind:
            return _scalar_check(str(kind), schema)
    return _anything


def dotted(path: Path) -> str:
    """*path* as Kubernetes writes it: `spec.sources[0].path`."""
    parts: list[str] = []
    while path is not None:
        path, step = path
        parts.append(f"[{step}]" if isinstance(step, int) else f".{step}")
    return "".join(reversed(parts)).removeprefix(".")


def _anything(value: Json, path: Path, report: Report) -> Json:
    return value


def _int_or_string(value: Json, path: Path, report: Report) -> Json:
    if isinstance(value, str) or type(value) is int:
        return value
    return report.wrong_type(path, "integer,string", value)


def _object_check(schema: JsonObject, definitions: Definitions, is_lenient: bool) -> Check:
    if "properties" not in schema:
        return _map_check(schema, definitions)
    parts = {name: _object(part) for name, part in _object(schema["properties"]).items()}
    checks = {name: compile_schema(part, definitions, is_lenient=is_lenient) for name, part in parts.items()}
    nullable = {name for name, part in parts.items() if part.get("nullable") is True}
    defaults = {name: part["default"] for name, part in parts.items() if "default" in part}
    needed = () if is_lenient else _names(schema.get("required"))
    is_open = schema.get(OPEN) is True
    # Most values are scalars without rules: known here, they cost no call.
    plain = {name: _PLAIN[kind] for name, part in parts.items() if (kind := _plain_type(part)) in _PLAIN}

    def check(value: Json, path: Path, report: Report) -> Json:
        if type(value) is not dict:
            return report.wrong_type(path, "object", value)
        kept: JsonObject = {}
        for name, item in value.items():
            if type(item) is plain.get(name):
                kept[name] = item
                continue
            inner = checks.get(name)
            if inner is None:
                if is_open:
                    kept[name] = item
                else:
                    report.unknown.append(dotted((path, name)))
            elif item is not None or name in nullable:
                kept[name] = item if item is None else inner(item, (path, name), report)
        for name, default in defaults.items():
            if name not in kept:
                kept[name] = deepcopy(default)
        for name in needed:
            if name not in kept:
                report.causes.append(required(dotted((path, name))))
        return kept

    return check


def _map_check(schema: JsonObject, definitions: Definitions) -> Check:
    """An object whose keys are free, or about which nothing is known."""
    additional = schema.get("additionalProperties")
    is_open = schema.get(OPEN) is True or definitions.is_typed or additional is True
    inner = compile_schema(additional, definitions) if isinstance(additional, dict) else None

    def check(value: Json, path: Path, report: Report) -> Json:
        if type(value) is not dict:
            return report.wrong_type(path, "object", value)
        if inner is not None:
            return {name: inner(item, (path, name), report) for name, item in value.items() if item is not None}
        if is_open:
            return value
        report.unknown += [dotted((path, name)) for name in value]
        return {}

    return check


def _array_check(schema: JsonObject, definitions: Definitions, is_lenient: bool) -> Check:
    inner = compile_schema(_object(schema.get("items")), definitions, is_lenient=is_lenient)
    least, most = schema.get("minItems"), schema.get("maxItems")

    def check(value: Json, path: Path, report: Report) -> Json:
        if type(value) is not list:
            return report.wrong_type(path, "array", value)
        if isinstance(least, int) and len(value) < least:
            report.wrong_value(path, value, f"have at least {least} items")
        if isinstance(most, int) and len(value) > most:
            report.causes.append(
                Cause(dotted(path), "FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} items")
            )
        return [inner(item, (path, index), report) for index, item in enumerate(value)]

    return check


_PLAIN: dict[str, type] = {"string": str, "integer": int, "boolean": bool}
_RULES = frozenset({"enum", "pattern", "minimum", "maximum", "minLength", "maxLength"})
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def _scalar_check(kind: str, schema: JsonObject) -> Check:
    accepted = _PYTHON_TYPES[kind]
    rules = _rules(schema)

    def check(value: Json, path: Path, report: Report) -> Json:
        if type(value) not in accepted:
            return report.wrong_type(path, kind, value)
        for is_kept, why in rules:
            if not is_kept(value):
                report.wrong_value(path, value, why)
        return value

    return check


def _plain_type(schema: JsonObject) -> str:
    """The type of a scalar that has no rules, empty for everything else."""
    has_more = INT_OR_STRING in schema or "$ref" in schema or not _RULES.isdisjoint(schema)
    return "" if has_more else str(schema.get("type", ""))


def _rules(schema: JsonObject) -> list[tuple[Callable[[Json], bool], str]]:
    """Limits on a scalar, each with the words for breaking it."""
    rules: list[tuple[Callable[[Json], bool], str]] = []
    allowed, pattern = schema.get("enum"), schema.get("pattern")
    if isinstance(allowed, list):
        rules.append((lambda value: value in allowed, f"be one of {canonical(allowed).decode()}"))
    if isinstance(pattern, str):
        matcher = re.compile(pattern)
        rules.append((lambda value: matcher.search(str(value)) is not None, f"match '{pattern}'"))
    least, most = schema.get("minimum"), schema.get("maximum")
    if isinstance(least, int | float):
        rules.append(
            (lambda value: isinstance(value, int | float) and value >= least, f"be greater than or equal to {least}")
        )
    if isinstance(most, int | float):
        rules.append(
            (lambda value: isinstance(value, int | float) and value <= most, f"be less than or equal to {most}")
        )
    shortest, longest = schema.get("minLength"), schema.get("maxLength")
    if isinstance(shortest, int):
        rules.append((lambda value: len(str(value)) >= shortest, f"be at least {shortest} chars long"))
    if isinstance(longest, int):
        rules.append((lambda value: len(str(value)) <= longest, f"be at most {longest} chars long"))
    return rules


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _names(value: Json) -> tuple[str, ...]:
    return tuple(str(name) for name in value) if isinstance(value, list) else ()


def _type_name(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
