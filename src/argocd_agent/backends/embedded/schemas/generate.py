"""Writes `schemas.json` beside itself from OpenAPI v3 documents of a real kube-apiserver with Argo CD's CRDs.

    kubectl get --raw /openapi/v3/apis/apps/v1 > apps.json     # and so on, one for each group and version of KINDS
    python -m argocd_agent.backends.embedded.schemas.generate core.json apps.json …

Descriptions go, what the server acts on stays, and subtrees that occur more than once are stored once. The result is
data: `{"kinds": {"apps/v1/Deployment": NAME}, "definitions": {NAME: schema}}`, with `$ref: NAME` inside.
"""

import sys
from collections import Counter
from pathlib import Path
from typing import Any  # JSON Schemas, walked as they are

import msgspec

from argocd_agent.backends.embedded.kinds import ROWS
from argocd_agent.codec import decode_any

TARGET = Path(__file__).with_name("schemas.json")

KEPT = {
    *("type", "format", "properties", "items", "additionalProperties", "required", "$ref", "enum", "default"),
    *("minimum", "maximum", "minLength", "maxLength", "pattern", "minItems", "maxItems", "nullable"),
    *("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"),
    *("x-kubernetes-patch-merge-key", "x-kubernetes-patch-strategy", "x-kubernetes-list-map-keys"),
}
SHARED_BYTES = 90  # a subtree smaller than this is not worth a definition of its own
METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def main(documents: list[str]) -> None:
    """Read *documents* and write `schemas.json`."""
    wanted = {(row.api.group, row.api.version, row.api.kind) for row in ROWS}
    found: dict[str, str] = {}
    schemas: dict[str, Any] = {}
    for path in documents:
        for name, schema in decode_any(Path(path).read_bytes())["components"]["schemas"].items():
            schemas.setdefault(name, _strip(schema))
            for kind in schema.get("x-kubernetes-group-version-kind", []):
                if (kind["group"], kind["version"], kind["kind"]) in wanted:
                    group = f"{kind['group']}/" if kind["group"] else ""
                    found[f"{group}{kind['version']}/{kind['kind']}"] = name
    if len(found) != len(wanted):
        raise SystemExit(f"expected {len(wanted)} kinds in the documents, found {len(found)}: {sorted(found)}")
    used: dict[str, Any] = {}
    for name in found.values():
        _collect(name, schemas, used)
    definitions = _share(used)
    encoder = msgspec.json.Encoder(order="sorted")
    # One definition a line, so that a new version of Kubernetes can be read as a diff.
    ordered = sorted(definitions.items())
    lines = b",\n".join(b"%b: %b" % (encoder.encode(name), encoder.encode(one)) for name, one in ordered)
    TARGET.write_bytes(b'{"kinds": %b,\n"definitions": {\n%b\n}}\n' % (encoder.encode(found), lines))


def _strip(schema: Any) -> Any:
    if isinstance(schema.get("allOf"), list) and len(schema["allOf"]) == 1:
        schema = {**schema["allOf"][0], **schema}  # a reference with a description beside it
    kept: dict[str, Any] = {}
    for name, value in schema.items():
        if name not in KEPT or (name == "default" and value in ({}, "", 0)):
            continue
        if name == "properties":
            kept[name] = {key: _strip(inner) for key, inner in value.items()}
        elif name in ("items", "additionalProperties") and isinstance(value, dict):
            kept[name] = _strip(value)
        elif name == "$ref":
            kept[name] = value.rsplit("/", 1)[-1]
        else:
            kept[name] = value
    return kept


def _references(schema: Any) -> list[str]:
    found = [schema["$ref"]] if "$ref" in schema else []
    inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    for part in inner:
        if isinstance(part, dict):
            found += _references(part)
    return found


def _collect(name: str, schemas: dict[str, Any], used: dict[str, Any]) -> None:
    pending = [name]
    while pending:
        name = pending.pop()
        if name not in used:
            used[name] = schemas[name]
            pending += _references(schemas[name])


def _share(definitions: dict[str, Any]) -> dict[str, Any]:
    """*definitions* with each subtree that occurs more than once put into a definition of its own."""
    encoder = msgspec.json.Encoder(order="sorted")
    seen: Counter[bytes] = Counter()

    def count(schema: Any) -> None:
        for part in _parts(schema):
            seen[encoder.encode(part)] += 1
            if seen[encoder.encode(part)] == 1:
                count(part)

    for schema in definitions.values():
        count(schema)
    shared: dict[bytes, str] = {}
    result: dict[str, Any] = {}

    def place(schema: Any) -> Any:
        key = encoder.encode(schema)
        if len(key) < SHARED_BYTES or seen[key] < 2:
            return inside(schema)
        if key not in shared:
            shared[key] = f"shared{len(shared) + 1}"
            result[shared[key]] = inside(schema)
        return {"$ref": shared[key]}

    def inside(schema: Any) -> Any:
        copy = dict(schema)
        if "properties" in copy:
            copy["properties"] = {name: place(part) for name, part in copy["properties"].items()}
        for name in ("items", "additionalProperties"):
            if isinstance(copy.get(name), dict):
                copy[name] = place(copy[name])
        return copy

    result |= {name: inside(schema) for name, schema in definitions.items()}
    return result


def _parts(schema: Any) -> list[Any]:
    parts = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    return [part for part in parts if isinstance(part, dict)]


if __name__ == "__main__":
    main(sys.argv[1:])
