"""Logs and terminals as calls over real sockets: frames, statuses, back-pressure, either end going away."""

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from argocd_agent.errors import AuthenticationFailed, StreamClosed, TransportError
from argocd_agent.protocol.names import METADATA_LOG_BYTES
from argocd_agent.transport.framestream import LogStream, LogUpload, TerminalStream
from argocd_agent.transport.gate import CallerGone, Identity, StreamFailed, UnknownRequest
from argocd_agent.wire.datastreams import LogFrame, LogReply, TerminalFrame
from tests.component.transport.hub import LOGIN, TOKEN, PlainGate, a_hub, dialled

pytestmark = pytest.mark.real_time(30)
PLAIN = {"material": None, "require_client_certificates": False}


async def collect(stream: LogStream) -> LogReply:
    """Take a log to its end, and say how many bytes it had."""
    await stream.accept({METADATA_LOG_BYTES: "7"})
    size = 0
    while not (frame := await stream.receive()).is_end:
        size += len(frame.data)
    return LogReply(frame.request_uuid, 200, lines_received=size)


async def echo(stream: TerminalStream) -> None:
    """Send back what is sent, until the end of it."""
    while not (frame := await stream.receive()).is_end:
        await stream.send(frame)


@dataclass
class StreamGate(PlainGate):
    """Does with logs and terminals what a test says."""

    take_log: Callable[[LogStream], Awaitable[LogReply]] = collect
    take_terminal: Callable[[TerminalStream], Awaitable[None]] = echo
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def log_stream(self, identity: Identity, stream: LogStream) -> LogReply:
        try:
            return await self.take_log(stream)
        finally:
            self.ended.set()

    async def terminal_stream(self, identity: Identity, stream: TerminalStream) -> None:
        try:
            await self.take_terminal(stream)
        finally:
            self.ended.set()


async def upload_of(upload: LogUpload, *pieces: bytes) -> LogReply:
    for piece in pieces:
        await upload.send(LogFrame("u", piece))
    await upload.send(LogFrame("u", is_end=True))
    await upload.finish()
    return await upload.answer()


@pytest.mark.feature("P-97")
async def test_a_log_is_sent_frame_by_frame_and_the_hub_says_at_the_start_what_has_arrived() -> None:
    async with a_hub(StreamGate()) as hub, dialled(hub.port) as channel:
        await channel.authenticate(LOGIN)
        upload = await channel.stream_logs(TOKEN, "u")
        reply = await upload_of(upload, b"one\n", b"two\n")

    assert upload.arrived_bytes == 7
    assert reply == LogReply("u", 200, lines_received=8)


async def test_toward_a_hub_that_announced_nothing_a_call_does_not_wait_for_a_word() -> None:
    gate = StreamGate()
    async with a_hub(gate, announced={}) as hub, dialled(hub.port, announced={}) as channel:
        await channel.authenticate(LOGIN)
        upload = await channel.stream_logs(TOKEN, "u")
        reply = await upload_of(upload, b"one\n")

    assert upload.arrived_bytes is None
    assert reply.status == 200


@pytest.mark.feature("P-99", "P-98")
@pytest.mark.parametrize(
    ("raised", "seen", "text"),
    [
        (UnknownRequest(), UnknownRequest, "unknown request id"),
        (CallerGone("client disconnected"), CallerGone, "CANCELLED: client disconnected"),
        (StreamFailed("no such container"), StreamClosed, "INTERNAL: no such container"),
        (AuthenticationFailed("secret"), AuthenticationFailed, "UNAUTHENTICATED: invalid authentication data"),
    ],
)
@pytest.mark.parametrize("announced", [{}, None])
async def test_what_a_log_ends_with_reaches_the_agent(
    raised: TransportError, seen: type[Exception], text: str, announced: dict[str, str] | None
) -> None:
    async def refuse(stream: LogStream) -> LogReply:
        await stream.receive()
        raise raised

    async with a_hub(StreamGate(take_log=refuse)) as hub, dialled(hub.port, announced=announced) as channel:
        await channel.authenticate(LOGIN)
        with pytest.raises(seen) as caught:
            await (await channel.stream_logs(TOKEN, "u")).answer()

    assert text in str(caught.value)


async def test_a_call_with_a_token_that_is_not_taken_is_refused() -> None:
    async with a_hub(StreamGate()) as hub, dialled(hub.port) as channel:
        await channel.authenticate(LOGIN)
        with pytest.raises(AuthenticationFailed):
            await channel.stream_logs("x.y.z", "u")
        with pytest.raises(AuthenticationFailed):
            await (await channel.stream_terminal("x.y.z")).receive()


@pytest.mark.feature("A-91")
async def test_100_mb_pass_with_flat_memory_at_both_ends() -> None:
    piece = b"x" * 65536

    async with a_hub(StreamGate(), **PLAIN) as hub, dialled(hub.port, None) as channel:
        await channel.authenticate(LOGIN)
        upload = await channel.stream_logs(TOKEN, "u")
        tracemalloc.start()
        reply = await upload_of(upload, *[piece] * 1600)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert reply.lines_received == 1600 * 65536
    assert peak < 8 << 20


@pytest.mark.feature("P-97")
async def test_an_agent_waits_while_the_hub_does_not_take() -> None:
    go_on = asyncio.Event()

    async def stall(stream: LogStream) -> LogReply:
        await stream.receive()
        await go_on.wait()
        return await collect(stream)

    async with a_hub(StreamGate(take_log=stall), announced={}) as hub, dialled(hub.port, announced={}) as channel:
        await channel.authenticate(LOGIN)
        upload = await channel.stream_logs(TOKEN, "u")
        sending = asyncio.create_task(upload_of(upload, *[b"x" * 65536] * 1600))
        done, _ = await asyncio.wait({sending}, timeout=0.5)
        go_on.set()
        reply = await sending

    assert not done
    assert reply.lines_received == 1600 * 65536


async def test_the_hub_learns_that_the_agent_has_gone() -> None:
    gate = StreamGate()
    async with a_hub(gate) as hub:
        async with dialled(hub.port) as channel:
            await channel.authenticate(LOGIN)
            await channel.stream_logs(TOKEN, "u")
        async with asyncio.timeout(5):
            await gate.ended.wait()


@pytest.mark.feature("P-100")
async def test_a_terminal_passes_frames_both_ways_until_the_hub_ends_it() -> None:
    async with a_hub(StreamGate()) as hub, dialled(hub.port) as channel:
        await channel.authenticate(LOGIN)
        stream = await channel.stream_terminal(TOKEN)
        said = [TerminalFrame(request_uuid="u"), TerminalFrame(request_uuid="u", is_resize=True, columns=80, rows=24)]
        heard = []
        for frame in said:
            await stream.send(frame)
            heard.append(await stream.receive())
        await stream.send(TerminalFrame(request_uuid="u", is_end=True))
        with pytest.raises(StreamClosed):
            await stream.receive()

    assert heard == said


async def test_an_unknown_terminal_is_refused_as_the_reference_does() -> None:
    async def refuse(stream: TerminalStream) -> None:
        await stream.receive()
        raise UnknownRequest

    async with a_hub(StreamGate(take_terminal=refuse)) as hub, dialled(hub.port) as channel:
        await channel.authenticate(LOGIN)
        stream = await channel.stream_terminal(TOKEN)
        await stream.send(TerminalFrame(request_uuid="no-such"))
        with pytest.raises(StreamClosed, match="UNKNOWN: unknown request id"):
            await stream.receive()


async def test_an_agent_that_drops_a_terminal_ends_it_for_the_hub() -> None:
    gate = StreamGate()
    async with a_hub(gate) as hub, dialled(hub.port) as channel:
        await channel.authenticate(LOGIN)
        stream = await channel.stream_terminal(TOKEN)
        await stream.send(TerminalFrame(request_uuid="u"))
        await stream.receive()
        stream.lost("enough")
        async with asyncio.timeout(5):
            await gate.ended.wait()
        with pytest.raises(StreamClosed, match="enough"):
            await stream.receive()


async def test_a_listener_that_stops_ends_logs_and_terminals() -> None:
    gate = StreamGate()
    async with a_hub(gate) as hub, dialled(hub.port) as channel:
        await channel.authenticate(LOGIN)
        upload = await channel.stream_logs(TOKEN, "u")
        await hub.stop(5.0)
        with pytest.raises(TransportError):
            await upload.answer()
