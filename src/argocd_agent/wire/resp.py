"""Redis' protocol, versions 2 and 3: what a server says, read piece by piece; what either side says, written.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/. hiredis parses. Strings of both sorts are bytes,
maps dicts, sets lists; a null is None in either version; an error in a reply is a `Failure`, a push is a `Push`.

Limits: a reply of more than *limit* bytes, a map whose key is no scalar, and blob errors (`!`), which Redis does not
send, are a `DecodeError`, after which the connection is of no use.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import hiredis

from argocd_agent.errors import DecodeError

REPLY_BYTES = 64 * 1024 * 1024
"""The largest reply that is read: well above any value of Argo CD's cache, well below what hurts."""

_MORE = object()


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that a server answered with; `code` is its first word, such as NOAUTH."""

    text: str

    @property
    def code(self) -> str:
        """What sort of error: the first word of the text."""
        return self.text.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class Push:
    """What a server says unasked (version 3), or of a subscription: `subscribe`, `message` and so on, and its parts."""

    kind: bytes
    parts: tuple[object, ...]


class Replies:
    """What a server says. `feed` bytes as they come; what is complete comes out, in order."""

    def __init__(self, limit: int = REPLY_BYTES) -> None:
        self._limit = limit
        self._reader = hiredis.Reader(replyError=Failure, notEnoughData=_MORE)  # type: ignore[arg-type]  # any factory
        self._incomplete = 0  # bytes since the last complete reply, at least

    def feed(self, data: bytes) -> Iterator[object]:
        """The replies that *data* completes. Raises `DecodeError`; what came before the fault has come out by then."""
        self._reader.feed(data)
        self._incomplete += len(data)
        while (reply := self._next()) is not _MORE:
            self._incomplete = 0
            yield reply
        if not self._reader.has_data():
            self._incomplete = 0
        if self._incomplete > self._limit:
            raise DecodeError(f"Redis: expected a reply of at most {self._limit} bytes, found a longer one")

    def _next(self) -> object:
        try:
            reply: object = self._reader.gets()
        except (hiredis.HiredisError, TypeError) as error:  # TypeError: a key of a map that cannot be one
            raise DecodeError(f"Redis: expected a reply, found something else: {error}") from error
        if isinstance(reply, hiredis.PushNotification):
            kind, *parts = reply or [b""]
            return Push(kind if isinstance(kind, bytes) else b"", tuple(parts))
        return reply


def command(*words: str | bytes | int) -> bytes:
    """A command as clients send it: an array of bulk strings."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def bulk(data: bytes) -> bytes:
    """A string of any bytes."""
    return b"$%d\r\n%s\r\n" % (len(data), data)


def simple(text: str) -> bytes:
    """A short text of one line, such as OK."""
    return b"+%s\r\n" % _one_line(text)


def failure(text: str) -> bytes:
    """An error; *text* begins with its code, such as ERR."""
    return b"-%s\r\n" % _one_line(text)


def integer(number: int) -> bytes:
    """A whole number of 64 bits."""
    return b":%d\r\n" % number


def null(version: int) -> bytes:
    """Nothing, as protocol *version* 2 or 3 writes it."""
    return b"_\r\n" if version >= 3 else b"$-1\r\n"


def array(*items: bytes) -> bytes:
    """An array of *items*, each written already."""
    return b"*%d\r\n%s" % (len(items), b"".join(items))


def push(version: int, *items: bytes) -> bytes:
    """What is said unasked: a push in version 3, an array in version 2. *items* are written already."""
    return b"%s%d\r\n%s" % (b">" if version >= 3 else b"*", len(items), b"".join(items))


def mapping(version: int, *pairs: tuple[bytes, bytes]) -> bytes:
    """A map in version 3, in version 2 an array of keys and values in turn."""
    body = b"".join(key + value for key, value in pairs)
    return b"%%%d\r\n%s" % (len(pairs), body) if version >= 3 else b"*%d\r\n%s" % (2 * len(pairs), body)


def _one_line(text: str) -> bytes:
    return text.replace("\r", " ").replace("\n", " ").encode()
