"""Logs on the hub: Argo CD's side real HTTP bytes without a socket, the agent's side in memory, on virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from aiohttp import web

from argocd_agent.protocol.events import AgentName, Event, Target
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import METADATA_LOG_BYTES
from argocd_agent.proxies.logs import FIRST_WORD_SECONDS, RESUME_SECONDS, STATIC_SECONDS, Logs
from argocd_agent.proxies.reach import Reached
from argocd_agent.transport.gate import CallerGone, Identity, StreamCut, StreamFailed, UnknownRequest
from argocd_agent.wire.datastreams import LogFrame, LogReply
from argocd_agent.wire.payloads import decode
from argocd_agent.wire.requests import ContainerLogRequest
from tests.support.framepair import ServedEnd
from tests.support.memoryhttp import MemoryHttp
from tests.support.world import passing

A1, A2 = AgentName("agent-1"), AgentName("agent-2")
End = ServedEnd[LogFrame, LogReply]


@dataclass
class Bench:
    """Logs, an agent's end, and Argo CD's."""

    logs: Logs
    events: list[Event] = field(default_factory=list)
    tasks: list[asyncio.Task[LogReply]] = field(default_factory=list)
    lines: list[MemoryHttp] = field(default_factory=list)

    async def ask(self, query: str = "", namespace: str = "default", pod: str = "web") -> MemoryHttp:
        async def handler(request: web.Request) -> web.StreamResponse:
            return await self.logs(A1, request, SimpleNamespace(namespace=namespace, name=pod))

        line = MemoryHttp(handler)
        self.lines.append(line)
        line.ask(f"/api/v1/namespaces/default/pods/web/log?{query}")
        await passing(0.01)
        return line

    @property
    def wanted(self) -> ContainerLogRequest:
        return decode(self.events[-1].data, ContainerLogRequest)

    def call(self, agent: AgentName = A1, uuid: str = "") -> tuple[End, asyncio.Task[LogReply]]:
        """The agent's call, with its first frame."""
        stream = End()
        stream.feed(LogFrame(uuid or self.wanted.uuid))
        task = asyncio.create_task(self.logs.stream(Identity(agent, Mode.MANAGED), stream))
        self.tasks.append(task)
        return stream, task


@contextlib.asynccontextmanager
async def a_bench(limit: int = 4, connected: bool = True) -> AsyncIterator[Bench]:
    events: list[Event] = []
    reached = Reached(Mode.MANAGED, is_reference=False, send=events.append)
    bench = Bench(
        Logs(lambda name: reached if connected else None, limit=limit, clock_ns=lambda: 1_795_262_400 * 10**9), events
    )
    try:
        yield bench
    finally:
        for task in bench.tasks:
            task.cancel()
        await asyncio.gather(*bench.tasks, return_exceptions=True)
        for line in bench.lines:
            await line.end()


@pytest.mark.feature("P-97")
async def test_a_static_log_comes_whole_and_ends() -> None:
    async with a_bench() as bench:
        line = await bench.ask("tailLines=5&timestamps=True&container=c&sinceSeconds=x&limitBytes=100")
        stream, outcome = bench.call()
        stream.feed(LogFrame("", b"one\n"), LogFrame("", b"two\n"), LogFrame("", is_end=True))
        await passing(0.1)

        assert (line.status, line.body, line.is_whole) == (200, b"one\ntwo\n", True)
        assert line.headers["content-type"] == "text/plain; charset=utf-8"
        assert line.headers["cache-control"] == "no-cache, no-transform"
        assert outcome.result() == LogReply(bench.wanted.uuid, 200)
        (event,) = bench.events
        assert (event.target, event.type) == (Target.CONTAINER_LOG, "GET")
        assert (event.resource_id, event.event_id) == (bench.wanted.uuid, bench.wanted.uuid)
        wanted = bench.wanted
        assert (wanted.tail_lines, wanted.since_seconds, wanted.limit_bytes) == (5, None, 100)
        assert (wanted.timestamps, wanted.follow, wanted.container) == (True, False, "c")


@pytest.mark.feature("P-98")
async def test_followed_frames_are_passed_on_one_by_one_as_they_come() -> None:
    async with a_bench() as bench:
        line = await bench.ask("follow=true")
        stream, _ = bench.call()
        bodies = []
        for text in (b"one\n", b"two\n"):
            stream.feed(LogFrame("", text))
            await passing(1)
            bodies.append(line.body)
        await passing(3600)

        assert bodies == [b"one\n", b"one\ntwo\n"]
        assert not line.is_whole
        assert len(bench.logs) == 1


@pytest.mark.feature("P-98")
async def test_a_client_that_goes_away_ends_the_agents_call_at_once() -> None:
    async with a_bench() as bench:
        line = await bench.ask("follow=true")
        _, outcome = bench.call()
        await passing(1)
        line.hang_up()
        await passing(0.1)

        assert isinstance(outcome.exception(), CallerGone)
        assert len(bench.logs) == 0


@pytest.mark.feature("P-99")
async def test_logs_that_nobody_asked_for_are_refused_also_those_of_another_agent() -> None:
    async with a_bench() as bench:
        await bench.ask("follow=true")
        _, unknown = bench.call(uuid="no-such")
        _, foreign = bench.call(A2)
        await passing(0.1)

        assert isinstance(unknown.exception(), UnknownRequest)
        assert isinstance(foreign.exception(), UnknownRequest)


@pytest.mark.feature("P-97")
@pytest.mark.parametrize(("timestamps", "prefix"), [("true", b"2026-11-21T12:00:00Z "), ("false", b"")])
async def test_a_silent_agent_is_given_180_seconds_and_then_the_log_says_so(timestamps: str, prefix: bytes) -> None:
    async with a_bench() as bench:
        line = await bench.ask(f"timestamps={timestamps}")
        await passing(STATIC_SECONDS - 1)
        before = line.body
        await passing(1)

        assert before == b""
        assert (line.status, line.body) == (200, prefix + b"Timeout fetching logs from agent\n")
        assert line.is_whole


async def test_the_180_seconds_count_from_what_came_last() -> None:
    async with a_bench() as bench:
        line = await bench.ask()
        stream, _ = bench.call()
        for _ in range(3):
            await passing(STATIC_SECONDS - 10)
            stream.feed(LogFrame("", b"x\n"))
        await passing(STATIC_SECONDS + 1)

        assert line.body == b"x\nx\nx\nTimeout fetching logs from agent\n"


@pytest.mark.feature("P-97")
async def test_an_agent_that_cannot_read_the_log_gives_an_error_that_argo_cd_can_show() -> None:
    async with a_bench() as bench:
        line = await bench.ask()
        stream, outcome = bench.call()
        stream.feed(LogFrame("", is_end=True, error='container "c" is waiting to start'))
        await passing(0.1)

        assert line.status == 500
        assert b'"message":"container \\"c\\" is waiting to start"' in line.body
        assert isinstance(outcome.exception(), StreamFailed)


async def test_the_status_line_comes_with_the_first_word_or_after_a_short_while() -> None:
    async with a_bench() as bench:
        silent = await bench.ask("follow=true")
        bench.call()
        await passing(FIRST_WORD_SECONDS - 0.1)
        early = silent.status
        await passing(0.2)
        spoken = await bench.ask("follow=true")
        stream, _ = bench.call()
        stream.feed(LogFrame(""))
        await passing(0.1)

        assert (early, silent.status, spoken.status) == (0, 200, 200)


@pytest.mark.feature("A-92", "P-98")
async def test_after_a_cut_the_agent_hears_how_much_has_arrived_and_goes_on() -> None:
    async with a_bench() as bench:
        line = await bench.ask("follow=true")
        first, _ = bench.call()
        first.feed(LogFrame("", b"one\n"))
        await passing(1)
        first.lost("the connection is gone")
        await passing(10)
        second, outcome = bench.call()
        second.feed(LogFrame("", b"two\n"), LogFrame("", is_end=True))
        await passing(1)

        assert first.said == {METADATA_LOG_BYTES: "0"}
        assert second.said == {METADATA_LOG_BYTES: "4"}
        assert (line.body, line.is_whole) == (b"one\ntwo\n", True)
        assert outcome.result().status == 200


async def test_a_new_call_takes_the_place_of_one_whose_end_was_not_noticed() -> None:
    async with a_bench() as bench:
        line = await bench.ask("follow=true")
        _, stale = bench.call()
        await passing(1)
        second, _ = bench.call()
        second.feed(LogFrame("", b"one\n"))
        await passing(1)

        assert isinstance(stale.exception(), StreamCut)
        assert line.body == b"one\n"


async def test_a_followed_log_that_nobody_goes_on_with_ends_like_a_broken_one() -> None:
    async with a_bench() as bench:
        line = await bench.ask("follow=true")
        stream, _ = bench.call()
        stream.feed(LogFrame("", b"one\n"))
        await passing(1)
        stream.lost("the connection is gone")
        await passing(RESUME_SECONDS + 1)

        assert (line.body, line.is_whole, line.is_closed) == (b"one\n", False, True)


async def test_a_static_log_that_is_cut_does_not_look_like_a_whole_one() -> None:
    async with a_bench() as bench:
        line = await bench.ask()
        stream, _ = bench.call()
        stream.feed(LogFrame("", b"one\n"))
        await passing(1)
        stream.lost("the connection is gone")
        await passing(1)

        assert (line.body, line.is_whole, line.is_closed) == (b"one\n", False, True)


@pytest.mark.feature("P-97")
async def test_a_reader_that_reads_no_more_holds_up_the_agent() -> None:
    async with a_bench() as bench:
        line = await bench.ask("follow=true")
        stream, _ = bench.call()
        stream.feed(LogFrame("", b"one\n"))
        await passing(1)
        line.stop_reading()
        stream.feed(*[LogFrame("", b"x" * 65536) for _ in range(100)])
        await passing(60)
        held = stream.taken
        line.read_on()
        await passing(60)

        assert held <= 5
        assert stream.taken == 102


@pytest.mark.feature("P-98")
async def test_a_reader_that_stands_still_does_not_keep_the_agent_from_going_on() -> None:
    async with a_bench() as bench:
        line = await bench.ask("follow=true")
        first, _ = bench.call()
        first.feed(LogFrame("", b"one\n"))
        await passing(1)
        line.stop_reading()
        first.feed(*[LogFrame("", b"x" * 99_999 + b"\n") for _ in range(9)])
        await passing(1)
        taken = first.taken
        first.drop("the connection is gone")
        second, _ = bench.call()
        await passing(1)
        said = int((second.said or {})[METADATA_LOG_BYTES])
        second.feed(LogFrame("", b"two\n"))
        line.read_on()
        await passing(1)

        assert said == 4 + 100_000 * (taken - 2)
        assert line.body == b"one\n" + (b"x" * 99_999 + b"\n") * (taken - 2) + b"two\n"


async def test_what_cannot_be_asked_is_answered_in_words() -> None:
    async with a_bench(connected=False) as away, a_bench(limit=1) as small:
        not_there = await away.ask()
        no_pod = await small.ask(pod="")
        await small.ask("follow=true")
        full = await small.ask()

        assert (not_there.status, no_pod.status, full.status) == (502, 400, 503)
        assert full.body == b"1 logs are being passed on already (--logs-max-sessions)\n"


async def test_an_agent_that_is_lost_before_it_answers_ends_a_static_log() -> None:
    async with a_bench() as bench:
        line = await bench.ask()
        bench.logs.agent_lost(A2)
        await passing(1)
        before = len(bench.logs)
        bench.logs.agent_lost(A1)
        await passing(1)

        assert (before, len(bench.logs)) == (1, 0)
        assert line.status == 502
