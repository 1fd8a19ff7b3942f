"""The agent's connection and the calls on it: real gRPC, tokens that end, and one that is not taken."""

import asyncio
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field

import pytest

from argocd_agent.agent.connection import Connection, Login
from argocd_agent.codec import encode
from argocd_agent.errors import AuthenticationFailed
from argocd_agent.protocol.capabilities import announce
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.modes import Mode
from argocd_agent.telemetry.metrics import NO_AGENT_METRICS
from argocd_agent.transport.channel import DialOptions
from argocd_agent.transport.dial import Endpoint
from argocd_agent.transport.framestream import LogStream
from argocd_agent.transport.gate import Caller, Identity
from argocd_agent.transport.stream import EventStream
from argocd_agent.wire.datastreams import LogReply
from argocd_agent.wire.messages import LoginReply, LoginRequest, RefreshRequest
from tests.component.transport.hub import PlainGate, a_hub, client_tls

pytestmark = pytest.mark.real_time(30)


def a_token(name: str, left_seconds: float) -> str:
    claims = {"sub": '{"clientID":"agent-1","mode":"managed"}', "jti": name, "exp": time.time() + left_seconds}
    parts = [encode({"alg": "RS512", "typ": "JWT"}), encode(claims), b"signature"]
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@dataclass
class TokenGate(PlainGate):
    """Gives tokens that end soon, and notes what they are used for. `has_ended`: the token of now is not taken."""

    happened: list[str] = field(default_factory=list)
    has_ended: bool = False
    can_refresh: bool = True

    async def authenticate(self, request: LoginRequest, caller: Caller) -> LoginReply:
        self.happened.append("login")
        self.has_ended = False
        login = a_token(f"login {len(self.happened)}", left_seconds=10)
        return LoginReply(access_token=login, refresh_token="r", version=request.version)

    async def refresh(self, request: RefreshRequest) -> LoginReply:
        if not self.can_refresh:
            raise AuthenticationFailed("it has ended")
        self.happened.append("refresh")
        return LoginReply(access_token=a_token("refreshed", 300))

    def admit(self, access_token: str, caller: Caller) -> Identity:
        if self.has_ended:
            raise AuthenticationFailed("it has ended")
        return Identity(AgentName("agent-1"), Mode.MANAGED)

    async def log_stream(self, identity: Identity, stream: LogStream) -> LogReply:
        self.happened.append("log")
        await stream.accept({})
        return LogReply("u", 200)


def a_connection(port: int) -> Connection:
    async def ready() -> None:
        return

    async def serve(stream: EventStream, login: object, heard: object) -> str:
        while True:
            await stream.receive()

    return Connection(
        DialOptions(endpoint=Endpoint(host="localhost", port=port, tls=client_tls), announced=announce()),
        Login(method="mtls", credentials={}, mode=Mode.MANAGED, version="0.9.0", namespace="argocd"),
        ready=ready,
        serve=serve,
        metrics=NO_AGENT_METRICS,
        report=lambda _: None,
    )


@pytest.mark.feature("A-14")
async def test_a_token_that_ends_soon_is_refreshed_before_a_log() -> None:
    gate = TokenGate()
    async with a_hub(gate) as hub:
        connection = a_connection(hub.port)
        running = asyncio.create_task(connection.run())
        await connection.calls.connected()
        reply = await (await connection.calls.log("u")).answer()
        await (await connection.calls.log("u")).answer()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert reply.status == 200
    assert gate.happened == ["login", "refresh", "log", "log"]


@pytest.mark.feature("A-15")
async def test_where_neither_refresh_nor_token_is_taken_the_agent_logs_in_again() -> None:
    gate = TokenGate(can_refresh=False)
    async with a_hub(gate) as hub:
        connection = a_connection(hub.port)
        running = asyncio.create_task(connection.run())
        await connection.calls.connected()
        gate.has_ended = True
        with pytest.raises(AuthenticationFailed):
            await connection.calls.log("u")
        await connection.calls.renew("it was not taken")
        await connection.calls.connected()
        reply = await (await connection.calls.log("u")).answer()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert reply.status == 200
    assert gate.happened == ["login", "login", "log"]
