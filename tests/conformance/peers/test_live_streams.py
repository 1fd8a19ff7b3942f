"""Logs and terminals with an end of the reference at the other end, scripted on bare gRPC."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import grpc
import grpc.aio
import pytest

from argocd_agent.agent.calls import Calls
from argocd_agent.agent.serve.logs import LogServer
from argocd_agent.agent.serve.ports import everything
from argocd_agent.agent.serve.terminal import TerminalServer
from argocd_agent.protocol.events import Event, EventId, EventType, ResourceId, Target
from argocd_agent.protocol.names import METHOD_STREAM_LOGS, METHOD_STREAM_TERMINAL
from argocd_agent.transport.channel import DialOptions, dial
from argocd_agent.transport.dial import Endpoint
from argocd_agent.wire.execframes import V5, ended_of
from argocd_agent.wire.messages import LoginReply
from argocd_agent.wire.payloads import decode, encode
from argocd_agent.wire.proto.logstreamapi_pb2 import LogStreamData, LogStreamResponse
from argocd_agent.wire.proto.terminalstreamapi_pb2 import TerminalStreamData
from argocd_agent.wire.requests import ContainerLogRequest, ContainerTerminalRequest
from tests.component.serve.datalink import Bench, a_bench
from tests.component.transport.hub import TOKEN
from tests.support.pods import FakePods

pytestmark = pytest.mark.real_time(30)

METADATA = (("authorization", TOKEN),)


class GoAgent:
    """Calls our hub as an agent of the reference. `wanted` are the requests that it was sent."""

    def __init__(self, bench: Bench, channel: grpc.aio.Channel) -> None:
        self.wanted: asyncio.Queue[Event] = asyncio.Queue()
        bench.take = self.wanted.put_nowait
        self._channel = channel

    async def uuid(self) -> str:
        event = await self.wanted.get()
        if event.target is Target.CONTAINER_LOG:
            return decode(event.data, ContainerLogRequest).uuid
        return decode(event.data, ContainerTerminalRequest).uuid

    def logs(self) -> Any:
        return self._channel.stream_unary(METHOD_STREAM_LOGS)(metadata=METADATA)

    def terminal(self) -> Any:
        return self._channel.stream_stream(METHOD_STREAM_TERMINAL)(metadata=METADATA)


@contextlib.asynccontextmanager
async def a_go_agent() -> AsyncIterator[tuple[Bench, GoAgent, aiohttp.ClientSession]]:
    """Our hub, in plaintext, with a Go agent; and Argo CD."""
    async with (
        a_bench(FakePods(), material=None, require_client_certificates=False) as bench,
        grpc.aio.insecure_channel(f"127.0.0.1:{bench.hub_port}") as channel,
        aiohttp.ClientSession() as session,
    ):
        yield bench, GoAgent(bench, channel), session


def log_frame(**fields: Any) -> bytes:
    return bytes(LogStreamData(**fields).SerializeToString())


def terminal_frame(**fields: Any) -> bytes:
    return bytes(TerminalStreamData(**fields).SerializeToString())


@pytest.mark.feature("P-97")
async def test_a_go_agents_log_is_passed_on_and_answered() -> None:
    async with a_go_agent() as (bench, agent, argocd):
        asking = asyncio.create_task(argocd.get(f"{bench.url}/log"))
        uuid = await agent.uuid()
        call = agent.logs()
        for frame in ({}, {"data": b"one\n"}, {"data": b"two\n"}, {"eof": True}):
            await call.write(log_frame(request_uuid=uuid, **frame))
        await call.done_writing()
        answer = LogStreamResponse.FromString(await call)
        body = await (await asking).read()

    assert body == b"one\ntwo\n"
    assert (answer.request_uuid, answer.status, answer.error, answer.lines_received) == (uuid, 200, "", 0)


@pytest.mark.feature("P-99", "P-97")
async def test_a_go_agent_gets_the_statuses_that_it_knows() -> None:
    seen = []
    async with a_go_agent() as (bench, agent, argocd):
        asking = asyncio.create_task(argocd.get(f"{bench.url}/log"))
        uuid = await agent.uuid()
        for request_uuid, error in (("no-such", ""), (uuid, "log stream read failed")):
            call = agent.logs()
            await call.write(log_frame(request_uuid=request_uuid))
            if error:
                await call.write(log_frame(request_uuid=request_uuid, error=error))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            seen.append((caught.value.code().name, caught.value.details()))
        await asking
        terminal = agent.terminal()
        await terminal.write(terminal_frame(request_uuid="no-such"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await terminal.read()
        seen.append((caught.value.code().name, caught.value.details()))

    assert seen == [
        ("NOT_FOUND", "unknown request id"),
        ("INTERNAL", "log stream read failed"),
        ("UNKNOWN", "unknown request id"),
    ]


@pytest.mark.feature("P-98")
async def test_a_go_agent_hears_that_the_user_has_left() -> None:
    async with a_go_agent() as (bench, agent, argocd):
        asking = asyncio.create_task(argocd.get(f"{bench.url}/log?follow=true"))
        uuid = await agent.uuid()
        call = agent.logs()
        await call.write(log_frame(request_uuid=uuid))
        await call.write(log_frame(request_uuid=uuid, data=b"one\n"))
        response = await asking
        await response.content.readexactly(4)
        response.close()
        code = await call.code()

    assert code is grpc.StatusCode.CANCELLED


@pytest.mark.feature("P-100", "P-102")
async def test_a_go_agents_terminal_is_passed_on() -> None:
    async with a_go_agent() as (bench, agent, argocd):
        asking = asyncio.create_task(argocd.ws_connect(f"{bench.url}/exec?command=bash", protocols=(V5,)))
        uuid = await agent.uuid()
        call = agent.terminal()
        await call.write(terminal_frame(request_uuid=uuid))
        socket = await asking
        await socket.send_bytes(b"\x00ls\n")
        typed = TerminalStreamData.FromString(await call.read())
        await call.write(terminal_frame(request_uuid=uuid, data=b"file", stream_type="stdout"))
        shown = await socket.receive_bytes()
        await call.write(terminal_frame(request_uuid=uuid, error="bash: executable file not found in $PATH"))
        ended = await socket.receive_bytes()
        code = await call.code()
        await socket.close()

    assert (typed.request_uuid, typed.data, typed.stream_type) == (uuid, b"ls\n", "stdin")
    assert (shown, code) == (b"\x01file", grpc.StatusCode.OK)
    assert ended_of(ended[1:]).message == "bash: executable file not found in $PATH"


Handler = Callable[[Any], Awaitable[bytes]]


class GoPrincipal(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Serves logs and terminals as the reference: not a word before it has one to say."""

    def __init__(self, logs: Handler, terminal: Handler) -> None:
        self._logs, self._terminal = logs, terminal

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        match handler_call_details.method:
            case "/principal.apis.logstreamapi.LogStreamService/StreamLogs":
                return grpc.stream_unary_rpc_method_handler(self._collect)
            case "/terminalstreamapi.TerminalStreamService/StreamTerminal":
                return grpc.stream_stream_rpc_method_handler(self._duplex)
        return None

    async def _collect(self, _requests: Any, context: Any) -> bytes:
        return await self._logs(context)

    async def _duplex(self, _requests: Any, context: Any) -> None:
        await self._terminal(context)


async def nothing(context: Any) -> bytes:
    raise AssertionError("not in this test")


@contextlib.asynccontextmanager
async def a_go_principal(
    pods: FakePods, logs: Handler = nothing, terminal: Handler = nothing
) -> AsyncIterator[tuple[LogServer, TerminalServer]]:
    """Our agent, connected in plaintext to a Go principal."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((GoPrincipal(logs, terminal),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    calls = Calls()
    log_server = LogServer(pods, calls, everything, limit=4)
    terminal_server = TerminalServer(pods, calls, everything, limit=4)
    running = asyncio.gather(log_server.run(), terminal_server.run())
    try:
        async with dial(DialOptions(endpoint=Endpoint(host="127.0.0.1", port=port, tls=None))) as channel:
            calls.opened(channel, LoginReply(access_token=TOKEN))
            yield log_server, terminal_server
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.stop(0)


def a_log_request(**options: Any) -> Event:
    wanted = ContainerLogRequest(uuid="u", namespace="default", pod_name="web", **options)
    return Event(Target.CONTAINER_LOG, "GET", ResourceId("u"), EventId("u"), encode(wanted))


@pytest.mark.feature("A-91")
async def test_a_go_principal_gets_a_log_with_its_uuid_first() -> None:
    frames: list[LogStreamData] = []
    done = asyncio.Event()

    async def take(context: Any) -> bytes:
        while not (frames and frames[-1].eof):
            frames.append(LogStreamData.FromString(await context.read()))
        done.set()
        return bytes(LogStreamResponse(request_uuid="u", status=200).SerializeToString())

    pods = FakePods()
    pods.say(0, "one")
    async with a_go_principal(pods, logs=take) as (server, _):
        await server.handle(a_log_request())
        await done.wait()

    assert frames[0] == LogStreamData(request_uuid="u")
    assert b"".join(frame.data for frame in frames) == b"one\n"
    assert {frame.request_uuid for frame in frames} == {"u"}


@pytest.mark.feature("A-92")
async def test_after_a_cut_a_go_principal_gets_the_log_from_a_little_before() -> None:
    bodies: list[bytes] = []
    done = asyncio.Event()

    async def take(context: Any) -> bytes:
        bodies.append(b"")
        while b"2" not in bodies[-1]:
            bodies[-1] += LogStreamData.FromString(await context.read()).data
        if len(bodies) == 1:
            context.set_code(grpc.StatusCode.UNAVAILABLE)
            return b""
        done.set()
        context.set_code(grpc.StatusCode.NOT_FOUND)
        return b""

    pods = FakePods()
    for second in range(3):
        pods.say(second * 10**9, f"line {second}")
    async with a_go_principal(pods, logs=take) as (server, _):
        await server.handle(a_log_request(follow=True))
        await done.wait()
        tasks = [task for task in asyncio.all_tasks() if task.get_name() == "log u"]
        await asyncio.gather(*tasks)

    assert bodies == [b"line 0\nline 1\nline 2\n", b"line 1\nline 2\n"]


@pytest.mark.feature("A-94")
async def test_a_go_principal_gets_a_terminal() -> None:
    heard: list[TerminalStreamData] = []
    done = asyncio.Event()

    async def serve(context: Any) -> bytes:
        heard.append(TerminalStreamData.FromString(await context.read()))
        await context.write(terminal_frame(request_uuid="u", resize=True, cols=100, rows=30))
        await context.write(terminal_frame(request_uuid="u", data=b"exit 3\n", stream_type="stdin"))
        heard.append(TerminalStreamData.FromString(await context.read()))
        done.set()
        return b""

    wanted = ContainerTerminalRequest(
        uuid="u", namespace="d", pod_name="p", container_name="c", tty=True, stdin=True, stdout=True, stderr=True
    )
    pods = FakePods()
    event = Event(Target.TERMINAL, EventType.TERMINAL_REQUEST, ResourceId("u"), EventId("u"), encode(wanted))
    async with a_go_principal(pods, terminal=serve) as (_, server):
        await server.handle(event)
        await done.wait()

    assert heard == [
        TerminalStreamData(request_uuid="u"),
        TerminalStreamData(request_uuid="u", error="command terminated with exit code 3"),
    ]
    assert pods.commands[0].sizes == [(80, 24), (100, 30)]
