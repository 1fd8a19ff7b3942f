"""A link with faults, over real loopback sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from argocd_agent.demo.faults import HALF_OPEN, HEALTHY, LOOPBACK, Fault, Link

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@dataclass
class Bench:
    """A link in front of an echo server, and the clients that were connected through it."""

    link: Link
    clients: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self) -> Streams:
        reader, writer = await asyncio.open_connection(LOOPBACK, self.link.port)
        self.clients.append(writer)
        return reader, writer


@asynccontextmanager
async def a_bench(fault: Fault = HEALTHY) -> AsyncIterator[Bench]:
    server = await asyncio.start_server(_echo, LOOPBACK, 0)
    bench = Bench(Link(LOOPBACK, server.sockets[0].getsockname()[1], fault))
    running = asyncio.create_task(bench.link.run())
    try:
        yield bench
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        bench.link.close()
        for client in bench.clients:
            client.close()
        server.close()


def bounded(test: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(run())


async def ask(streams: Streams, data: bytes) -> bytes:
    streams[1].write(data)
    return await streams[0].readexactly(len(data))


def test_a_healthy_link_carries_every_byte_and_the_end_of_the_stream() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            reader, writer = await bench.connect()
            data = bytes(range(256)) * 8192  # 2 MiB
            writer.write(data)
            writer.write_eof()

            received = await reader.read(-1)

            assert received == data
            assert bench.link.carried_bytes == 2 * len(data)

    bounded(test)


def test_a_cut_resets_open_connections_and_whatever_comes() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            before = await bench.connect()
            assert await ask(before, b"ping") == b"ping"

            bench.link.cut()

            with pytest.raises(ConnectionResetError):
                await before[0].readexactly(1)
            with pytest.raises(ConnectionError):
                await ask(await bench.connect(), b"ping")
            assert bench.link.connections == 0

    bounded(test)


def test_a_restored_link_carries_new_connections_on_the_same_port() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            bench.link.cut()
            bench.link.restore()

            assert await ask(await bench.connect(), b"ping") == b"ping"

    bounded(test)


def test_a_half_open_link_swallows_without_closing() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            streams = await bench.connect()
            assert await ask(streams, b"ping") == b"ping"

            bench.link.set(HALF_OPEN)

            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await ask(streams, b"lost")
            fresh = await bench.connect()  # accepted
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await ask(fresh, b"lost")
            assert bench.link.connections == 2

    bounded(test)


def test_connections_that_lost_bytes_are_reset_when_a_half_open_link_is_restored() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            quiet, talking = await bench.connect(), await bench.connect()
            assert await ask(quiet, b"ping") == b"ping"
            bench.link.set(HALF_OPEN)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await ask(talking, b"lost")

            bench.link.restore()

            with pytest.raises(ConnectionResetError):
                await talking[0].readexactly(1)
            assert await ask(quiet, b"still here") == b"still here"

    bounded(test)


def test_a_delay_holds_up_each_way_and_keeps_the_order() -> None:
    async def test() -> None:
        async with a_bench(Fault(delay_seconds=0.1)) as bench:
            streams = await bench.connect()
            clock = asyncio.get_running_loop().time
            started = clock()

            answer = await ask(streams, b"one two three")

            assert answer == b"one two three"
            assert clock() - started >= 0.2

    bounded(test)


def test_a_throttled_link_keeps_to_its_pace_until_it_is_restored() -> None:
    async def test() -> None:
        async with a_bench(Fault(bytes_per_second=50_000)) as bench:
            streams = await bench.connect()
            clock = asyncio.get_running_loop().time
            started = clock()
            await ask(streams, b"x" * 20_000)
            throttled = clock() - started
            streams[1].write(b"y" * 500_000)  # ten seconds at that pace

            bench.link.restore()

            assert await streams[0].readexactly(500_000) == b"y" * 500_000
            assert throttled >= 0.4
            assert clock() - started < 5

    bounded(test)


def test_a_target_that_is_not_there_resets_the_connection() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            nobody = Link(LOOPBACK, bench.link.port)
        running = asyncio.create_task(nobody.run())
        reader, writer = await asyncio.open_connection(LOOPBACK, nobody.port)

        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)

        writer.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    bounded(test)


def test_a_stopped_link_closes_its_connections_and_its_port() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            streams = await bench.connect()
            assert await ask(streams, b"ping") == b"ping"
            port = bench.link.port

        with pytest.raises(ConnectionError):
            await streams[0].readexactly(1)
        with pytest.raises(ConnectionError):
            await asyncio.open_connection(LOOPBACK, port)

    bounded(test)
