"""aiohttp's server without a socket, so that a handler can be tested on virtual time.

    line = MemoryHttp(handler)
    line.ask("/a/path?follow=true")
    await passing(1)
    assert (line.status, line.body) == (200, b"…")

The bytes on both sides are real. `hang_up` is a client that goes away, `stop_reading` one that reads no more.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class MemoryHttp(asyncio.Transport):
    """One connection to a server of *handler*. It is also the transport that the server writes to."""

    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self.received = b""
        self.is_closed = self._is_closing = self._is_full = False
        self._server = web.Server(_typed(handler), handler_cancellation=True)
        self._protocol: Any = self._server()
        self._protocol.connection_made(self)

    # The client's side

    def ask(self, path: str, headers: Mapping[str, str] | None = None) -> None:
        """Send a GET."""
        lines = [f"GET {path} HTTP/1.1", "Host: hub", *(f"{key}: {value}" for key, value in (headers or {}).items())]
        self.type("\r\n".join([*lines, "", ""]).encode())

    def ask_websocket(self, path: str, *protocols: str) -> None:
        """Send a GET that asks for a WebSocket."""
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
        self.ask(path, headers | ({"Sec-WebSocket-Protocol": ", ".join(protocols)} if protocols else {}))

    def type(self, data: bytes) -> None:
        """Send bytes."""
        self._protocol.data_received(data)

    def message(self, data: bytes, kind: int = 2) -> None:
        """Send a WebSocket message, shorter than 64 KiB; its mask is zeros."""
        length = struct.pack(">B", 0x80 | len(data)) if len(data) < 126 else struct.pack(">BH", 0xFE, len(data))
        self.type(bytes((0x80 | kind,)) + length + bytes(4) + data)

    def hang_up(self) -> None:
        """Go away."""
        if not self.is_closed:
            self.is_closed = self._is_closing = True
            self._protocol.connection_lost(None)

    def stop_reading(self) -> None:
        """Read no more; what the server writes piles up before it."""
        if not self._is_full:
            self._is_full = True
            self._protocol.pause_writing()

    def read_on(self) -> None:
        """Read again."""
        if self._is_full:
            self._is_full = False
            self._protocol.resume_writing()

    async def end(self) -> None:
        """Hang up, and let the server end."""
        self.hang_up()
        await self._server.shutdown(1.0)

    @property
    def status(self) -> int:
        """The status of the answer; 0 while there is none."""
        return int(self.received.split(b" ", 2)[1]) if b"\r\n\r\n" in self.received else 0

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer, in lower case."""
        lines = self.received.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def body(self) -> bytes:
        """What has come of the body."""
        raw = self.received.partition(b"\r\n\r\n")[2]
        return b"".join(_chunks(raw)) if self.headers.get("transfer-encoding") == "chunked" else raw

    @property
    def is_whole(self) -> bool:
        """Whether the body has come to its end."""
        if self.headers.get("transfer-encoding") == "chunked":
            return self.received.endswith(b"0\r\n\r\n")
        return len(self.body) == int(self.headers.get("content-length", "-1"))

    @property
    def messages(self) -> list[tuple[int, bytes]]:
        """The WebSocket messages that have come: opcode and data."""
        raw, found = self.received.partition(b"\r\n\r\n")[2], []
        while len(raw) >= 2:
            length, at = raw[1] & 0x7F, 2
            if length >= 126:
                size = 2 if length == 126 else 8
                length, at = int.from_bytes(raw[2 : 2 + size], "big"), 2 + size
            found.append((raw[0] & 0x0F, raw[at : at + length]))
            raw = raw[at + length :]
        return found

    # The server's side

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.received += bytes(data)

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True
        asyncio.get_running_loop().call_soon(self.hang_up)

    def abort(self) -> None:
        self.close()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return


def _chunks(raw: bytes) -> list[bytes]:
    found = []
    while b"\r\n" in raw:
        size, _, raw = raw.partition(b"\r\n")
        found.append(raw[: int(size, 16)])
        raw = raw[int(size, 16) + 2 :]
    return found


def _typed(handler: Handler) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    """`web.Server` gives a BaseRequest, whose paths no router has looked at; nothing of ours looks at that."""

    async def call(request: web.BaseRequest) -> web.StreamResponse:
        as_routed: Any = request
        return await handler(as_routed)

    return call
