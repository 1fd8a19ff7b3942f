"""What stands behind pods/log and pods/exec, over real sockets.

`Kubelet` is an API server that speaks WebSocket, `OldServer` one that speaks SPDY only; over TLS the latter serves as
the kubelet behind a real kube-apiserver, which asks it for logs and runs commands by it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from argocd_agent.backends.kubernetes import KubernetesCluster
from argocd_agent.backends.kubernetes.config import KubeConfig, User
from argocd_agent.wire.execframes import Ended, status_of
from argocd_agent.wire.spdy import Data, Frame, Listener, Opened, Speaker

NOT_FOUND = {"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": 'pods "x" not found'}


@dataclass
class Kubelet:
    """What was asked for, and what is answered."""

    log: bytes = b"one\ntwo\n"
    protocols: tuple[str, ...] = ("v5.channel.k8s.io", "v4.channel.k8s.io")
    asked: list[tuple[str, str]] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    log_ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve_log(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path_qs))
        if request.match_info["pod"] == "x":
            return web.json_response(NOT_FOUND, status=404)
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            await response.write(self.log)
            if request.query.get("follow") == "true":
                await asyncio.get_running_loop().create_future()
        finally:
            self.log_ended.set()
        return response

    async def serve_exec(self, request: web.Request) -> web.StreamResponse:
        """Echoes, until the input is closed, or `exit` is typed."""
        self.asked.append((request.method, request.path_qs))
        socket = web.WebSocketResponse(protocols=self.protocols)
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.BINARY:
                continue
            self.messages.append(message.data)
            if message.data == b"\x00exit 3\n":
                await socket.send_bytes(b"\x03" + status_of(Ended(3, "command terminated with exit code 3")))
                break
            if message.data == b"\xff\x00":
                await socket.send_bytes(b"\x03" + status_of(Ended(0)))
                break
            if message.data.startswith(b"\x00"):
                await socket.send_bytes(b"\x01" + message.data[1:])
        return socket


@contextlib.asynccontextmanager
async def a_kubelet(kubelet: Kubelet) -> AsyncIterator[KubernetesCluster]:
    """A cluster that *kubelet* answers for."""
    app = web.Application()
    app.router.add_get("/api/v1/namespaces/{namespace}/pods/{pod}/log", kubelet.serve_log)
    app.router.add_get("/api/v1/namespaces/{namespace}/pods/{pod}/exec", kubelet.serve_exec)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with _cluster(runner.addresses[0][1]) as cluster:
        try:
            yield cluster
        finally:
            await cluster.close()
            await runner.cleanup()


@dataclass
class OldServer:
    """Knows exec by SPDY only; `refuses` is its answer to that, too. `log` is every container's log: a followed one
    goes on with what is put into `more`, until an empty piece."""

    refuses: bytes = b""
    log: bytes = b""
    more: "asyncio.Queue[bytes]" = field(default_factory=asyncio.Queue)
    requests: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    sizes: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            if head.startswith("GET /containerLogs/"):
                await self._log(head, writer)
            elif head.startswith("GET"):
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            elif self.refuses:
                writer.write(self.refuses)
            else:
                writer.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n"
                    b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
                )
                await self._exec(reader, writer)
        finally:
            writer.close()

    async def _log(self, head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" + self.log)
        while "follow=true" in head and (piece := await self.more.get()):
            writer.write(piece)
            await writer.drain()

    async def _exec(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        speaker, listener, names = Speaker(), Listener(), dict[int, str]()
        while data := await reader.read(65536):
            for frame in listener.feed(data):
                if self._is_over(frame, names, speaker, writer):
                    return

    def _is_over(self, frame: Frame, names: dict[int, str], speaker: Speaker, writer: asyncio.StreamWriter) -> bool:
        numbers = {name: number for number, name in names.items()}
        match frame:
            case Opened(number, headers):
                names[number] = headers["streamtype"]
                self.opened.append(headers["streamtype"])
                writer.write(speaker.reply(number, {}))
                writer.write(speaker.ping(2))
            case Data(number, data, is_last) if names[number] == "stdin":
                if data and data != b"exit 3\n":
                    writer.write(speaker.data(numbers["stdout"], data))
                if is_last or data == b"exit 3\n":
                    ended = Ended(0) if is_last else Ended(3, "command terminated with exit code 3")
                    writer.write(speaker.data(numbers["error"], status_of(ended), is_last=True))
                    return True
            case Data(number, data, _) if names[number] == "resize":
                self.sizes.append(data)
        return False


@contextlib.asynccontextmanager
async def an_old_server(old: OldServer) -> AsyncIterator[KubernetesCluster]:
    """A cluster that *old* answers for."""
    server = await asyncio.start_server(old.serve, "127.0.0.1", 0)
    async with server, _cluster(server.sockets[0].getsockname()[1]) as cluster:
        yield cluster


@contextlib.asynccontextmanager
async def _cluster(port: int) -> AsyncIterator[KubernetesCluster]:
    cluster = KubernetesCluster(KubeConfig(server=f"http://127.0.0.1:{port}", user=User(token="secret")))
    try:
        yield cluster
    finally:
        await cluster.close()
