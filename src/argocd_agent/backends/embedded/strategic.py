"""Strategic merge patches: merge patches that know which lists of a built-in kind are sets, or maps by a key.

Understands merge keys and strategies from the kind's schema, and the directives `$patch` (replace, delete, merge),
`$deleteFromPrimitiveList/x`, `$setElementOrder/x` and `$retainKeys`. Pure; nothing given is changed.

Source: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

from argocd_agent.backends.embedded.schema import Definitions
from argocd_agent.backends.embedded.values import Json, JsonObject
from argocd_agent.errors import DecodeError

MERGE_KEY, STRATEGY = "x-kubernetes-patch-merge-key", "x-kubernetes-patch-strategy"
DIRECTIVE, RETAIN = "$patch", "$retainKeys"
DELETE_FROM, ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"


def merge_strategically(value: Json, patch: Json, schema: JsonObject, definitions: Definitions) -> Json:
    """*value*, an object of *schema*, with *patch* applied. Raises `DecodeError` where a directive makes no sense."""
    if not isinstance(patch, dict):
        return patch
    directive = patch.get(DIRECTIVE)
    if directive == "replace":
        return {name: item for name, item in patch.items() if name != DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise DecodeError(f"error decoding patch: unknown patch type: {directive}")
    merged: JsonObject = dict(value) if isinstance(value, dict) else {}
    retained = patch.get(RETAIN)
    if isinstance(retained, list):
        merged = {name: item for name, item in merged.items() if name in retained}
    for name, item in patch.items():
        if name.startswith("$"):
            continue
        if item is None:
            merged.pop(name, None)
            continue
        part = _property(schema, name, definitions)
        merged[name] = _merge_field(merged.get(name), item, part, definitions)
    _remove_primitives(merged, patch)
    _reorder(merged, patch, schema, definitions)
    return merged


def _property(schema: JsonObject, name: str, definitions: Definitions) -> JsonObject:
    properties, additional = schema.get("properties"), schema.get("additionalProperties")
    part = properties.get(name) if isinstance(properties, dict) else additional
    return definitions.resolve(part) if isinstance(part, dict) else {}


def _merge_field(value: Json, patch: Json, schema: JsonObject, definitions: Definitions) -> Json:
    if isinstance(patch, list):
        if "merge" not in str(schema.get(STRATEGY, "")).split(","):
            return patch
        key = schema.get(MERGE_KEY)
        held = value if isinstance(value, list) else []
        if isinstance(key, str):
            return _merge_list(held, patch, key, _items(schema, definitions), definitions)
        return [*held, *(item for item in patch if item not in held)]
    # Also where there is nothing yet: directives and nulls must not be stored.
    return merge_strategically(value, patch, schema, definitions)


def _merge_list(
    held: list[Json], patch: list[Json], key: str, schema: JsonObject, definitions: Definitions
) -> list[Json]:
    merged = list(held)
    if any(isinstance(item, dict) and item.get(DIRECTIVE) == "replace" and len(item) == 1 for item in patch):
        return [item for item in patch if not (isinstance(item, dict) and DIRECTIVE in item)]
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise DecodeError(f"error decoding patch: map: {item!r} does not contain declared merge key: {key}")
        at = _position(merged, key, item[key])
        if item.get(DIRECTIVE) == "delete":
            merged = [one for one in merged if not (isinstance(one, dict) and one.get(key) == item[key])]
        elif at is None:
            merged.append(merge_strategically(None, item, schema, definitions))
        else:
            merged[at] = merge_strategically(merged[at], item, schema, definitions)
    return merged


def _position(items: list[Json], key: str, value: Json) -> int | None:
    return next((at for at, item in enumerate(items) if isinstance(item, dict) and item.get(key) == value), None)


def _items(schema: JsonObject, definitions: Definitions) -> JsonObject:
    items = schema.get("items")
    return definitions.resolve(items) if isinstance(items, dict) else {}


def _remove_primitives(merged: JsonObject, patch: JsonObject) -> None:
    for name, gone in patch.items():
        field = name.removeprefix(DELETE_FROM)
        held = merged.get(field)
        if name.startswith(DELETE_FROM) and isinstance(held, list) and isinstance(gone, list):
            merged[field] = [item for item in held if item not in gone]


def _reorder(merged: JsonObject, patch: JsonObject, schema: JsonObject, definitions: Definitions) -> None:
    """Put lists into the order that the patch asks for; what it does not name keeps its place after its predecessor."""
    for name, order in patch.items():
        field = name.removeprefix(ORDER)
        held = merged.get(field)
        if not (name.startswith(ORDER) and isinstance(held, list) and isinstance(order, list)):
            continue
        key = _property(schema, field, definitions).get(MERGE_KEY)

        def identity(item: Json, key: Json = key) -> Json:
            return item.get(key) if isinstance(item, dict) and isinstance(key, str) else item

        wanted = [identity(item) for item in order]
        ranks: dict[int, tuple[int, int]] = {}
        last = -1
        for at, item in enumerate(held):
            if identity(item) in wanted:
                last = wanted.index(identity(item))
            ranks[at] = (last, at if identity(item) not in wanted else -1)
        merged[field] = [held[at] for at in sorted(ranks, key=lambda at: ranks[at])]
