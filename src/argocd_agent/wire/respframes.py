"""Where a command or a reply of Redis' protocol ends, without reading what is in it: for what is passed on untouched.

`command_at` and `reply_end` look at bytes and say None where the rest is still to come. What breaks the protocol is a
`DecodeError` in the words of Redis. Limits are Redis' own, but for the length of a string: *limit*. `Glance` says of
many commands at one time, ten times faster, that none of them matters.
"""

from collections.abc import Callable
from typing import NamedTuple

import hiredis

from argocd_agent.errors import DecodeError

COMMAND_BYTES = 64 * 1024 * 1024
"""The longest string of a command: Argo CD's largest values are a few MiB."""

_MOST_WORDS = 1024 * 1024
_MOST_DIGITS = 20
_MORE = object()
_SENTINEL, _SENTINEL_WORDS = b"*1\r\n$1\r\n\x00\r\n", [b"\x00"]
_LINE = frozenset(b"+-:_#,(")
_STRING = frozenset(b"$=!")
_LIST = frozenset(b"*~>")
_PAIRS = frozenset(b"%|")


class Command(NamedTuple):
    """One command of *size* words in a buffer, up to *end*; the first word is between *first* and *last*."""

    end: int
    size: int
    first: int
    last: int

    def words(self, buffer: bytes | bytearray, at: int) -> list[bytes]:
        """All its words, where it begins at *at*."""
        words, at = [], buffer.index(b"\r\n", at) + 2
        for _ in range(self.size):
            line = buffer.index(b"\r\n", at)
            length = int(buffer[at + 1 : line])
            words.append(bytes(buffer[line + 2 : line + 2 + length]))
            at = line + 4 + length
        return words


class Glance:
    """Whether bytes are whole commands of which none matters. *matters* is asked about each: its name, and all its
    words, of which those that break the protocol are no bytes.

    A no may be wrong: where it is the answer, look closer. What passes here and breaks the protocol (a word that is no
    bulk string) is for Redis to refuse.
    """

    def __init__(self, matters: Callable[[bytes, list[object]], bool]) -> None:
        self._matters = matters
        self._reader = _new_reader()

    def is_nothing(self, data: bytes) -> bool:
        """Whether nothing in *data* matters, and it ends where a command ends."""
        try:
            if self._is_nothing(data):
                return True
        except (hiredis.HiredisError, TypeError):
            pass
        self._reader = _new_reader()
        return False

    def _is_nothing(self, data: bytes) -> bool:
        read, matters = self._reader.gets, self._matters
        self._reader.feed(data)
        # The reader does not say whether it stands within a command: only what follows one comes out as it went in.
        self._reader.feed(_SENTINEL)
        while (words := read()) is not _MORE:
            if type(words) is not list or not words or type(words[0]) is not bytes:
                return False
            if words == _SENTINEL_WORDS:
                return not self._reader.has_data()
            if matters(words[0], words):
                return False
        return False


def _new_reader() -> hiredis.Reader:
    return hiredis.Reader(notEnoughData=_MORE)


def command_at(buffer: bytes | bytearray, at: int, limit: int = COMMAND_BYTES) -> Command | None:
    """The command that begins at *at*; None if it is not all there. One without words has a size of 0."""
    size = len(buffer)
    if at >= size:
        return None
    if buffer[at] != 0x2A:
        raise DecodeError(f"Protocol error: expected '*', got '{chr(buffer[at])}'")
    line = buffer.find(b"\r\n", at)
    if line < 0:
        _expect_line(size - at, "invalid multibulk length")
        return None
    count = _number(buffer[at + 1 : line], "invalid multibulk length")
    if count > _MOST_WORDS:
        raise DecodeError("Protocol error: invalid multibulk length")
    at, first, last = line + 2, 0, 0
    for word in range(count):
        if at >= size:
            return None
        if buffer[at] != 0x24:
            raise DecodeError(f"Protocol error: expected '$', got '{chr(buffer[at])}'")
        line = buffer.find(b"\r\n", at)
        if line < 0:
            _expect_line(size - at, "invalid bulk length")
            return None
        length = _number(buffer[at + 1 : line], "invalid bulk length")
        if not 0 <= length <= limit:
            raise DecodeError("Protocol error: invalid bulk length")
        at = line + length + 4
        if not word:
            first, last = line + 2, line + 2 + length
    return Command(at, max(count, 0), first, last) if at <= size else None


def reply_end(buffer: bytes | bytearray, at: int) -> int | None:
    """Where the reply that begins at *at* ends; None if it is not all there."""
    missing = 1
    while missing:
        if at >= len(buffer):
            return None
        kind, line = buffer[at], buffer.find(b"\r\n", at)
        if line < 0:
            return None
        if kind in _LINE:
            at = line + 2
        else:
            length = _number(buffer[at + 1 : line], "invalid length in a reply")
            at = line + 2
            if kind in _STRING:
                at += length + 2 if length >= 0 else 0
            elif kind in _LIST:
                missing += max(length, 0)
            elif kind in _PAIRS:
                # An attribute stands before the reply that it is about.
                missing += 2 * max(length, 0) + (kind == 0x7C)
            else:
                raise DecodeError(f"Protocol error: a reply begins with '{chr(kind)}'")
        missing -= 1
    return at if at <= len(buffer) else None


def _number(digits: bytes | bytearray, complaint: str) -> int:
    if digits.isdigit() and len(digits) <= _MOST_DIGITS:
        return int(digits)
    if digits == b"-1":
        return -1
    raise DecodeError(f"Protocol error: {complaint}")


def _expect_line(length: int, complaint: str) -> None:
    """So much of a line without its end, which is still to come if it can be one."""
    if length > _MOST_DIGITS + 2:
        raise DecodeError(f"Protocol error: {complaint}")
