"""Our client of Redis where the other end is slow, silent, broken or gone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from argocd_agent.backends.redis.client import RedisCache, RedisOptions
from argocd_agent.errors import CacheRefused, CacheUnavailable
from argocd_agent.settings.values import Secret
from tests.support.world import passing

pytestmark = pytest.mark.real_time(timeout=20)

HELLO = b"%1\r\n+proto\r\n:3\r\n"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A server that does what *script* says to each connection."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        await self._script(reader, writer)


@contextlib.asynccontextmanager
async def against(script: Script, answer_timeout_seconds: float = 5.0) -> AsyncIterator[tuple[RedisCache, Server]]:
    server = Server(script)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    options = RedisOptions(
        host="127.0.0.1",
        port=listening.sockets[0].getsockname()[1],
        password=Secret("hidden"),
        answer_timeout_seconds=answer_timeout_seconds,
    )
    cache = RedisCache(lambda: options)
    try:
        yield cache, server
    finally:
        await cache.close()
        for writer in server.writers:
            writer.close()
        listening.close()


async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Lets in, and answers nothing."""
    await reader.readuntil(b"hidden\r\n")
    writer.write(HELLO)
    await reader.read()


async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Lets nobody in."""
    await reader.readuntil(b"hidden\r\n")
    writer.write(b"-WRONGPASS no\r\n")
    await reader.read()


def greets_then(data: bytes) -> Script:
    """Lets in, and answers the first command with *data*."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"hidden\r\n")
        writer.write(HELLO)
        await reader.read(100)
        writer.write(data)
        await reader.read()

    return script


async def test_silence_ends_the_connection_and_all_that_waits_on_it() -> None:
    async with against(greets, answer_timeout_seconds=0.2) as (cache, _):
        first, second = await asyncio.gather(cache.get("a"), cache.get("b"), return_exceptions=True)

    assert isinstance(first, CacheUnavailable)
    assert isinstance(second, CacheUnavailable)
    assert "no answer to GET within 0.2 s" in str(first)


async def test_requests_at_one_time_share_one_connection() -> None:
    async with against(greets, answer_timeout_seconds=0.2) as (cache, server):
        await asyncio.gather(*(cache.get(str(number)) for number in range(50)), return_exceptions=True)

        assert server.connections == 1


async def test_after_a_failure_nobody_dials_again_for_a_while() -> None:
    async with against(refuses) as (cache, server):
        for _ in range(50):
            with pytest.raises(CacheRefused, match="WRONGPASS") as refused:
                await cache.get("a")
            assert "hidden" not in str(refused.value)
        assert server.connections == 1

        await passing(0.6)
        with pytest.raises(CacheRefused):
            await cache.get("a")

        assert server.connections == 2


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"%1\r\n*0\r\n:1\r\n"])
async def test_a_server_that_is_no_redis_is_found_out(data: bytes) -> None:
    async with against(greets_then(data)) as (cache, _):
        with pytest.raises(CacheUnavailable, match="expected a reply"):
            await cache.get("a")


async def test_a_value_of_another_sort_is_refused() -> None:
    async with against(greets_then(b"*1\r\n:1\r\n")) as (cache, _):
        with pytest.raises(CacheRefused, match="GET a: expected a string, found list"):
            await cache.get("a")


async def test_an_error_names_command_key_and_place() -> None:
    async with against(greets_then(b"-WRONGTYPE it is a list\r\n")) as (cache, _):
        with pytest.raises(CacheRefused, match=r"Redis at 127\.0\.0\.1:\d+: GET a is refused: WRONGTYPE it is a list"):
            await cache.get("a")


async def test_a_subscription_that_is_refused_says_so_and_others_get_their_answers() -> None:
    async with against(greets_then(b"-NOPERM no channels\r\n$1\r\n1\r\n")) as (cache, _):

        async def heard() -> bytes:
            async with contextlib.aclosing(cache.subscribe("channel")) as messages:
                return await anext(messages)

        refused, value = await asyncio.gather(heard(), cache.get("a"), return_exceptions=True)

    assert isinstance(refused, CacheRefused)
    assert value == b"1"


async def test_a_request_given_up_does_not_leave_its_answer_to_another() -> None:
    both_came, may_answer = asyncio.Event(), asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"hidden\r\n")
        writer.write(HELLO)
        await reader.readuntil(b"key-b\r\n")
        both_came.set()
        await may_answer.wait()
        writer.write(b"$1\r\na\r\n$1\r\nb\r\n")
        await reader.read()

    async with against(script) as (cache, _):
        first = asyncio.create_task(cache.get("key-a"))
        second = asyncio.create_task(cache.get("key-b"))
        await both_came.wait()
        first.cancel()
        may_answer.set()

        assert await second == b"b"
    assert first.cancelled()


async def test_nobody_there_is_told_with_the_address() -> None:
    cache = RedisCache(lambda: RedisOptions(host="127.0.0.1", port=1))

    with pytest.raises(CacheUnavailable, match=r"Redis at 127\.0\.0\.1:1: .*"):
        await cache.ping()
