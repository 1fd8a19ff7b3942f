"""Subscribe over real TLS on loopback: how it opens, how it ends, and what it does with large events."""

import asyncio
import contextlib
from typing import Any

import grpc
import pytest

from argocd_agent.errors import (
    ArgocdAgentError,
    AuthenticationFailed,
    EventRefused,
    PeerUnavailable,
    RemoteProtocolError,
    StreamClosed,
    TransportError,
    UndecodableEvent,
)
from argocd_agent.protocol.capabilities import Capability, announce
from argocd_agent.protocol.events import Event
from argocd_agent.transport.status import RECONNECTING
from argocd_agent.transport.stream import EventStream
from argocd_agent.wire import cloudevents
from tests.component.transport.hub import LOGIN, TOKEN, PlainGate, a_hub, an_event, dialled
from tests.component.transport.relay import relayed

pytestmark = pytest.mark.real_time(20)

PLAINTEXT: dict[str, Any] = {"material": None, "require_client_certificates": False}


def every_error() -> list[type[BaseException]]:
    """Each class of our error tree, and what a defect or a cancelled task looks like."""
    found: list[type[BaseException]] = [KeyError, asyncio.CancelledError, ExceptionGroup]
    waiting = [ArgocdAgentError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        # Of the tree alone: who else is loaded depends on which tests run.
        waiting += [child for child in kind.__subclasses__() if child.__module__ == ArgocdAgentError.__module__]
    return found


@pytest.mark.feature("P-125")
@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
async def test_whatever_a_session_raises_a_go_agent_reconnects(kind: type[BaseException]) -> None:
    error = _instance(kind)

    async def session(stream: EventStream) -> None:
        raise error

    code, _ = await _code_of_subscribe(PlainGate(session))

    assert code in RECONNECTING
    assert code is not grpc.StatusCode.OK


async def test_a_session_that_returns_ends_the_stream_with_ok() -> None:
    async def session(stream: EventStream) -> None:
        await stream.receive()

    code, _ = await _code_of_subscribe(PlainGate(session), first=cloudevents.encode(an_event()))

    assert code is grpc.StatusCode.OK


async def test_a_closed_stream_tells_the_agent_why() -> None:
    async def session(stream: EventStream) -> None:
        await stream.close("another stream took this agent's place")
        await stream.receive()

    code, text = await _code_of_subscribe(PlainGate(session))

    assert (code, text) == (grpc.StatusCode.UNAVAILABLE, "another stream took this agent's place")


async def test_a_session_that_ignores_the_end_of_its_stream_is_cancelled() -> None:
    ended = asyncio.Event()

    async def session(stream: EventStream) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    async with a_hub(PlainGate(session)) as hub, dialled(hub.port) as channel:
        await channel.authenticate(LOGIN)
        stream = await channel.subscribe(TOKEN)
        await stream.close("gone")
        async with asyncio.timeout(10):
            await ended.wait()


@pytest.mark.feature("P-28")
async def test_subscribe_with_a_wrong_token_is_refused_before_a_session_begins() -> None:
    async with a_hub() as hub, dialled(hub.port) as channel:
        await channel.authenticate(LOGIN)
        with pytest.raises(AuthenticationFailed) as caught:
            await channel.subscribe("wrong")

    assert str(caught.value).endswith("UNAUTHENTICATED: invalid authentication data")


async def test_a_stream_between_ours_is_accepted_before_anything_is_sent() -> None:
    silent = asyncio.Event()

    async def session(stream: EventStream) -> None:
        silent.set()
        await stream.receive()

    async with a_hub(PlainGate(session)) as hub, dialled(hub.port) as channel:
        await channel.authenticate(LOGIN)
        stream = await channel.subscribe(TOKEN)

        assert silent.is_set()
        assert stream.peer.principal_uid == "uid-1"


async def test_toward_a_principal_that_announced_nothing_subscribe_does_not_wait() -> None:
    gate = PlainGate()

    async with a_hub(gate) as hub, dialled(hub.port, announced={}) as channel:
        await channel.authenticate(LOGIN)
        stream = await channel.subscribe(TOKEN)
        await stream.send(an_event())
        received = await stream.receive()

    assert stream.peer.is_reference
    assert received.event_id == "e-1"


async def test_what_subscribe_announces_counts_for_the_session() -> None:
    seen: asyncio.Future[EventStream] = asyncio.get_running_loop().create_future()

    async def session(stream: EventStream) -> None:
        seen.set_result(stream)
        await stream.receive()

    async with a_hub(PlainGate(session)) as hub, dialled(hub.port, announced={}) as channel:
        await channel.authenticate(LOGIN)
        stream = await channel.subscribe(TOKEN, announce(window=7))
        await stream.send(an_event())
        agent = (await seen).peer

    assert agent.window == 7
    assert agent.can(Capability.HEARTBEAT)


@pytest.mark.feature("P-25", "A-23", "C-64")
async def test_an_event_above_the_senders_limit_is_refused_and_the_stream_lives() -> None:
    async with a_hub() as hub, dialled(hub.port, max_message_bytes=10_000) as channel:
        await channel.authenticate(LOGIN)
        stream = await channel.subscribe(TOKEN)
        with pytest.raises(EventRefused, match=r"the limit is 10000 \(--grpc-max-message-size\)"):
            await stream.send(an_event(data=b'"' + b"x" * 10_000 + b'"'))
        await stream.send(an_event("e-2"))
        received = await stream.receive()

    assert received.event_id == "e-2"


@pytest.mark.feature("P-25", "A-23")
async def test_an_event_above_the_receivers_limit_is_refused_with_its_envelope_and_the_stream_lives() -> None:
    refused: list[object] = []

    async def session(stream: EventStream) -> None:
        try:
            await stream.receive()
        except UndecodableEvent as error:
            refused.append(error.envelope)
        await stream.send(await stream.receive())

    async with a_hub(PlainGate(session), max_message_bytes=10_000) as hub, dialled(hub.port) as channel:
        await channel.authenticate(LOGIN)
        stream = await channel.subscribe(TOKEN)
        await stream.send(an_event("large", data=b'"' + b"x" * 10_000 + b'"'))
        await stream.send(an_event("small"))
        received = await stream.receive()

    (envelope,) = refused
    assert isinstance(envelope, Event)
    assert (envelope.event_id, envelope.data) == ("large", b"")
    assert received.event_id == "small"


async def test_a_broken_frame_ends_the_session_as_a_protocol_error() -> None:
    raised_by: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def session(stream: EventStream) -> None:
        try:
            await stream.receive()
        except RemoteProtocolError as error:
            raised_by.set_result(error)
            raise

    code, _ = await _code_of_subscribe(PlainGate(session), first=b"\xff\xff\xff")

    assert code is grpc.StatusCode.UNAVAILABLE
    assert isinstance(await raised_by, RemoteProtocolError)


@pytest.mark.feature("P-24", "A-22", "C-63")
async def test_gzip_is_sent_and_answered_in_kind() -> None:
    large = an_event(data=b'"' + b"x" * 100_000 + b'"')

    async with (
        a_hub(**PLAINTEXT) as hub,
        relayed(hub.port) as relay,
        dialled(relay.port, None, compression=True) as channel,
    ):
        await channel.authenticate(LOGIN)
        stream = await channel.subscribe(TOKEN)
        await stream.send(large)
        received = await stream.receive()

    assert received.data == large.data
    assert relay.up < 10_000
    assert relay.down < 10_000


async def test_a_cut_link_closes_the_stream_at_both_ends() -> None:
    hub_saw: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def session(stream: EventStream) -> None:
        try:
            await stream.receive()
        except StreamClosed as error:
            hub_saw.set_result(error)
            raise

    async with a_hub(PlainGate(session)) as hub, relayed(hub.port) as relay, dialled(relay.port) as channel:
        await channel.authenticate(LOGIN)
        stream = await channel.subscribe(TOKEN)
        relay.cut()
        with pytest.raises(StreamClosed):
            await stream.receive()
        async with asyncio.timeout(5):
            error = await hub_saw

    assert "the agent closed it" in str(error) or "the connection is gone" in str(error)


async def test_a_retired_channel_ends_its_stream_with_the_reason() -> None:
    async with a_hub() as hub, dialled(hub.port) as channel:
        await channel.authenticate(LOGIN)
        stream = await channel.subscribe(TOKEN)
        reading = asyncio.create_task(stream.receive())
        await channel.retire("the client certificate has changed")
        with pytest.raises(StreamClosed, match="the client certificate has changed"):
            await reading


async def test_a_channel_retired_before_its_stream_began_subscribes_no_more() -> None:
    async with a_hub() as hub, dialled(hub.port) as channel:
        await channel.authenticate(LOGIN)
        await channel.retire("the CA has changed")
        with pytest.raises(StreamClosed, match="the CA has changed"):
            await channel.subscribe(TOKEN)


async def test_a_hub_on_every_interface_is_reached_by_ipv4() -> None:
    async with a_hub(host="") as hub, dialled(hub.port, host="127.0.0.1") as channel:
        version = await channel.version()

    assert version == "argocd-agent-0.9.0"


async def test_a_stop_ends_every_stream_with_unavailable_and_waits_for_the_sessions() -> None:
    finished = asyncio.Event()

    async def session(stream: EventStream) -> None:
        try:
            await stream.receive()
        finally:
            finished.set()

    async with a_hub(PlainGate(session)) as hub, dialled(hub.port) as channel:
        await channel.authenticate(LOGIN)
        stream = await channel.subscribe(TOKEN)
        reading = asyncio.create_task(stream.receive())
        await hub.stop(2.0)

        assert finished.is_set()
        with pytest.raises(StreamClosed, match="UNAVAILABLE: the principal is stopping"):
            await reading
        with pytest.raises(TransportError):
            await channel.version()


async def test_a_port_in_use_is_named_after_all_tries() -> None:
    async with a_hub() as hub:
        with pytest.raises(PeerUnavailable) as caught:
            async with a_hub(port=hub.port, bind_tries=2, bind_pause_seconds=0.01):
                pass

    assert str(caught.value) == f"cannot listen on 127.0.0.1:{hub.port}: the port is in use, after 2 tries"


@pytest.mark.feature("P-26", "C-63")
async def test_pings_at_the_accepted_pace_are_answered_and_faster_ones_punished() -> None:
    async with a_hub(accepted_ping_seconds=0.1, **PLAINTEXT) as hub:
        accepted = await _frames_after_pings(hub.port, pace_seconds=0.1)
    async with a_hub(**PLAINTEXT) as hub:
        punished = await _frames_after_pings(hub.port, pace_seconds=0.01)

    assert b"too_many_pings" not in accepted
    assert accepted.count(PING_ANSWER) == PINGS
    assert b"too_many_pings" in punished


PINGS = 6
PING_ANSWER = b"\0\0\x08\x06\x01\0\0\0\0"  # RFC 9113, 6.7: length 8, type 6, flag ACK, stream 0


async def _frames_after_pings(port: int, pace_seconds: float) -> bytes:
    """What the hub sends to a peer that pings on a connection without calls, at a pace that grpc's own never has."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0")
    seen = b""
    for number in range(PINGS):
        writer.write(b"\0\0\x08\x06\0\0\0\0\0" + bytes([number]) * 8)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pace_seconds):
                while part := await reader.read(4096):
                    seen += part
    writer.transport.abort()
    return seen


async def _code_of_subscribe(gate: PlainGate, first: bytes = b"") -> tuple[grpc.StatusCode, str]:
    """How a stream ends, as a reference agent sees it."""
    async with (
        a_hub(gate, **PLAINTEXT) as hub,
        grpc.aio.insecure_channel(f"127.0.0.1:{hub.port}") as channel,
    ):
        call = channel.stream_stream("/eventstreamapi.EventStream/Subscribe")(metadata=(("authorization", TOKEN),))
        if first:  # not where the session ends by itself: a write that fails hides the status from a Python client
            await call.write(first)
        code: grpc.StatusCode = await call.code()
        return code, await call.details()


def _instance(kind: type[BaseException]) -> BaseException:
    if kind is ExceptionGroup:
        return ExceptionGroup("session", [ValueError("bug"), StreamClosed("over")])
    if kind is UndecodableEvent:
        return UndecodableEvent("what?", an_event())
    try:
        return kind("x")
    except TypeError:  # the few that write their own text
        return kind()
