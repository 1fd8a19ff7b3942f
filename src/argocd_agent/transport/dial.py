"""The agent's connection to its principal: TCP, perhaps through a forward proxy, and TLS of our own.

grpcio's client cannot pin, skip verification, choose versions or use a proxy, so it speaks plain HTTP/2 to a private
socket, and `splice` ties that to the connection made here. One `Link` is one connection, never made anew: whoever
wants another dials again, with the TLS material of then.

The private socket is an abstract one on Linux, which needs no writable directory; only this very process is let in.
Elsewhere it lies in a directory that only this user can enter.
"""

import asyncio
import base64
import contextlib
import os
import secrets
import socket
import ssl
import struct
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from argocd_agent.errors import ConfigError, PeerUnavailable, TransportError
from argocd_agent.pki.tls import ClientTls, client_context
from argocd_agent.transport.explain import explain, explain_proxy, explain_refused_handshake, explain_silence
from argocd_agent.transport.splice import End

_PROXY_ANSWER_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to dial. `tls` is asked at every dial; None: plaintext. `proxy` is `http://[user:password@]host:port`."""

    host: str
    port: int
    tls: Callable[[], ClientTls] | None
    proxy: str = ""
    timeout_seconds: float = 15.0

    @property
    def address(self) -> str:
        """`host:port`, for people and for HTTP."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Link:
    """A connection to the principal, and the private way to it. `path` is for grpc: `unix:` or `unix-abstract:`."""

    def __init__(self, endpoint: Endpoint, tls: ClientTls | None, far: End, path: str) -> None:
        self._endpoint = endpoint
        self._tls = tls
        self._far = far
        self.path = path

    @property
    def failure(self) -> TransportError | None:
        """Why the connection is gone, in a sentence. None: it is not gone, or without a sign of a reason."""
        if not self._far.ended.done():
            return None
        reason = self._far.ended.result()
        if isinstance(reason, ssl.SSLError) or not self._far.is_silent:
            return explain(reason, self._endpoint.address) if reason is not None else None
        return explain_silence(self._tls, self._endpoint.address)

    @property
    def ended(self) -> "asyncio.Future[Exception | None]":
        """Done when the connection is gone."""
        return self._far.ended


@contextlib.asynccontextmanager
async def link(endpoint: Endpoint) -> AsyncIterator[Link]:
    """A connection to *endpoint*, until the block is left. Raises `TransportError` with a sentence for people;
    `KeyMaterialError` and `ConfigError` for settings that cannot work."""
    tls = endpoint.tls() if endpoint.tls is not None else None
    try:
        async with asyncio.timeout(endpoint.timeout_seconds):
            far = await _connect(endpoint, tls)
    except TimeoutError as error:
        raise PeerUnavailable(
            f"no answer from the principal at {endpoint.address} within {endpoint.timeout_seconds:g} s"
        ) from error
    near = End()
    try:
        async with _private_socket(near) as path:
            near.tie(far)
            yield Link(endpoint, tls, far, path)
    finally:
        for end in (near, far):
            if end.transport is not None:
                end.transport.abort()


async def _connect(endpoint: Endpoint, tls: ClientTls | None) -> End:
    context = client_context(tls) if tls is not None else None
    name = (tls.server_name or endpoint.host) if tls is not None else None
    try:
        far = await _open(endpoint, context, name)
    except (ssl.SSLError, ConnectionError) as error:
        if tls is None or context is None:
            raise explain(error, endpoint.address) from error
        raise await explain_refused_handshake(
            error, tls, lambda context: _open(endpoint, context, name), endpoint.address
        ) from error
    except OSError as error:
        raise explain(error, endpoint.address) from error
    if context is not None and far.transport is not None:
        protocol = far.transport.get_extra_info("ssl_object").selected_alpn_protocol()
        if protocol != "h2":
            far.transport.abort()
            raise PeerUnavailable(
                f"{endpoint.address} speaks TLS but not gRPC: expected ALPN h2, found {protocol or 'none'}"
            )
    return far


async def _open(endpoint: Endpoint, context: ssl.SSLContext | None, name: str | None) -> End:
    loop = asyncio.get_running_loop()
    if not endpoint.proxy:
        _, end = await loop.create_connection(End, endpoint.host, endpoint.port, ssl=context, server_hostname=name)
        return end
    connected = await _through_proxy(endpoint)
    if context is None:
        _, end = await loop.create_connection(End, sock=connected)
    else:
        _, end = await loop.create_connection(End, sock=connected, ssl=context, server_hostname=name)
    return end


async def _through_proxy(endpoint: Endpoint) -> socket.socket:
    """A socket that the proxy has connected with the principal (RFC 9110, 9.3.6)."""
    proxy = urlsplit(endpoint.proxy)
    if proxy.scheme != "http" or not proxy.hostname:
        raise ConfigError(f"proxy: expected http://host:port, found {proxy.scheme}://{proxy.hostname}")
    loop = asyncio.get_running_loop()
    place = f"{proxy.hostname}:{proxy.port or 80}"
    try:
        found = await loop.getaddrinfo(proxy.hostname, proxy.port or 80, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        connected = socket.socket(family, kind, protocol)
    except OSError as error:
        raise explain_proxy(error, place) from error
    try:
        connected.setblocking(False)
        await loop.sock_connect(connected, address)
        await loop.sock_sendall(connected, _connect_request(endpoint.address, proxy.username, proxy.password))
        answer = b""
        while b"\r\n\r\n" not in answer:
            # One byte at a time: what follows the answer belongs to TLS.
            part = await loop.sock_recv(connected, 1)
            answer += part
            if not part or len(answer) > _PROXY_ANSWER_BYTES:
                raise PeerUnavailable(f"the proxy {place} broke off its answer")
    except OSError as error:
        connected.close()
        raise explain_proxy(error, place) from error
    except BaseException:
        connected.close()
        raise
    first = answer.split(b"\r\n", 1)[0].decode("latin-1")
    if first.split(" ")[1:2] != ["200"]:
        connected.close()
        raise PeerUnavailable(f"the proxy {place} refuses to connect to {endpoint.address}: {first}")
    return connected


def _connect_request(address: str, user: str | None, password: str | None) -> bytes:
    lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}"]
    if user is not None:
        pair = f"{unquote(user)}:{unquote(password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@contextlib.asynccontextmanager
async def _private_socket(near: End) -> AsyncIterator[str]:
    """A listening socket whose first caller becomes *near*. The path is written as grpc wants it."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        if sys.platform == "linux":
            name = f"argocd-agent-{secrets.token_hex(16)}"
            listening.bind(f"\0{name}")
            path = f"unix-abstract:{name}"
        else:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory()), "hub")  # mode 0700
            listening.bind(str(place))
            path = f"unix:{place}"
        listening.setblocking(False)
        listening.listen(1)
        accepting = asyncio.create_task(_accept(listening, near), name="private socket")
        try:
            yield path
        finally:
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)  # grpc reports what went wrong there


async def _accept(listening: socket.socket, near: End) -> None:
    loop = asyncio.get_running_loop()
    while True:
        accepted, _ = await loop.sock_accept(listening)
        if _is_ours(accepted):
            await loop.connect_accepted_socket(lambda: near, accepted)
            listening.close()  # one link, one connection: grpc's attempts at a second one fail at once
            return
        accepted.close()


def _is_ours(accepted: socket.socket) -> bool:
    """Whether the caller is this very process. Abstract sockets have no permissions (man 7 unix)."""
    if sys.platform != "linux":
        return True
    credentials = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    caller, _, _ = struct.unpack("3i", credentials)
    return bool(caller == os.getpid())
