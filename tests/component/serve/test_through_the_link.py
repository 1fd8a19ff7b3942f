"""Logs and terminals from Argo CD's socket to the pod: both ends of ours over gRPC and TLS, HTTP and WebSocket."""

import asyncio
import tracemalloc

import aiohttp
import pytest

from argocd_agent.wire.execframes import V5, Ended, ended_of
from tests.component.serve.datalink import a_bench, until_served
from tests.support.pods import FakePods

pytestmark = pytest.mark.real_time(60)


@pytest.mark.feature("P-97", "A-91", "C-45")
async def test_100_mb_of_log_come_byte_for_byte_with_flat_memory() -> None:
    pods = FakePods()
    pods.say(0, "x" * (100 << 20))
    size = 0

    async with a_bench(pods) as bench, bench.connection(), aiohttp.ClientSession() as session:
        response = await session.get(f"{bench.url}/log")
        tracemalloc.start()
        async for piece in response.content.iter_any():
            size += len(piece)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert (response.status, size) == (200, (100 << 20) + 1)
    assert peak < 16 << 20


@pytest.mark.feature("P-98", "A-92", "C-45")
async def test_a_followed_log_goes_on_over_the_next_connection_and_ends_when_the_reader_leaves() -> None:
    pods = FakePods()
    wanted = [f"line {number} " + "x" * 50 for number in range(3000)]

    async with a_bench(pods) as bench, aiohttp.ClientSession() as session:
        async with bench.connection():
            for number, text in enumerate(wanted[:2000]):
                pods.say(number * 1000, text)
            response = await session.get(f"{bench.url}/log?follow=true")
            found = await response.content.readexactly(1000)
        for number, text in enumerate(wanted[2000:]):
            pods.say((2000 + number) * 1000, text)
        async with bench.connection():
            whole = "".join(f"{text}\n" for text in wanted).encode()
            found += await response.content.readexactly(len(whole) - 1000)
            response.close()
            await until_served("log")

    assert found == whole
    assert pods.open_logs == 0


@pytest.mark.feature("C-45")
async def test_200_follows_at_once_all_get_their_lines() -> None:
    pods = FakePods()

    unlimited = aiohttp.TCPConnector(limit=0)
    async with a_bench(pods) as bench, bench.connection(), aiohttp.ClientSession(connector=unlimited) as session:
        responses = await asyncio.gather(*[session.get(f"{bench.url}/log?follow=true") for _ in range(200)])
        for number in range(10):
            pods.say(number, f"line {number}")
        wanted = "".join(f"line {number}\n" for number in range(10)).encode()
        found = await asyncio.gather(*[response.content.readexactly(len(wanted)) for response in responses])
        for response in responses:
            response.close()

    assert set(found) == {wanted}


@pytest.mark.feature("P-100", "A-94", "C-46")
async def test_a_terminal_reaches_from_the_browser_to_the_pod_and_its_exit_code_back() -> None:
    pods = FakePods()

    async with a_bench(pods) as bench, bench.connection(), aiohttp.ClientSession() as session:
        socket = await session.ws_connect(f"{bench.url}/exec?command=sh", protocols=(V5,))
        await socket.send_bytes(b"\x00hello")
        echoed = await socket.receive_bytes()
        await socket.send_bytes(b'\x04{"Width":120,"Height":40}')
        await socket.send_bytes(b"\x00exit 3\n")
        ended = await socket.receive_bytes()
        closed = await socket.receive()

    assert (socket.protocol, echoed) == (V5, b"\x01hello")
    assert ended_of(ended[1:]) == Ended(3, "command terminated with exit code 3")
    assert (closed.type, socket.close_code) == (aiohttp.WSMsgType.CLOSE, 1000)
    assert pods.commands[0].sizes == [(80, 24), (120, 40)]


@pytest.mark.feature("A-95")
async def test_a_connection_lost_during_a_terminal_ends_it_at_both_ends() -> None:
    pods = FakePods()

    async with a_bench(pods) as bench, aiohttp.ClientSession() as session:
        async with bench.connection():
            socket = await session.ws_connect(f"{bench.url}/exec?command=sh", protocols=(V5,))
            await socket.send_bytes(b"\x00hello")
            await socket.receive_bytes()
        ended = await socket.receive_bytes()
        await socket.close()

    assert "was lost" in ended_of(ended[1:]).message
    assert pods.commands[0].is_closed


@pytest.mark.feature("P-100", "A-94")
async def test_a_browser_that_leaves_ends_the_command() -> None:
    pods = FakePods()

    async with a_bench(pods) as bench, bench.connection(), aiohttp.ClientSession() as session:
        socket = await session.ws_connect(f"{bench.url}/exec?command=sh", protocols=(V5,))
        await socket.send_bytes(b"\x00hello")
        await socket.receive_bytes()
        await socket.close()
        await until_served("terminal")

    assert pods.commands[0].is_closed
