"""The one JSON wrapper: untrusted bytes in, values or the named error out.

msgspec's decoder raises three unrelated exceptions on bad input; here they become `DecodeError`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from argocd_agent.errors import DecodeError

T = TypeVar("T")

_encoder = msgspec.json.Encoder()


def decode(data: bytes | bytearray | memoryview | str, shape: type[T], what: str = "JSON") -> T:
    """The value of type *shape* in *data*. Raises `DecodeError`, naming *what* was being read and where it fails."""
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"{what}: {error}") from error


def decode_any(data: bytes | bytearray | memoryview | str, what: str = "JSON") -> Any:
    """The value in *data*, whatever its shape. Raises `DecodeError`."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"{what}: {error}") from error


def decode_floats(data: bytes | str, what: str, read_float: Callable[[str], object]) -> Any:
    """As `decode_any`, with *read_float* making a value of the text of each float. It may raise ValueError."""
    try:
        return msgspec.json.Decoder(float_hook=read_float).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"{what}: {error}") from error


def encode(value: object) -> bytes:
    """*value* as compact JSON. Raises TypeError for what has no JSON form: a bug of the caller."""
    return _encoder.encode(value)
