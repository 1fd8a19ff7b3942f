"""watch: lines out of chunks, events out of lines, and when a silent line counts as dead."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argocd_agent.backends.kubernetes.watch import (
    GRACE_SECONDS,
    SILENCE_SECONDS,
    Lines,
    event_from,
    events,
    server_timeout_seconds,
)
from argocd_agent.backends.ports import WatchType
from argocd_agent.errors import Gone, Unavailable

ADDED = b'{"type":"ADDED","object":{"metadata":{"name":"x","resourceVersion":"7"},"spec":{"a":1}}}'
BOOKMARK = b'{"type":"BOOKMARK","object":{"kind":"Application","metadata":{"resourceVersion":"9"}}}'


class Script:
    """Chunks with the seconds that pass before each; silence at the end."""

    def __init__(self, *steps: tuple[float, bytes]) -> None:
        self._steps = list(steps)

    async def readany(self) -> bytes:
        seconds, chunk = self._steps.pop(0) if self._steps else (1e9, b"")
        done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(seconds, done.set_result, chunk)
        return await done


async def _drained(script: Script, timeout_seconds: int = 300) -> list[WatchType]:
    clock = asyncio.get_running_loop().time
    return [event.type async for event in events(script, "watch x", timeout_seconds, clock)]


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(0, 200)))
def test_lines_do_not_depend_on_where_chunks_are_cut(parts: list[bytes], cuts: list[int]) -> None:
    wanted = [part.replace(b"\n", b".") for part in parts]
    stream = b"".join(part + b"\n" for part in wanted)
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    lines = Lines()

    got = [line for start, end in itertools.pairwise(edges) for line in lines.feed(stream[start:end])]

    assert got == [part for part in wanted if part and not part.isspace()]


def test_a_line_without_end_is_refused() -> None:
    lines = Lines(longest_bytes=10)
    lines.feed(b"12345678")

    with pytest.raises(Unavailable, match="longer than 10 bytes"):
        lines.feed(b"9012")


def test_an_event_is_an_object_with_a_type() -> None:
    event = event_from(ADDED, "watch x")

    assert (event.type, event.object.name, event.object.version) == (WatchType.ADDED, "x", "7")
    assert event.object.look("spec") == {"a": 1}


def test_an_error_of_410_is_gone_and_any_other_is_unavailable() -> None:
    line = '{"type":"ERROR","object":{"kind":"Status","code":%d,"reason":"R","message":"too old: 1 (7)"}}'

    with pytest.raises(Gone, match=r"cannot watch x: too old: 1 \(7\) \(410 R\)"):
        event_from((line % 410).encode(), "watch x")
    with pytest.raises(Unavailable, match="cannot watch x: the server ended it: too old"):
        event_from((line % 500).encode(), "watch x")


@pytest.mark.parametrize(
    "line", [b"<html>", b"[]", b'{"type":"ADDED"}', b'{"type":"NEWS","object":{}}', b'{"type":1,"object":{}}', b"\xff"]
)
def test_what_is_no_event_is_unavailable(line: bytes) -> None:
    with pytest.raises(Unavailable, match="cannot watch x: the server sent"):
        event_from(line, "watch x")


def test_watches_opened_together_end_apart() -> None:
    assert [server_timeout_seconds(jitter) for jitter in (0.0, 0.5, 0.999)] == [300, 450, 599]


async def test_a_watch_ends_when_the_server_ends_it() -> None:
    assert await _drained(Script((1, ADDED + b"\n"), (100, b""))) == [WatchType.ADDED]


async def test_a_server_without_bookmarks_may_be_silent_to_its_own_timeout_and_a_grace() -> None:
    with pytest.raises(Unavailable, match="nothing came from the server"):
        await _drained(Script((1, ADDED + b"\n")), timeout_seconds=300)

    assert asyncio.get_running_loop().time() == 300 + GRACE_SECONDS


async def test_a_server_that_sent_a_bookmark_may_not_be_silent_for_long() -> None:
    with pytest.raises(Unavailable, match="nothing came from the server"):
        await _drained(Script((60, BOOKMARK + b"\n")), timeout_seconds=600)

    assert asyncio.get_running_loop().time() == 60 + SILENCE_SECONDS
