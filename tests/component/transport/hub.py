"""A hub to dial in tests: certificates made by our own `pki`, a gate that does what the test says, a listener."""

import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from argocd_agent.errors import AuthenticationFailed
from argocd_agent.pki.certificates import Pair, Usage, issue, make_ca
from argocd_agent.pki.keys import KeyAlgorithm, generate
from argocd_agent.pki.tls import ClientTls, ServerTls
from argocd_agent.protocol.capabilities import announce
from argocd_agent.protocol.events import AgentName, Event, EventId, EventType, ResourceId, Target
from argocd_agent.protocol.modes import Mode
from argocd_agent.transport.channel import DialOptions, HubChannel, dial
from argocd_agent.transport.dial import Endpoint
from argocd_agent.transport.framestream import LogStream, TerminalStream
from argocd_agent.transport.gate import Caller, Identity, UnknownRequest
from argocd_agent.transport.listener import Listener, ListenerOptions, serve
from argocd_agent.transport.stream import EventStream
from argocd_agent.wire.datastreams import LogReply
from argocd_agent.wire.messages import LoginReply, LoginRequest, PushSummary, RefreshRequest

TOKEN = "a.b.c"
LOGIN = LoginRequest(method="mtls", mode="managed", version="0.9.0")


@functools.cache
def a_ca(name: str = "our CA") -> Pair:
    """A CA that is valid now."""
    return make_ca(name, "tests", generate(KeyAlgorithm.ECDSA_P256), datetime.now(UTC) - timedelta(days=30), days=60)


def a_leaf(name: str, *, ca: Pair | None = None, age_days: int = 0, **options: Any) -> Pair:
    """A certificate for *name*, valid for ten days from *age_days* ago."""
    usages = options.pop("usages", (Usage.SERVER, Usage.CLIENT))
    key = generate(KeyAlgorithm.ECDSA_P256)
    now = datetime.now(UTC) - timedelta(days=age_days)
    return issue(ca or a_ca(), name, key, now, usages=usages, days=10, **options)


@functools.cache
def server_tls() -> ServerTls:
    """The principal's certificate, for localhost, and the CA that agents must be signed by."""
    leaf = a_leaf("principal", dns=("localhost",), ips=("127.0.0.1",))
    return ServerTls(leaf.certificate_pem, leaf.key_pem, a_ca().certificate_pem)


@functools.cache
def client_tls() -> ClientTls:
    """A good agent's."""
    leaf = a_leaf("agent-1")
    return ClientTls(
        ca_pem=a_ca().certificate_pem, certificate_pem=leaf.certificate_pem, key_pem=leaf.key_pem, where="agent TLS"
    )


async def echo(stream: EventStream) -> None:
    """A session that sends back what it receives."""
    while True:
        await stream.send(await stream.receive())


@dataclass
class PlainGate:
    """Lets in whoever has the token; `session` is what it does with a stream."""

    session: Callable[[EventStream], Awaitable[None]] = echo
    callers: list[Caller] = field(default_factory=list)

    async def authenticate(self, request: LoginRequest, caller: Caller) -> LoginReply:
        self.callers.append(caller)
        return LoginReply(access_token=TOKEN, refresh_token="r", version=request.version, principal_namespace="argocd")

    async def refresh(self, request: RefreshRequest) -> LoginReply:
        return LoginReply(access_token=TOKEN + request.refresh_token)

    def version(self, caller: Caller) -> str:
        self.callers.append(caller)
        return "argocd-agent-0.9.0"

    def admit(self, access_token: str, caller: Caller) -> Identity:
        self.callers.append(caller)
        if access_token != TOKEN:
            raise AuthenticationFailed(f"unknown token {access_token}")
        return Identity(AgentName("agent-1"), Mode.MANAGED)

    async def serve(self, identity: Identity, stream: EventStream) -> None:
        await self.session(stream)

    async def push(self, identity: Identity, events: AsyncIterator[Event]) -> PushSummary:
        received = 0
        async for _ in events:
            received += 1
        return PushSummary(result="done", received=received, processed=received)

    async def log_stream(self, identity: Identity, stream: LogStream) -> LogReply:
        raise UnknownRequest

    async def terminal_stream(self, identity: Identity, stream: TerminalStream) -> None:
        raise UnknownRequest


@contextlib.asynccontextmanager
async def a_hub(gate: PlainGate | None = None, **changes: Any) -> AsyncIterator[Listener]:
    """A listener on loopback with mutual TLS, unless *changes* to its options say otherwise."""
    options: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "material": server_tls,
        "require_client_certificates": True,
        "announced": announce("uid-1"),
        "linger_seconds": 0.2,
        "stop_grace_seconds": 0.5,
    }
    async with serve(ListenerOptions(**(options | changes)), gate or PlainGate()) as listener:
        yield listener


@contextlib.asynccontextmanager
async def dialled(
    port: int,
    tls: Callable[[], ClientTls] | None = client_tls,
    *,
    host: str = "localhost",
    announced: Mapping[str, str] | None = None,
    **changes: Any,
) -> AsyncIterator[HubChannel]:
    """An agent's channel to the hub at *port*."""
    endpoint = Endpoint(host=host, port=port, tls=tls, timeout_seconds=10, proxy=changes.pop("proxy", ""))
    said = announce() if announced is None else announced
    async with dial(DialOptions(endpoint=endpoint, announced=said, **changes)) as channel:
        yield channel


def an_event(event_id: str = "e-1", data: bytes = b'{"a":1}') -> Event:
    """An event about an application."""
    return Event(Target.APPLICATION, EventType.SPEC_UPDATE, ResourceId("r-1"), EventId(event_id), data)
