"""Merge patches (RFC 7386) and JSON patches (RFC 6902) on JSON values. Pure; nothing given is changed."""

from collections.abc import Callable
from copy import deepcopy

from argocd_agent.backends.embedded.values import Json, JsonObject
from argocd_agent.errors import DecodeError


class PatchFailed(Exception):
    """A well-formed patch cannot be applied to this value: a path that is not there, a test that fails."""


def merge(value: Json, patch: Json) -> Json:
    """*value* with merge patch *patch* applied: objects merge, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged: JsonObject = dict(value) if isinstance(value, dict) else {}
    for name, item in patch.items():
        if item is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), item)
    return merged


def apply_json_patch(value: Json, patch: Json) -> Json:
    """*value* after the operations of *patch*, all or none.

    Raises `DecodeError` where *patch* is not a JSON patch, `PatchFailed` where an operation does not work.
    """
    if not isinstance(patch, list):
        raise DecodeError(f"error decoding patch: expected an array of operations, found {type(patch).__name__}")
    result = deepcopy(value)
    for operation in patch:
        if not isinstance(operation, dict):
            raise DecodeError(f"error decoding patch: expected an operation, found {operation!r}")
        carry_out = _OPERATIONS.get(str(operation.get("op")))
        if carry_out is None:
            raise DecodeError(f"error decoding patch: unexpected operation {operation.get('op')!r}")
        result = carry_out(result, operation)
    return result


def _add(value: Json, operation: JsonObject) -> Json:
    if "value" not in operation:
        raise DecodeError("error decoding patch: add without value")
    return _put(value, _path(operation, "path"), deepcopy(operation["value"]))


def _remove(value: Json, operation: JsonObject) -> Json:
    path = _path(operation, "path")
    if not path:
        raise PatchFailed("the whole document cannot be removed")
    parent, last = _get(value, path[:-1]), path[-1]
    if isinstance(parent, list):
        del parent[_index(last, len(parent))]
    elif isinstance(parent, dict) and last in parent:
        del parent[last]
    else:
        raise PatchFailed(f"nothing at {operation['path']}")
    return value


def _replace(value: Json, operation: JsonObject) -> Json:
    if "value" not in operation:
        raise DecodeError("error decoding patch: replace without value")
    path = _path(operation, "path")
    if not path:
        return deepcopy(operation["value"])
    parent, last = _get(value, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent[_index(last, len(parent))] = deepcopy(operation["value"])
    elif isinstance(parent, dict) and last in parent:
        parent[last] = deepcopy(operation["value"])
    else:
        raise PatchFailed(f"nothing at {operation['path']}")
    return value


def _move(value: Json, operation: JsonObject) -> Json:
    source, target = _path(operation, "from"), _path(operation, "path")
    if target[: len(source)] == source and len(target) > len(source):
        raise PatchFailed("a value cannot be moved into itself")
    moved = _get(value, source)
    return _put(_remove(value, {"path": operation["from"]}), target, moved)


def _copy(value: Json, operation: JsonObject) -> Json:
    return _put(value, _path(operation, "path"), deepcopy(_get(value, _path(operation, "from"))))


def _test(value: Json, operation: JsonObject) -> Json:
    try:
        found = _get(value, _path(operation, "path"))
    except PatchFailed:
        found = None  # as the Go library does: a missing value equals null
    expected = operation.get("value")
    # True == 1 in Python, never in JSON.
    if found != expected or isinstance(found, bool) is not isinstance(expected, bool):
        raise PatchFailed(f"test of {operation.get('path')} failed")
    return value


_OPERATIONS: dict[str, Callable[[Json, JsonObject], Json]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _put(value: Json, path: list[str], item: Json) -> Json:
    if not path:
        return item
    parent, last = _get(value, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1), item)
    elif isinstance(parent, dict):
        parent[last] = item
    else:
        raise PatchFailed(f"nothing to add to at /{'/'.join(path[:-1])}")
    return value


def _get(value: Json, path: list[str]) -> Json:
    for step in path:
        if isinstance(value, list):
            value = value[_index(step, len(value))]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            raise PatchFailed(f"nothing at /{'/'.join(path)}")
    return value


def _path(operation: JsonObject, name: str) -> list[str]:
    """A JSON pointer (RFC 6901) as its steps."""
    pointer = operation.get(name)
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise DecodeError(f"error decoding patch: {name} is not a JSON pointer: {pointer!r}")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _index(step: str, length: int) -> int:
    if not (step.isascii() and step.isdigit()) or (step != "0" and step.startswith("0")) or int(step) >= length:
        raise PatchFailed(f"{step} is not an index of an array of {length}")
    return int(step)
