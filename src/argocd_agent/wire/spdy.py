"""SPDY/3.1 as far as `kubectl exec` has need of it: bytes ↔ frames. Pure.

API servers that know no WebSocket take exec as SPDY streams over an upgraded connection
(https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/). Kubernetes' own implementation leaves out flow
control, and so does this: windows are announced as large as they can be, and never waited for. What we never send
(settings, credentials, pushes) is passed over when it comes.
"""

import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from argocd_agent.errors import RemoteProtocolError

LONGEST_FRAME_BYTES = 1 << 20
LONGEST_HEADERS_BYTES = 64 << 10

_VERSION = 3
_FIN = 1
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY, _HEADERS = 1, 2, 3, 6, 7, 8

# Section 2.6.10.1 of the draft: words that headers are likely to have, each with its length, then values.
_WORDS = re.findall(
    r"\S+",
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin",
)
_VALUES = (
    b"100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    b"203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    b"403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    b"Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    b"chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    b"text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack(">I", len(word)) + word.replace("_", " ").encode() for word in _WORDS) + _VALUES


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream. `is_last`: there are no more."""

    stream: int
    data: bytes
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """The other end opened a stream, or agreed to ours."""

    stream: int
    headers: Mapping[str, str]
    is_reply: bool
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """The other end wants no more of a stream."""

    stream: int
    code: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks whether somebody is there; to be sent back as it is where the other end began (its numbers are even)."""

    number: int


@dataclass(frozen=True, slots=True)
class GoAway:
    """The other end takes no more streams."""


Frame = Data | Opened | Reset | Ping | GoAway


class Speaker:
    """Frames as bytes. One for each direction, since headers are compressed with what came before."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(level=9, wbits=15, zdict=DICTIONARY)

    def open(self, stream: int, headers: Mapping[str, str]) -> bytes:
        """A new stream; ours are odd."""
        return self._control(_SYN_STREAM, 0, struct.pack(">IIH", stream, 0, 0) + self._packed(headers))

    def reply(self, stream: int, headers: Mapping[str, str]) -> bytes:
        """Agree to the other end's stream."""
        return self._control(_SYN_REPLY, 0, struct.pack(">I", stream) + self._packed(headers))

    def data(self, stream: int, data: bytes, *, is_last: bool = False) -> bytes:
        """Bytes of a stream, fewer than 16 MiB."""
        return struct.pack(">I", stream) + _length(_FIN if is_last else 0, data) + data

    def reset(self, stream: int, code: int) -> bytes:
        """No more of a stream."""
        return self._control(_RST_STREAM, 0, struct.pack(">II", stream, code))

    def ping(self, number: int) -> bytes:
        """A ping, or the answer to one."""
        return self._control(_PING, 0, struct.pack(">I", number))

    def go_away(self) -> bytes:
        """We take no more streams."""
        return self._control(_GOAWAY, 0, struct.pack(">II", 0, 0))

    def _control(self, kind: int, flags: int, body: bytes) -> bytes:
        return struct.pack(">HH", 0x8000 | _VERSION, kind) + _length(flags, body) + body

    def _packed(self, headers: Mapping[str, str]) -> bytes:
        block = struct.pack(">I", len(headers))
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                block += struct.pack(">I", len(text)) + text
        return self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


class Listener:
    """Bytes as frames."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=15, zdict=DICTIONARY)
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that *data* completes. Raises `RemoteProtocolError`; then there is nothing more to be read."""
        self._held += data
        frames: list[Frame] = []
        while len(self._held) >= 8:
            length = int.from_bytes(self._held[5:8], "big")
            if length > LONGEST_FRAME_BYTES:
                raise RemoteProtocolError(f"SPDY: a frame of {length} bytes, the limit is {LONGEST_FRAME_BYTES}")
            if len(self._held) < 8 + length:
                break
            head, body = bytes(self._held[:8]), bytes(self._held[8 : 8 + length])
            del self._held[: 8 + length]
            frame = self._frame(head, body)
            if frame is not None:
                frames.append(frame)
        return frames

    def _frame(self, head: bytes, body: bytes) -> Frame | None:
        first, second, flags = *struct.unpack(">HH", head[:4]), head[4]
        if not first & 0x8000:
            return Data((first << 16) | second, body, bool(flags & _FIN))
        if first & 0x7FFF != _VERSION:
            raise RemoteProtocolError(f"SPDY: expected version {_VERSION}, found {first & 0x7FFF}")
        try:
            return self._control(second, flags, body)
        except struct.error as error:
            raise RemoteProtocolError(f"SPDY: a frame of type {second} with {len(body)} bytes: {error}") from error

    def _control(self, kind: int, flags: int, body: bytes) -> Frame | None:
        match kind:
            case 1:
                (stream,) = struct.unpack(">I", body[:4])
                return Opened(stream & 0x7FFFFFFF, self._headers(body[10:]), False, bool(flags & _FIN))
            case 2:
                (stream,) = struct.unpack(">I", body[:4])
                return Opened(stream & 0x7FFFFFFF, self._headers(body[4:]), True, bool(flags & _FIN))
            case 3:
                stream, code = struct.unpack(">II", body[:8])
                return Reset(stream & 0x7FFFFFFF, code)
            case 6:
                return Ping(*struct.unpack(">I", body[:4]))
            case 7:
                return GoAway()
            case 8:
                self._headers(body[4:])  # nobody asks for them, but what follows is compressed with them
        return None

    def _headers(self, packed: bytes) -> dict[str, str]:
        try:
            block = self._inflate.decompress(packed, LONGEST_HEADERS_BYTES)
        except zlib.error as error:
            raise RemoteProtocolError(f"SPDY: headers cannot be read: {error}") from error
        if self._inflate.unconsumed_tail:
            raise RemoteProtocolError(f"SPDY: headers above {LONGEST_HEADERS_BYTES} bytes")
        texts, at = [], 4
        (count,) = struct.unpack(">I", block[:4])
        if count > len(block) // 8:
            raise RemoteProtocolError(f"SPDY: {count} headers in {len(block)} bytes")
        for _ in range(2 * count):
            (length,) = struct.unpack(">I", block[at : at + 4])
            texts.append(block[at + 4 : at + 4 + length].decode("utf-8", "replace"))
            at += 4 + length
        return dict(zip(texts[::2], texts[1::2], strict=True))


def _length(flags: int, body: bytes) -> bytes:
    return struct.pack(">I", (flags << 24) | len(body))
