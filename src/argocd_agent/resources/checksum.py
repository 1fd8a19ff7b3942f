"""What of an object counts, and its digest: the reference's, bit for bit, and ours.

The reference hashes the JSON text that Go's encoding/json writes (wire contract, 5.1): keys sorted by their UTF-8
bytes, no whitespace, `<` `>` `&` and U+2028/2029 escaped, floats in Go's form. Copies that differ only in formatting,
order of keys or spelling of numbers therefore have the same checksum. Ours is taken over the same text.
"""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from argocd_agent.codec import decode_floats, encode
from argocd_agent.errors import DecodeError
from argocd_agent.resources.kinds import CONFIGMAPS, Kind
from argocd_agent.resources.objects import Object

DIGEST_BYTES = 16

_IGNORED = "destination"  # differs between the ends by design, at the top level of what is compared
# "surrogateescape" makes one surrogate of each wrong byte, as Go makes one U+FFFD; UTF-8 itself has none.
_NOT_UTF8 = dict.fromkeys(range(0xDC80, 0xDD00), "\N{REPLACEMENT CHARACTER}")

# What Go escapes and msgspec does not. None of these bytes occurs in JSON outside of strings.
_ESCAPES = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    (b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xe2\x80\xa9", b"\\u2029"),
)


def canonical(value: object) -> bytes:
    """The text that Go writes for *value*: JSON text as bytes, or a decoded value. Raises `DecodeError` for all else.

    As in Go, bytes that are not UTF-8 read as U+FFFD, one for each, and a negative zero is kept (which reads as a plain
    one). Unlike in Go, integers of any size are kept and lone surrogates are refused; API servers send neither.
    """
    try:
        text = value if isinstance(value, bytes) else encode(value)
    except (UnicodeEncodeError, RecursionError) as error:
        raise DecodeError(f"canonical form: {error}") from error
    return _write(_read(text, "canonical form"))


def spec_checksum(obj: Object, kind: Kind) -> bytes:
    """SHA-256 of what the reference compares of an object: `spec` or `data`, without a top-level `destination`.

    A ConfigMap without `data` counts as an empty one. Raises `DecodeError` where the field of any other kind is
    missing (null), or is not a JSON object.
    """
    (field,) = kind.compared
    raw = obj.fields.get(field, b"{}" if kind.api == CONFIGMAPS else b"null")
    what = f"{kind.name} {obj.namespace}/{obj.name}: {field}"
    value = _read(raw, what)
    if value is None and kind.api == CONFIGMAPS:
        value = {}
    if not isinstance(value, dict):
        raise DecodeError(f"{what}: expected a JSON object, found {raw[:40].decode(errors='replace')}")
    value.pop(_IGNORED, None)
    return hashlib.sha256(_write(value)).digest()


def digest_checksum(parts: Sequence[bytes]) -> bytes:
    """Ours: 16 bytes over the canonical forms of *parts*, JSON texts; an empty part stands for an absent field.

    BLAKE2b cut to 128 bits: short in a message, and still no accident makes two states equal. Each part goes in with
    its length, so that no two lists of parts run together.
    """
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        text = canonical(part) if part else b""
        digest.update(len(text).to_bytes(8, "big"))
        digest.update(text)
    return digest.digest()


def _read(text: bytes, what: str) -> Any:
    """The value in *text*, its floats already in Go's form."""
    try:
        return decode_floats(text, what, _go_float)
    except DecodeError as error:
        if not isinstance(error.__cause__, UnicodeDecodeError):
            raise
    replaced = text.decode(errors="surrogateescape").translate(_NOT_UTF8)
    return decode_floats(replaced, what, _go_float)


def _write(value: Any) -> bytes:
    try:
        text = _encoder.encode(value)
    except RecursionError as error:
        raise DecodeError(f"canonical form: {error}") from error
    for character, escape in _ESCAPES:
        if character in text:
            text = text.replace(character, escape)
    return text


def _go_float(text: str) -> msgspec.Raw:
    """A float as Go writes it: shortest digits, exponent only below 1e-6 and from 1e21 on."""
    value = float(text)
    size = abs(value)
    if size == float("inf"):
        raise ValueError(f"{text[:40]} is out of the range of a float")
    digits = repr(value)
    if size != 0 and (size < 1e-6 or size >= 1e21):
        return msgspec.Raw(digits.replace("e-0", "e-").encode())
    if "e" in digits:
        return msgspec.Raw(format(Decimal(digits), "f").encode())
    return msgspec.Raw(digits.removesuffix(".0").encode())


_encoder = msgspec.json.Encoder(order="deterministic")
