"""Our connection on real gRPC with mutual TLS, and a scripted server that answers like a Go principal."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

from argocd_agent.agent.config import AgentConfig
from argocd_agent.agent.connection import Connection, Login
from argocd_agent.agent.spoke import Spoke
from argocd_agent.backends.embedded import EmbeddedCluster
from argocd_agent.backends.ports import Scope
from argocd_agent.backends.redis import MemoryCache
from argocd_agent.codec import encode
from argocd_agent.errors import NotFound, StreamClosed
from argocd_agent.pki.tls import ClientTls
from argocd_agent.protocol.capabilities import announce
from argocd_agent.protocol.events import EventType
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import (
    METHOD_VERSION,
)
from argocd_agent.resources.kinds import APPLICATIONS
from argocd_agent.resources.objects import Object
from argocd_agent.settings.values import Method
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.metrics import NO_AGENT_METRICS
from argocd_agent.transport.channel import DialOptions
from argocd_agent.transport.dial import Endpoint
from tests.component.transport.hub import a_ca, a_leaf, server_tls
from tests.conformance.peers.calls import HOME, VERSION, a_cluster, fields_of, recorded_answer, texts
from tests.conformance.peers.go_principal import GoPrincipal
from tests.conformance.peers.recording import AGENT
from tests.support.world import a_sight

pytestmark = pytest.mark.real_time(30)

# Made by no principal, but well-formed: an agent cannot check it.
TOKEN = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
    for part in (
        {"alg": "RS512", "typ": "JWT"},
        {"sub": json.dumps({"clientID": AGENT, "mode": "managed"}), "exp": 4_000_000_000},
        {"signature": "nobody's"},
    )
)


class GrpcLine:
    """The server's end of a Subscribe, for a scripted end. Nothing is written, not even headers, before it speaks."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._said: asyncio.Queue[bytes] = asyncio.Queue()
        self.is_open = True

    def say(self, data: bytes) -> None:
        self._said.put_nowait(data)

    async def hear(self) -> bytes:
        data = await self._context.read()
        if not isinstance(data, bytes):
            raise StreamClosed("the agent has gone")
        return data

    def end(self, reason: str) -> None:
        self.is_open = False

    async def write(self) -> None:
        """Write what is said, until cancelled."""
        while True:
            await self._context.write(await self._said.get())


class GoServer(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """The services of a Go principal: a version that is not string-equal is refused, and no header is its own."""

    def __init__(self, go: GoPrincipal) -> None:
        self.go = go
        self.logins: list[dict[int, str]] = []
        self.metadata: list[dict[str, str]] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        match handler_call_details.method:
            case "/authapi.Authentication/Authenticate":
                return grpc.unary_unary_rpc_method_handler(self._authenticate)
            case "/versionapi.Version/Version":
                return grpc.unary_unary_rpc_method_handler(self._version)
            case "/eventstreamapi.EventStream/Subscribe":
                return grpc.stream_stream_rpc_method_handler(self._subscribe)
        return None

    async def _authenticate(self, request: bytes, context: Any) -> bytes:
        login = fields_of(request)
        self.logins.append(login)
        if login.get(4) != VERSION:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "version mismatch")
        head = b"".join(bytes([number << 3 | 2]) + _length(TOKEN) + TOKEN.encode() for number in (1, 2))
        return head + texts({3: VERSION, 4: "argocd-principal"})

    async def _version(self, request: bytes, context: Any) -> bytes:
        return recorded_answer(METHOD_VERSION)

    async def _subscribe(self, _requests: Any, context: Any) -> None:
        self.metadata.append(dict(context.invocation_metadata()))
        line = GrpcLine(context)
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(line.write(), name="write as the Go principal")
            try:
                await self.go.serve(line)
            finally:
                writing.cancel()


def _length(text: str) -> bytes:
    return bytes([len(text) & 0x7F | 0x80, len(text) >> 7])


@contextlib.asynccontextmanager
async def a_go_server(go: GoPrincipal) -> AsyncIterator[tuple[GoServer, int]]:
    """It, on a free port."""
    handler = GoServer(go)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    tls = server_tls()
    credentials = grpc.ssl_server_credentials(
        [(tls.key_pem.encode(), tls.certificate_pem.encode())], tls.ca_pem.encode(), require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield handler, port
    finally:
        await server.stop(0.2)


@contextlib.asynccontextmanager
async def our_connection(
    cluster: EmbeddedCluster, port: int, reports: asyncio.Queue[str], version: str = ""
) -> AsyncIterator[None]:
    """An agent of ours that stays connected to *port*, whole but for its program."""
    config = AgentConfig(server_address="localhost", creds=Method("mtls", "any"), mode=Mode.MANAGED, namespace=HOME)
    spoke = Spoke(config, cluster, Health(()), NO_AGENT_METRICS, MemoryCache(), a_sight(cluster))
    leaf = a_leaf(AGENT)
    tls = ClientTls(
        ca_pem=a_ca().certificate_pem,
        certificate_pem=leaf.certificate_pem,
        key_pem=leaf.key_pem,
        where="the tests' TLS",
    )
    endpoint = Endpoint(host="localhost", port=port, tls=lambda: tls)

    async def ready() -> None:
        return None

    connection = Connection(
        DialOptions(endpoint=endpoint, announced=announce()),
        Login(method="mtls", credentials={}, mode=Mode.MANAGED, version=version, namespace=HOME),
        ready=ready,
        serve=spoke.serve,
        metrics=NO_AGENT_METRICS,
        report=lambda problem: reports.put_nowait(problem or "connected"),
    )
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(spoke.run(), name="the spoke")]
        await spoke.read()
        running.append(tasks.create_task(connection.run(), name="stay connected"))
        yield
        for task in running:
            task.cancel()


async def until_changed(cluster: EmbeddedCluster, name: str) -> Object:
    """The Application, as soon as there is one."""
    with contextlib.suppress(NotFound):
        return await cluster.get(APPLICATIONS, HOME, name)
    async with contextlib.aclosing(cluster.watch(APPLICATIONS, Scope(HOME), "")) as changes:
        async for change in changes:
            if change.object.name == name:
                return change.object
    raise AssertionError("the watch has ended")


@pytest.mark.feature("A-6", "A-12", "A-13")
async def test_our_connection_gets_along_with_a_go_principal() -> None:
    cluster, go, reports = await a_cluster(HOME), GoPrincipal(agent=AGENT, echoes=False), asyncio.Queue[str]()
    go.create("one")
    came = asyncio.Event()
    go.end.watch = lambda event: came.set() if event.type == EventType.STATUS_UPDATE else None

    async with a_go_server(go) as (server, port), our_connection(cluster, port, reports):
        mirror = await until_changed(cluster, "one")
        status = {"health": {"status": "Healthy"}}
        await cluster.update(APPLICATIONS, mirror.with_fields({"status": encode(status)}))
        await came.wait()

        assert await reports.get() == "connected"
        assert go.apps["one"]["status"] == status

    assert server.logins == [{1: "mtls", 3: "managed", 4: VERSION, 5: HOME}]
    assert server.metadata[0]["authorization"] == TOKEN
    assert server.metadata[0]["user-agent"].startswith("argocd-agent/")
    assert go.end.checker.problems == []


@pytest.mark.feature("A-11")
async def test_a_version_that_is_not_the_principals_is_refused_and_said() -> None:
    cluster, reports = await a_cluster(HOME), asyncio.Queue[str]()

    async with a_go_server(GoPrincipal()) as (server, port), our_connection(cluster, port, reports, version="0.9.0"):
        reason = await reports.get()

    assert "version mismatch" in reason
    assert server.metadata == []
