"""A resource proxy on a real socket, before a hub and an agent in this process; and callers with certificates.

async with a_proxy() as proxy, proxy.caller("agent-1") as caller:
    response = await caller.get("/api/v1/namespaces/shop/configmaps/x")
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import uuid4

import aiohttp
from yarl import URL

from argocd_agent.pki import keys
from argocd_agent.pki.certificates import Pair
from argocd_agent.pki.tls import ClientTls, ServerTls, client_context
from argocd_agent.pki.tokens import Audience, TokenKey
from argocd_agent.principal.auth.identity import is_label
from argocd_agent.proxies.ports import ExecHandler, LogHandler
from argocd_agent.proxies.resource.callers import Callers
from argocd_agent.proxies.resource.listener import Address, Listener, serving
from argocd_agent.proxies.resource.routes import Routes
from tests.component.transport.hub import a_ca, a_leaf
from tests.support.liveline import Line, a_line


@cache
def token_key() -> TokenKey:
    """The key of the tests' tokens."""
    return TokenKey.from_pem(keys.to_pem(keys.generate(rsa_bits=2048)), "a test")


def a_token(agent: str, audience: Audience = Audience.RESOURCE_PROXY, key: TokenKey | None = None) -> str:
    """A bearer token for the resource proxy."""
    return (key or token_key()).issue(audience, agent, str(uuid4()), 0.0)


def server_tls(ca: Pair | None = None) -> ServerTls:
    """A new certificate of the proxy, and the CA of its clients."""
    leaf = a_leaf("resource-proxy", ca=ca, ips=("127.0.0.1",))
    return ServerTls(leaf.certificate_pem, leaf.key_pem, (ca or a_ca()).certificate_pem)


def client_tls(name: str | Pair | None, ca: Pair | None = None, server_ca: Pair | None = None) -> ssl.SSLContext:
    """How a client called *name*, or with this certificate, dials; None: without one."""
    leaf = name if isinstance(name, Pair) else a_leaf(name, ca=ca) if name is not None else Pair("", "")
    trusted = (server_ca or a_ca()).certificate_pem
    context = client_context(ClientTls(ca_pem=trusted, certificate_pem=leaf.certificate_pem, key_pem=leaf.key_pem))
    context.set_alpn_protocols(["http/1.1"])
    return context


@dataclass(slots=True)
class Caller:
    """A client of the proxy."""

    session: aiohttp.ClientSession
    base: str

    async def send(self, method: str, path: str, **more: Any) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers."""
        url = URL(self.base + path, encoded=True)
        async with self.session.request(method, url, **more) as response:
            return response.status, await response.read(), dict(response.headers)

    async def get(self, path: str, **more: Any) -> tuple[int, bytes]:
        """Status and body."""
        status, body, _ = await self.send("GET", path, **more)
        return status, body


@dataclass(slots=True)
class Proxy:
    """The proxy, and what is behind it."""

    line: Line
    listener: Listener
    tls: ServerTls
    registered: set[str] = field(default_factory=set)
    blocked: set[str] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def caller(self, name: str | Pair | None = "agent-1", **tls: Any) -> AsyncIterator[Caller]:
        """Somebody whose certificate says *name*."""
        connector = aiohttp.TCPConnector(ssl=client_tls(name, **tls), limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Caller(session, f"https://127.0.0.1:{self.listener.port}")

    async def raw(self, data: bytes, name: str = "agent-1") -> bytes:
        """What comes back for *data* on a connection of its own, to the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port, ssl=client_tls(name))
        writer.write(data)
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
        return answer


@contextlib.asynccontextmanager
async def a_proxy(
    *, logs: LogHandler | None = None, terminal: ExecHandler | None = None, **more: Any
) -> AsyncIterator[Proxy]:
    """A proxy that serves; *more* is for `a_line`."""
    async with a_line(**more) as line:
        tls, registered, blocked = server_tls(), {"agent-1", "agent-2"}, set[str]()
        callers = Callers(token_key, lambda name: name in registered, lambda print_: print_ in blocked, is_label)
        routes = Routes(callers, line.ask, logs, terminal)
        made: list[Proxy] = []
        current = lambda: made[0].tls if made else tls  # noqa: E731  the proxy does not exist yet
        async with serving(Address("127.0.0.1", 0), current, routes.handle, "--port") as listener:
            made.append(Proxy(line, listener, tls, registered, blocked))
            yield made[0]
