"""How to change one JSON value into another: merge patches (RFC 7386) and `kubectl apply`'s three-way merge.

Pure. Lists are taken whole, except that a list whose elements each contain what is desired counts as equal: an
API server adds defaults inside them.
"""

from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "Mapping[str, Json] | list[Json] | str | int | float | bool | None"
Fields: TypeAlias = Mapping[str, Json]


def merge_patch(before: Fields, after: Fields) -> dict[str, Json]:
    """The merge patch that makes *after* of *before*; empty if they are equal. *after* must hold no nulls."""
    patch: dict[str, Json] = {name: None for name in before if name not in after}
    for name, wanted in after.items():
        found = before.get(name)
        if isinstance(wanted, Mapping) and isinstance(found, Mapping):
            inner = merge_patch(found, wanted)
            if inner:
                patch[name] = inner
        elif name not in before or found != wanted:
            patch[name] = wanted
    return patch


def three_way(last: Fields, desired: Fields, live: Fields) -> dict[str, Json]:
    """The merge patch for *live*: what *desired* has is set, what only *last* had is removed, the rest is not ours."""
    patch: dict[str, Json] = {name: None for name in last if name not in desired and name in live}
    for name, wanted in desired.items():
        found, before = live.get(name), last.get(name)
        if isinstance(wanted, Mapping) and isinstance(found, Mapping):
            inner = three_way(before if isinstance(before, Mapping) else {}, wanted, found)
            if inner:
                patch[name] = inner
        elif name not in live or not contains(found, wanted):
            patch[name] = wanted
    return patch


def contains(live: Json, desired: Json) -> bool:
    """Whether *live* is *desired*, but for what an API server has added."""
    if isinstance(desired, Mapping):
        return isinstance(live, Mapping) and all(
            name in live and contains(live[name], value) for name, value in desired.items()
        )
    if isinstance(desired, list):
        return (
            isinstance(live, list)
            and len(live) == len(desired)
            and all(contains(one, other) for one, other in zip(live, desired, strict=True))
        )
    return live == desired


def without_nulls(value: Json) -> Json:
    """*value* without fields that are null: in a manifest they say nothing, in a patch they would delete."""
    if isinstance(value, Mapping):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value


def fields_at(value: Json, *path: str) -> Fields:
    """The object at *path*, empty if there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def text_at(value: Json, *path: str) -> str:
    """The string at *path*, empty if there is none."""
    found = fields_at(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, str) else ""


def number_at(value: Json, *path: str, default: int = 0) -> int:
    """The integer at *path*, *default* if there is none."""
    found = fields_at(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, int) and not isinstance(found, bool) else default
