"""The `Pods` port on a real Kubernetes API: the subresources `log` and `exec` of pods.

A command runs over a WebSocket. Where the API server refuses that, for whatever reason, it is asked again in SPDY: it
may know no WebSocket, or an account may have the right to `create` but not to `get` (that is what the two need); and a
refusal of the second comes with the reason. See https://kubernetes.io/docs/concepts/cluster-administration/logging/ and
https://kubernetes.io/docs/reference/using-api/api-concepts/.
"""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from urllib.parse import quote, urlencode

import aiohttp

from argocd_agent.backends.kubernetes.client import KubernetesCluster
from argocd_agent.backends.kubernetes.connections import Call
from argocd_agent.backends.kubernetes.requests import Request
from argocd_agent.backends.kubernetes.spdyexec import open_spdy
from argocd_agent.backends.pods import Command, Exec, LogOptions
from argocd_agent.errors import BadRequest, Unauthorized, Unavailable
from argocd_agent.wire.datastreams import LARGEST_DATA_BYTES, STDIN, TerminalFrame
from argocd_agent.wire.execframes import V4, V5, Ended, from_pod, to_pod

LARGEST_MESSAGE_BYTES = 4 << 20  # a kubelet sends 32 KiB at a time


class KubernetesPods:
    """The pods of the cluster that *cluster* speaks to."""

    def __init__(self, cluster: KubernetesCluster) -> None:
        self._cluster = cluster

    @contextlib.asynccontextmanager
    async def log(self, options: LogOptions) -> AsyncGenerator[AsyncIterator[bytes], None]:
        """As `Pods`."""
        request = log_request(options)
        async with self._cluster.reading(request) as content:
            yield _pieces(content)

    async def exec(self, command: Command) -> Exec:
        """As `Pods`."""
        socket = await self._cluster.upgrading(exec_request(command, "GET"), _websocket)
        if socket is not None:
            return _WebSocketExec(socket, f'pod "{command.namespace}/{command.pod}"')
        request = exec_request(command, "POST")
        return await self._cluster.upgrading(request, lambda call: open_spdy(call, request, command))


async def _websocket(call: Call) -> aiohttp.ClientWebSocketResponse[bool] | None:
    """A WebSocket. None: the server does not want one. Raises `Unauthorized`."""
    try:
        return await call.session.ws_connect(
            call.url,
            protocols=(V5, V4),
            headers=call.headers,
            proxy=call.proxy,
            server_hostname=call.server_name,
            max_msg_size=LARGEST_MESSAGE_BYTES,
        )
    except aiohttp.WSServerHandshakeError as error:
        if error.status == 401:
            raise Unauthorized("the API server does not know us") from error
        return None


async def _pieces(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    while piece := await content.read(LARGEST_DATA_BYTES):
        yield piece


def log_request(options: LogOptions) -> Request:
    """The call that reads a log. Raises `BadRequest` for names that are none."""
    flags = {
        "follow": options.follow,
        "previous": options.previous,
        "timestamps": options.timestamps,
        "insecureSkipTLSVerifyBackend": options.skips_backend_verification,
    }
    values = {
        "container": options.container or None,
        "tailLines": options.tail_lines,
        "sinceSeconds": options.since_seconds,
        "sinceTime": options.since_time or None,
        "limitBytes": options.limit_bytes,
    }
    query = {name: str(value) for name, value in values.items() if value is not None}
    query |= {name: "true" for name, is_set in flags.items() if is_set}
    what = f'read the log of pod "{options.namespace}/{options.pod}"'
    return Request(what, "GET", _path(what, options.namespace, options.pod, "log"), urlencode(query))


def exec_request(command: Command, method: str) -> Request:
    """The call that runs a command. Raises `BadRequest` for names that are none."""
    query = [("command", word) for word in command.words]
    query += [("container", command.container)] if command.container else []
    wanted = {"stdin": command.stdin, "stdout": command.stdout, "stderr": command.stderr and not command.tty}
    query += [(name, "true") for name, is_set in {**wanted, "tty": command.tty}.items() if is_set]
    what = f'run a command in pod "{command.namespace}/{command.pod}"'
    return Request(what, method, _path(what, command.namespace, command.pod, "exec"), urlencode(query))


def _path(what: str, namespace: str, pod: str, subresource: str) -> str:
    for name in (namespace, pod):
        if name in ("", ".", ".."):  # dots cannot be quoted, and lead elsewhere
            raise BadRequest(f"cannot {what}: {name!r} is no name")
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/{subresource}"


class _WebSocketExec:
    """A command over a WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[bool], place: str) -> None:
        self._socket, self._place = socket, place
        self._protocol = socket.protocol or V4

    async def write(self, data: bytes) -> None:
        await self._send(TerminalFrame(request_uuid="", data=data, stream_type=STDIN))

    async def resize(self, columns: int, rows: int) -> None:
        await self._send(TerminalFrame(request_uuid="", is_resize=True, columns=columns, rows=rows))

    async def close_stdin(self) -> None:
        if self._protocol == V5:
            await self._send(TerminalFrame(request_uuid="", is_end=True))
        else:
            await self.close()  # v4 has no word for it, and without the end of its input a command may never end

    async def read(self) -> bytes | Ended:
        while True:
            message = await self._socket.receive()
            if message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                data = message.data if isinstance(message.data, bytes) else message.data.encode()
                found = from_pod(data, self._protocol)
                if found is not None:
                    return found
            else:
                return Ended(None, self._why(message.extra))

    async def close(self) -> None:
        await self._socket.close()

    async def _send(self, frame: TerminalFrame) -> None:
        data = to_pod(frame, self._protocol)
        if data is None:
            return
        try:
            await self._socket.send_bytes(data)
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"the command in {self._place}: the connection is gone") from error

    def _why(self, said: str | None) -> str:
        code = self._socket.close_code
        if code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
            return "the command's output came in pieces that are too large"
        return f"the connection to the pod was closed ({code or 'without a word'}{': ' if said else ''}{said or ''})"
