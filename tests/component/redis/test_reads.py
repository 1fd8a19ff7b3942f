"""Reading agents' keys: what they say, and what they said last."""

import asyncio
import gzip

import pytest

from argocd_agent.codec import decode_any
from argocd_agent.protocol.events import AgentName
from argocd_agent.proxies.redis.lastknown import LastKnown
from argocd_agent.proxies.redis.reads import GET_SECONDS, Answer, Reads
from tests.support.asks import Line, a_line
from tests.support.world import passing

AGENT, OTHER = AgentName("agent-1"), AgentName("agent-2")
TREE, SPOKE_TREE = "app|resources-tree|agent-1_guestbook|1.8.3.gz", "app|resources-tree|guestbook|1.8.3.gz"
MANAGED, SPOKE_MANAGED = "app|managed-resources|agent-1_guestbook|1.8.3", "app|managed-resources|guestbook|1.8.3"
DOCUMENT = gzip.compress(b'{"nodes":[{"kind":"Deployment"}]}', mtime=0)


def reads_through(line: Line, counted: list[tuple[AgentName, bool]] | None = None) -> Reads:
    count = (lambda agent, failed: counted.append((agent, failed))) if counted is not None else (lambda *_: None)
    return Reads(line, LastKnown(), lambda: 1_800_000_000 + asyncio.get_running_loop().time(), count)


@pytest.mark.feature("P-104", "A-87")
async def test_a_value_is_the_spokes_byte_for_byte() -> None:
    async with a_line() as line:
        await line.cache.set(SPOKE_MANAGED, bytes(range(256)), ttl_seconds=60)

        answer = await reads_through(line).get(AGENT, MANAGED, "connection")

    assert answer == Answer(bytes(range(256)))
    assert line.counted == [("get", False)]


@pytest.mark.feature("P-105", "A-87")
async def test_what_the_spoke_does_not_have_is_nothing_even_if_it_had_it() -> None:
    async with a_line() as line:
        reads = reads_through(line)
        await line.cache.set(SPOKE_TREE, DOCUMENT, ttl_seconds=10)
        await reads.get(AGENT, TREE, "connection")
        await passing(11)

        missed = await reads.get(AGENT, TREE, "connection")
        line.cut()
        afterwards = await reads.get(AGENT, TREE, "connection")

    assert missed == Answer(None)
    assert afterwards == Answer(failure="ERR agent agent-1 is not connected")


async def test_an_empty_value_is_a_value() -> None:
    async with a_line() as line:
        await line.cache.set(SPOKE_TREE, b"", ttl_seconds=10)

        assert await reads_through(line).get(AGENT, TREE, "connection") == Answer(b"")


@pytest.mark.feature("A-87")
async def test_a_failure_on_the_spoke_is_told_with_its_reason() -> None:
    counted: list[tuple[AgentName, bool]] = []
    async with a_line() as line:
        line.cache.is_away = True

        answer = await reads_through(line, counted).get(AGENT, TREE, "connection")
        odd = await reads_through(line).get(AGENT, "mfst|x", "connection")

    assert answer == Answer(failure="ERR agent agent-1: the cache is away")
    assert odd.failure.startswith("ERR agent agent-1: cache key: expected app|resources-tree|")
    assert counted == [(AGENT, True)]


async def test_a_silent_agent_is_waited_for_so_long() -> None:
    async with a_line() as line:
        line.is_silent = True

        answer = await reads_through(line).get(AGENT, TREE, "connection")

        assert answer == Answer(failure=f"ERR agent agent-1 did not answer within {GET_SECONDS:g} s")
        assert asyncio.get_running_loop().time() == GET_SECONDS


@pytest.mark.feature("P-104")
async def test_with_the_agent_away_its_last_tree_says_how_old_it_is() -> None:
    async with a_line() as line:
        reads = reads_through(line)
        await line.cache.set(SPOKE_TREE, DOCUMENT, ttl_seconds=10_000)
        await line.cache.set(SPOKE_MANAGED, b"managed", ttl_seconds=10_000)
        await reads.get(AGENT, TREE, "connection")
        await reads.get(AGENT, MANAGED, "connection")
        await passing(3600)
        line.cut()

        tree = await reads.get(AGENT, TREE, "connection")
        managed = await reads.get(AGENT, MANAGED, "connection")
        newest = reads.known.newest(AGENT)

    assert tree.value is not None
    assert decode_any(gzip.decompress(tree.value))["nodes"][0]["info"] == [
        {"name": "as of", "value": "2027-01-15T08:00:00Z, the agent does not answer"}
    ]
    assert managed == Answer(b"managed")
    assert newest == 1_800_000_000


def test_last_words_are_bounded_and_the_least_used_goes_first() -> None:
    known = LastKnown(limit_bytes=100)
    for number in range(4):
        known.note(AGENT, str(number), b"x" * 25, number)
    known.get(AGENT, "0")

    known.note(OTHER, "new", b"x" * 25, 9)
    known.note(OTHER, "large", b"x" * 26, 9)

    kept = [key for key in "0123" if known.get(AGENT, key)]
    assert (kept, known.used_bytes, known.get(OTHER, "large")) == (["0", "2", "3"], 100, None)
    assert (known.newest(AGENT), known.newest(OTHER)) == (3, 9)


def test_an_agent_that_is_forgotten_leaves_nothing() -> None:
    known = LastKnown()
    known.note(AGENT, "a", b"1", 1)
    known.note(OTHER, "a", b"2", 1)

    known.forget(AGENT)

    assert (known.get(AGENT, "a"), known.newest(AGENT), known.used_bytes) == (None, None, 1)
