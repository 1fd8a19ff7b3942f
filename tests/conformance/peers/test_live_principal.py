"""Our listener on real gRPC with mutual TLS, and a scripted Go agent that sends recorded bytes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

from argocd_agent.backends.embedded import EmbeddedCluster
from argocd_agent.backends.redis import MemoryCache
from argocd_agent.codec import encode
from argocd_agent.pki.keys import generate, to_pem
from argocd_agent.pki.tokens import TokenKey
from argocd_agent.principal.auth.methods import parse_method
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.principal.gatekeeper import Gatekeeper
from argocd_agent.principal.hub import Hub
from argocd_agent.protocol.capabilities import announce
from argocd_agent.protocol.events import Event, EventType, Target, ack_of
from argocd_agent.protocol.modes import Role
from argocd_agent.protocol.names import (
    AGENT_SOURCE,
    LABEL_AGENT_NAME,
    LABEL_SECRET_TYPE,
    METHOD_AUTHENTICATE,
    METHOD_SUBSCRIBE,
    METHOD_VERSION,
    SECRET_TYPE_CLUSTER,
)
from argocd_agent.resources.kinds import APPLICATIONS, SECRETS
from argocd_agent.resources.objects import Metadata, Object, decode_object, new_object
from argocd_agent.settings.values import Method
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.metrics import NO_PRINCIPAL_METRICS
from argocd_agent.transport.listener import ListenerOptions, serve
from argocd_agent.wire import cloudevents
from tests.component.transport.hub import a_ca, a_leaf, server_tls
from tests.conformance.peers.calls import HOME, VERSION, a_cluster, fields_of, recorded_answer, recorded_login
from tests.conformance.peers.digestible import Checker
from tests.conformance.peers.recording import AGENT, PRINCIPAL, Step, steps
from tests.conformance.peers.stage import Uids
from tests.support.world import fresh

pytestmark = pytest.mark.real_time(30)


def step_named(name: str) -> Step:
    return next(step for step in steps() if step.name == name)


@contextlib.asynccontextmanager
async def our_listener(cluster: EmbeddedCluster) -> AsyncIterator[int]:
    """A principal of ours on a free port, whole but for its program."""
    labels = {LABEL_SECRET_TYPE: SECRET_TYPE_CLUSTER, LABEL_AGENT_NAME: AGENT}
    secret = new_object(SECRETS, Metadata(name="cluster", namespace=HOME, labels=labels))
    await cluster.create(SECRETS, secret)
    auth = "subject:CN=([^,]+)"
    config = PrincipalConfig(namespace=HOME, auth=Method("mtls", auth), allowed_namespaces=("agent-*",))
    hub = Hub(config, cluster, Health(()), NO_PRINCIPAL_METRICS, PRINCIPAL, MemoryCache(), None)
    key = TokenKey.from_pem(to_pem(generate(rsa_bits=2048)), "the tests' key")
    gate = Gatekeeper(
        parse_method(f"mtls:{auth}", plaintext=False, is_blocked=lambda _: False),
        lambda: key,
        namespace=HOME,
        version=VERSION,
        match_subject=True,
        failed=lambda: None,
        serve=hub.sessions.serve,
        take_pushed=hub.sessions.take_pushed,
    )
    options = ListenerOptions(
        host="127.0.0.1",
        port=0,
        material=server_tls,
        require_client_certificates=True,
        announced=announce(PRINCIPAL),
        stop_grace_seconds=0.5,
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(hub.run(), name="the hub")
        await hub.read()
        async with serve(options, gate) as listener:
            yield listener.port
        running.cancel()


@contextlib.asynccontextmanager
async def a_go_channel(port: int) -> AsyncIterator[grpc.aio.Channel]:
    """A channel as a Go agent dials it: its certificate, and nothing announced."""
    leaf = a_leaf(AGENT)
    credentials = grpc.ssl_channel_credentials(
        a_ca().certificate_pem.encode(), leaf.key_pem.encode(), leaf.certificate_pem.encode()
    )
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        yield channel


class GoAgentOnTheWire:
    """A Subscribe of a Go agent: acks what it hears, a moment later, and holds it against what it can digest."""

    def __init__(self, call: Any) -> None:
        self.call, self.checker = call, Checker(Role.PRINCIPAL)
        self.heard: list[Event] = []

    async def say(self, data: bytes) -> None:
        self.checker.from_go(data)
        await self.call.write(data)

    async def until(self, kind: str, event_id: str = "") -> bytes:
        """Hear until an event of this type comes; of *event_id*, if it is given."""
        while True:
            data = await self.call.read()
            assert isinstance(data, bytes), f"the stream ended before {kind} came"
            self.checker.from_ours(data, asyncio.get_running_loop().time())
            event = cloudevents.decode(data)
            self.heard.append(event)
            if event.target is not Target.ACK:
                await self.say(cloudevents.encode(ack_of(event), AGENT_SOURCE))
            if event.type == kind and event_id in ("", event.event_id):
                return data


@pytest.mark.feature("P-12", "P-27", "P-29", "P-82", "P-125")
async def test_our_listener_serves_a_go_agent_by_its_recorded_bytes() -> None:
    uids = Uids()
    cluster = await a_cluster(HOME, AGENT, uids=uids)
    told = step_named("managed: application created on the hub").objects("principal")[0]
    uids.coming.append(told["metadata"]["uid"])
    wanted = decode_object(encode(told))
    await cluster.create(APPLICATIONS, fresh(Object(wanted.metadata, {"spec": wanted.fields["spec"]})))

    async with our_listener(cluster) as port, a_go_channel(port) as channel:
        login = channel.unary_unary(METHOD_AUTHENTICATE)(recorded_login())
        tokens = fields_of(await login)
        headers = {name for name, _ in await login.initial_metadata()}
        metadata = (("authorization", tokens[1]),)
        version = await channel.unary_unary(METHOD_VERSION)(b"", metadata=metadata)
        go = GoAgentOnTheWire(channel.stream_stream(METHOD_SUBSCRIBE)(metadata=metadata))
        for one in step_named("agents connect for the first time").by("agent"):
            await go.say(one.data)
            await go.until(EventType.PROCESSED, one.event.event_id)
        status = step_named("managed: status written on the spoke").by("agent")[0]
        await go.say(status.data)
        await go.until(EventType.PROCESSED, status.event.event_id)
        written = await cluster.get(APPLICATIONS, AGENT, "one")
        go.call.cancel()

    assert (tokens[1].count("."), tokens[2].count("."), tokens[3], tokens[4]) == (2, 2, VERSION, HOME)
    assert not any(name.startswith("argocd-agent-") for name in headers)
    assert version == recorded_answer(METHOD_VERSION)
    assert go.checker.problems == []
    assert go.checker.owed == []
    kinds = [event.type for event in go.heard if event.target is not Target.ACK]
    assert {EventType.CREATE, EventType.REQUEST_RESOURCE_RESYNC} <= set(kinds)
    assert written.look("status")["health"] == {"status": "Healthy"}
