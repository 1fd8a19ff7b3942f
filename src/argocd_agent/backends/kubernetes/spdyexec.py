"""A command over SPDY, for API servers that refuse a WebSocket: streams named error, stdin, stdout and resize.

The connection is one of its own, and written by hand as far as the upgrade: no HTTP library hands over an upgraded
connection. Through a proxy only WebSockets are spoken. What a command prints waits in the operating system until it is
read, but for one frame.
"""

import asyncio
from collections import deque
from typing import NoReturn

from argocd_agent.backends.kubernetes.connections import Call
from argocd_agent.backends.kubernetes.requests import Request, failure
from argocd_agent.backends.pods import Command
from argocd_agent.codec import encode
from argocd_agent.errors import RemoteProtocolError, Unauthorized, Unavailable
from argocd_agent.wire import spdy
from argocd_agent.wire.execframes import V4, Ended, ended_of

_PROTOCOL_HEADER = "X-Stream-Protocol-Version"
_LARGEST_HEAD_BYTES = 64 << 10
_READ_BYTES = 64 << 10
_LARGEST_STATUS_BYTES = 64 << 10
_ERROR, _STDIN, _STDOUT, _STDERR, _RESIZE = "error", "stdin", "stdout", "stderr", "resize"


async def open_spdy(call: Call, request: Request, command: Command) -> "SpdyExec":
    """The command, which runs. Raises the `ClusterError` that the server's refusal stands for."""
    if call.proxy:
        raise Unavailable(f"cannot {request.what}: the server refused a WebSocket, and SPDY is not spoken by proxy")
    is_tls = call.url.scheme == "https"
    reader, writer = await asyncio.open_connection(
        call.url.host,
        call.url.port,
        ssl=call.tls if is_tls else None,
        server_hostname=(call.server_name or call.url.host) if is_tls else None,
        limit=_LARGEST_HEAD_BYTES,
    )
    try:
        writer.write(_head(call))
        await writer.drain()
        await _check(reader, request)
        return SpdyExec(reader, writer, request, command)
    except BaseException:
        writer.transport.abort()
        raise


def _head(call: Call) -> bytes:
    headers = {**call.session.headers, **dict(call.headers)}
    lines = [f"POST {call.url.raw_path_qs} HTTP/1.1", f"Host: {call.url.authority}", "Content-Length: 0"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += ["Connection: Upgrade", "Upgrade: SPDY/3.1", f"{_PROTOCOL_HEADER}: {V4}", "", ""]
    return "\r\n".join(lines).encode("latin-1")


async def _check(reader: asyncio.StreamReader, request: Request) -> None:
    """Nothing, when the server agrees."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise Unavailable(f"cannot {request.what}: the server's answer is no HTTP") from error
    first, *lines = head.split("\r\n")
    words = first.split(" ", 2)
    code = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if code == 101 and headers.get(_PROTOCOL_HEADER.lower(), V4) == V4:
        return
    if code == 101 or not code:
        raise Unavailable(f"cannot {request.what}: the server speaks neither WebSocket nor {V4}")
    length = headers.get("content-length", "")
    size = min(int(length), _LARGEST_STATUS_BYTES) if length.isdigit() else 0
    try:
        body = await reader.readexactly(size)
    except asyncio.IncompleteReadError as error:
        body = error.partial
    if code == 401:
        raise Unauthorized(f"cannot {request.what}: the API server does not know us")
    raise failure(request, code, body, headers.get("retry-after", ""))


class SpdyExec:
    """`Exec` over SPDY."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request, command: Command
    ) -> None:
        self._reader, self._writer, self._request = reader, writer, request
        self._speaker, self._listener = spdy.Speaker(), spdy.Listener()
        self._output: deque[bytes] = deque()
        self._status = b""
        self._has_ended = False
        wanted = {
            _ERROR: True,
            _STDIN: command.stdin,
            _STDOUT: command.stdout,
            _STDERR: command.stderr and not command.tty,
            _RESIZE: command.tty,
        }
        names = [name for name, is_wanted in wanted.items() if is_wanted]
        self._numbers = {name: 1 + 2 * place for place, name in enumerate(names)}
        for name, number in self._numbers.items():
            writer.write(self._speaker.open(number, {"streamType": name}))
        writer.write(self._speaker.data(self._numbers[_ERROR], b"", is_last=True))  # nobody writes to it

    async def write(self, data: bytes) -> None:
        """As `Exec`."""
        await self._say(_STDIN, data)

    async def resize(self, columns: int, rows: int) -> None:
        """As `Exec`."""
        await self._say(_RESIZE, encode({"Width": columns, "Height": rows}) + b"\n")

    async def close_stdin(self) -> None:
        """As `Exec`."""
        await self._say(_STDIN, b"", is_last=True)

    async def read(self) -> bytes | Ended:
        """As `Exec`."""
        try:
            while not self._output:
                if self._has_ended:
                    return ended_of(self._status) if self._status else Ended(None, "the command's streams were closed")
                data = await self._reader.read(_READ_BYTES)
                if not data:
                    self._has_ended = True
                for frame in self._listener.feed(data):
                    self._take(frame)
        except OSError as error:
            self._broken(error)
        except RemoteProtocolError as error:
            self._broken(error)
        return self._output.popleft()

    async def close(self) -> None:
        """As `Exec`."""
        if not self._writer.is_closing():
            self._writer.write(self._speaker.go_away())
            self._writer.close()

    def _take(self, frame: spdy.Frame) -> None:
        match frame:
            case spdy.Data(stream, data, is_last):
                if stream == self._numbers[_ERROR]:
                    self._status = (self._status + data)[:_LARGEST_STATUS_BYTES]
                    self._has_ended = self._has_ended or is_last
                elif data:
                    self._output.append(data)
            case spdy.Ping(number) if number % 2 == 0:
                self._writer.write(self._speaker.ping(number))
            case spdy.Reset(stream, _) if stream == self._numbers[_ERROR]:
                self._has_ended = True

    async def _say(self, name: str, data: bytes, *, is_last: bool = False) -> None:
        number = self._numbers.get(name)
        if number is None:
            return
        try:
            self._writer.write(self._speaker.data(number, data, is_last=is_last))
            await self._writer.drain()
        except OSError as error:
            self._broken(error)

    def _broken(self, error: Exception) -> NoReturn:
        raise Unavailable(f"cannot {self._request.what}: the connection broke: {error}") from error
