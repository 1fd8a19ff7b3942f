"""Built-in objects in Kubernetes' protobuf encoding, as JSON values. Only kubectl's `create` commands send it.

A body is `k8s\\0` and a message `Unknown` with the object's type and bytes. Which field is which stands in
`schemas/protobuf.json`: for each message and field number the JSON name, the type, and how it is used: `value` (left
out when it is zero), `pointer` (kept), `list`, `map`, or `inline` (its fields belong to the message around it).
Answers are always JSON, which the same clients accept. Pure; raises `DecodeError`.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding and the protobuf wire format.
"""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from importlib import resources

from argocd_agent.backends.embedded import schemas
from argocd_agent.backends.embedded.values import Json, JsonObject
from argocd_agent.codec import decode, decode_any
from argocd_agent.errors import DecodeError

MAGIC = b"k8s\0"
CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
DEPTH_LIMIT = 64
_PACKAGES = {
    "v1": "core/v1",
    "apps/v1": "apps/v1",
    "batch/v1": "batch/v1",
    "networking.k8s.io/v1": "networking/v1",
    "rbac.authorization.k8s.io/v1": "rbac/v1",
    "coordination.k8s.io/v1": "coordination/v1",
    "meta.k8s.io/v1": "meta/v1",
}
_INTEGERS = frozenset({"int", "int8", "int16", "int32", "int64", "uint32", "uint64"})

Rows = dict[str, tuple[str, str, str]]
Field = tuple[int, int | bytes]


@cache
def _messages() -> dict[str, Rows]:
    raw = resources.files(schemas.__name__).joinpath("protobuf.json").read_bytes()
    return decode(raw, dict[str, Rows], "protobuf.json")


def decode_protobuf(body: bytes) -> JsonObject:
    """The object in *body*. Raises `DecodeError`."""
    if not body.startswith(MAGIC):
        raise DecodeError("protobuf: expected a body that starts with 'k8s' and a zero byte")
    parts: dict[int, bytes] = {number: value for number, value in _fields(body[4:]) if isinstance(value, bytes)}
    about = {number: _text(value) for number, value in _fields(parts.get(1, b""))}
    api_version, kind = about.get(1, ""), about.get(2, "")
    if kind == "DeleteOptions":
        api_version = "meta.k8s.io/v1"  # registered in every group
    message = f"{_PACKAGES.get(api_version, api_version)}.{kind}"
    if message not in _messages():
        raise DecodeError(f"protobuf: no such message here: {kind} of {api_version}")
    return {"apiVersion": api_version, "kind": kind, **_message(message, parts.get(2, b""), 0)}


def _message(name: str, data: bytes, depth: int) -> JsonObject:
    if depth > DEPTH_LIMIT:
        raise DecodeError(f"protobuf: messages nested more than {DEPTH_LIMIT} deep")
    rows, result = _messages()[name], JsonObject()
    for number, raw in _fields(data):
        row = rows.get(str(number))
        if row is None:
            continue
        field, kind, use = row
        if use == "map":
            entry = dict(_fields(_bytes(raw)))
            held = result.setdefault(field, {})
            assert isinstance(held, dict), "a field has one use"
            held[_text(entry.get(1, b""))] = _value(kind, entry.get(2, b""), depth)
            continue
        value = _value(kind, raw, depth)
        if use == "list":
            items = result.setdefault(field, [])
            assert isinstance(items, list), "a field has one use"
            items.append(value)
        elif use == "inline":
            result |= value if isinstance(value, dict) else {}
        elif use == "pointer" or value not in ("", 0, None):
            result[field] = value
    return result


def _value(kind: str, raw: int | bytes, depth: int) -> Json:
    if kind in _messages():
        return _message(kind, _bytes(raw), depth + 1)
    if kind in _INTEGERS:
        return _signed(raw)
    match kind:
        case "string":
            return _text(raw)
        case "bool":
            return bool(raw)
        case "[]byte":
            return base64.b64encode(_bytes(raw)).decode()
        case "quantity":
            return _text(dict(_fields(_bytes(raw))).get(1, b""))
        case "time":
            return _time(_bytes(raw))
        case "int-or-string":
            parts = dict(_fields(_bytes(raw)))
            return _text(parts.get(3, b"")) if parts.get(1) else _signed(parts.get(2, 0))
        case "raw":
            value: Json = decode_any(_bytes(dict(_fields(_bytes(raw))).get(1, b"null")), "protobuf")
            return value
    raise DecodeError(f"protobuf: cannot read values of type {kind}")


def _time(data: bytes) -> Json:
    """RFC 3339, None for the zero time."""
    parts = dict(_fields(data))
    if not parts:
        return None
    seconds, nanos = _signed(parts.get(1, 0)), _signed(parts.get(2, 0))
    try:
        moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanos // 1000 % 1_000_000)
    except (ValueError, OverflowError, OSError) as error:
        raise DecodeError(f"protobuf: {seconds} is not a time") from error
    return moment.isoformat().replace("+00:00", "Z")


def _fields(data: bytes) -> Iterator[Field]:
    """Field numbers and their values: integers, or the bytes of what has a length."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
                yield tag >> 3, value
            case 1 | 5 as wire:
                size = 8 if wire == 1 else 4
                yield tag >> 3, _cut(data, at, size)
                at += size
            case 2:
                size, at = _varint(data, at)
                yield tag >> 3, _cut(data, at, size)
                at += size
            case wire:
                raise DecodeError(f"protobuf: unknown wire type {wire}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(10):
        if at + index >= len(data):
            break
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & (2**64 - 1), at + index + 1
    raise DecodeError("protobuf: a number is cut off or too long")


def _cut(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise DecodeError(f"protobuf: expected {size} bytes, found {len(data) - at}")
    return data[at : at + size]


def _signed(raw: int | bytes) -> int:
    if isinstance(raw, bytes):
        raise DecodeError("protobuf: expected a number, found bytes")
    return raw - 2**64 if raw >= 2**63 else raw


def _bytes(raw: int | bytes) -> bytes:
    if isinstance(raw, int):
        raise DecodeError("protobuf: expected bytes, found a number")
    return raw


def _text(raw: int | bytes) -> str:
    try:
        return _bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise DecodeError(f"protobuf: text is not UTF-8: {error}") from error
