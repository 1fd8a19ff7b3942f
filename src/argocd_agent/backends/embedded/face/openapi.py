"""OpenAPI v3 documents, as much as kubectl needs: `explain`, `create`, `apply`, `edit`, and the check of fields.

Schemas are those the engine checks with, without descriptions. Each kind's PATCH is described, because kubectl looks
there for `fieldValidation`. Strategic merge patches are served but not listed there, so that kubectl computes them from
its own knowledge of the built-in kinds. Pure.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3.
"""

import hashlib

from argocd_agent.backends.embedded.kinds import Kinds, ServedKind
from argocd_agent.backends.embedded.schema import SERVER_FIELDS
from argocd_agent.backends.embedded.schemas import SHARED, definitions
from argocd_agent.backends.embedded.values import Json, JsonObject, canonical
from argocd_agent.backends.ports import PatchType

OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_PREFIX = "#/components/schemas/"


def index(kinds: Kinds) -> JsonObject:
    """`/openapi/v3`: where the documents are; their hash lets clients keep them."""
    paths: JsonObject = {}
    for group, version in sorted({(kind.api.group, kind.api.version) for kind in kinds}):
        path = f"apis/{group}/{version}" if group else f"api/{version}"
        digest = _digest([kind for kind in kinds if (kind.api.group, kind.api.version) == (group, version)])
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


def document(kinds: Kinds, group: str, version: str) -> JsonObject | None:
    """The document of one group and version, None where it is not served."""
    served = [kind for kind in kinds if (kind.api.group, kind.api.version) == (group, version)]
    if not served:
        return None
    schemas: JsonObject = {}
    paths: JsonObject = {}
    for kind in served:
        _add_schema(kind, schemas)
        base = f"/apis/{group}/{version}" if group else f"/api/{version}"
        middle = "/namespaces/{namespace}" if kind.api.namespaced else ""
        paths[f"{base}{middle}/{kind.api.plural}/{{name}}"] = _operations(kind)
    return {
        "openapi": "3.0.0",
        "info": {"title": "argocd-agent embedded API server", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _digest(served: list[ServedKind]) -> str:
    """Changes with the schemas; cheaper than making the document."""
    parts = b"".join(canonical({**_gvk(kind), "schema": kind.schema.root}) for kind in served)
    return hashlib.sha256(parts).hexdigest()[:32].upper()


def _name(kind: ServedKind) -> str:
    group = ".".join(reversed(kind.api.group.split("."))) if kind.api.group else "io.k8s.api.core"
    return f"{group}.{kind.api.version}.{kind.api.kind}"


def _add_schema(kind: ServedKind, schemas: JsonObject) -> None:
    root = dict(kind.schema.root)
    properties = root.get("properties")
    own: JsonObject = dict(properties) if isinstance(properties, dict) else {}
    own |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"$ref": OBJECT_META}}
    assert own.keys() >= SERVER_FIELDS, "these three are served for every kind"
    root["properties"] = own
    root["x-kubernetes-group-version-kind"] = [_gvk(kind)]
    schemas[_name(kind)] = _collect(root, kind, schemas)


def _collect(schema: Json, kind: ServedKind, schemas: JsonObject) -> Json:
    """*schema* with its references made into pointers, and what they name added to *schemas*."""
    if isinstance(schema, list):
        return [_collect(item, kind, schemas) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result: JsonObject = {}
    for name, value in schema.items():
        if name == "$ref" and isinstance(value, str):
            if value.startswith(SHARED):
                # A name of our own making would only puzzle readers of `kubectl explain`.
                inner = _collect(kind.schema.definitions.schemas[value], kind, schemas)
                result |= inner if isinstance(inner, dict) else {}
                continue
            if value not in schemas:
                schemas[value] = {}  # before going on: definitions may contain themselves
                known = kind.schema.definitions.schemas
                source = known if value in known else definitions(is_typed=True).schemas
                schemas[value] = _collect(source[value], kind, schemas)
            # Beside a reference nothing else counts, but defaults and merge keys stand there.
            result["allOf"] = [{"$ref": _PREFIX + value}]
        else:
            result[name] = _collect(value, kind, schemas)
    return result


def _operations(kind: ServedKind) -> JsonObject:
    parameters: list[Json] = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in ("dryRun", "fieldManager", "fieldValidation")
    ]
    answer: JsonObject = {
        "description": "OK",
        "content": {"application/json": {"schema": {"$ref": _PREFIX + _name(kind)}}},
    }
    content: JsonObject = {one.value: {"schema": {"type": "object"}} for one in PatchType}
    del content[PatchType.STRATEGIC.value]
    patch: JsonObject = {
        "parameters": parameters,
        "requestBody": {"content": content},
        "responses": {"200": answer},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": _gvk(kind),
    }
    get: JsonObject = {
        "responses": {"200": answer},
        "x-kubernetes-action": "get",
        "x-kubernetes-group-version-kind": _gvk(kind),
    }
    return {"get": get, "patch": patch}


def _gvk(kind: ServedKind) -> JsonObject:
    return {"group": kind.api.group, "version": kind.api.version, "kind": kind.api.kind}
