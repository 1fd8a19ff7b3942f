"""JSON values as types, and their one canonical form: sorted keys, no spaces. Equal values have equal bytes."""

import msgspec

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
JsonObject = dict[str, Json]

_canonical = msgspec.json.Encoder(order="sorted")


def canonical(value: Json) -> bytes:
    """*value* as canonical JSON."""
    return _canonical.encode(value)


def dig(value: Json, *path: str) -> Json:
    """What stands in nested objects under *path*; None where the way ends."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def text(value: Json) -> str:
    """*value* as a field selector or a table shows it: empty for null, JSON's words for booleans."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else canonical(value).decode()
