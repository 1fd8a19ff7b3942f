"""Terminals on the hub: Argo CD's side WebSocket bytes without a socket, the agent's in memory, on virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from argocd_agent.codec import decode_any
from argocd_agent.protocol.events import AgentName, Event, EventType, Target
from argocd_agent.protocol.modes import Mode
from argocd_agent.proxies.reach import Reached
from argocd_agent.proxies.terminal import ANSWER_SECONDS, Limits, Terminals
from argocd_agent.transport.gate import Identity, UnknownRequest
from argocd_agent.wire.datastreams import TerminalFrame
from argocd_agent.wire.execframes import V5, Ended, ended_of
from argocd_agent.wire.payloads import decode
from argocd_agent.wire.requests import ContainerTerminalRequest
from tests.support.framepair import ServedEnd
from tests.support.memoryhttp import MemoryHttp
from tests.support.world import passing

A1, A2 = AgentName("agent-1"), AgentName("agent-2")
End = ServedEnd[TerminalFrame, TerminalFrame]
PATH = "/api/v1/namespaces/default/pods/web/exec?container=app&command=bash&command=-l&stdin=true&tty=true"


@dataclass
class Bench:
    """Terminals, an agent's end, and Argo CD's."""

    terminals: Terminals
    events: list[Event]
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    lines: list[MemoryHttp] = field(default_factory=list)

    def line(self) -> MemoryHttp:
        async def handler(request: web.Request) -> web.StreamResponse:
            return await self.terminals(A1, request, SimpleNamespace(namespace="default", name="web"))

        self.lines.append(MemoryHttp(handler))
        return self.lines[-1]

    async def ask(self, *protocols: str) -> MemoryHttp:
        line = self.line()
        line.ask_websocket(PATH, *(protocols or (V5,)))
        await passing(0.1)
        return line

    @property
    def wanted(self) -> ContainerTerminalRequest:
        return decode(self.events[-1].data, ContainerTerminalRequest)

    async def call(self, agent: AgentName = A1, uuid: str = "") -> tuple[End, asyncio.Task[None]]:
        stream = End()
        stream.feed(TerminalFrame(request_uuid=uuid or self.wanted.uuid))
        task = asyncio.create_task(self.terminals.stream(Identity(agent, Mode.MANAGED), stream))
        self.tasks.append(task)
        await passing(0.1)
        return stream, task

    async def open(self, *protocols: str) -> tuple[MemoryHttp, End, asyncio.Task[None]]:
        line = await self.ask(*protocols)
        return line, *await self.call()


@contextlib.asynccontextmanager
async def a_bench(
    mode: Mode = Mode.MANAGED, is_reference: bool = False, connected: bool = True, **limits: Any
) -> AsyncIterator[Bench]:
    events: list[Event] = []
    reached = Reached(mode, is_reference, send=events.append)
    terminals = Terminals(
        lambda name: reached if connected else None, Limits(**{"sessions": 2, **limits}), clock=lambda: 1_795_262_400.0
    )
    bench = Bench(terminals, events)
    try:
        yield bench
    finally:
        for task in bench.tasks:
            task.cancel()
        await asyncio.gather(*bench.tasks, return_exceptions=True)
        for line in bench.lines:
            await line.end()


def the_recording(folder: Path) -> tuple[Path, dict[str, Any], list[list[Any]]]:
    """The one recording in *folder*: its path, header and events."""
    (path,) = folder.iterdir()
    header, *events = [decode_any(line) for line in path.read_bytes().splitlines()]
    return path, header, events


def a_frame(**fields: Any) -> TerminalFrame:
    return TerminalFrame(request_uuid="u", **fields)


@pytest.mark.feature("P-100")
async def test_a_terminal_passes_both_ways_in_the_best_protocol() -> None:
    async with a_bench() as bench:
        line, stream, _ = await bench.open("channel.k8s.io", "v4.channel.k8s.io", V5)
        line.message(b"\x00ls\n")
        line.message(b'\x04{"Width":120,"Height":40}')
        stream.feed(a_frame(data=b"$ ", stream_type="stdout"), a_frame(data=b"oops", stream_type="stderr"))
        await passing(1)

        uuid = bench.wanted.uuid
        assert (line.status, line.headers["sec-websocket-protocol"]) == (101, V5)
        assert stream.sent == [
            TerminalFrame(request_uuid=uuid, data=b"ls\n", stream_type="stdin"),
            TerminalFrame(request_uuid=uuid, is_resize=True, columns=120, rows=40),
        ]
        assert line.messages == [(2, b"\x01$ "), (2, b"\x02oops")]


@pytest.mark.feature("P-100")
async def test_the_request_names_pod_container_and_command() -> None:
    async with a_bench() as bench:
        await bench.ask()

        (event,), wanted = bench.events, bench.wanted
        assert (event.target, event.type) == (Target.TERMINAL, EventType.TERMINAL_REQUEST)
        assert (event.resource_id, event.event_id) == (wanted.uuid, wanted.uuid)
        assert (wanted.namespace, wanted.pod_name, wanted.container_name) == ("default", "web", "app")
        assert wanted.command == ("bash", "-l")
        assert all((wanted.tty, wanted.stdin, wanted.stdout, wanted.stderr))


@pytest.mark.feature("P-100")
async def test_a_command_that_ends_well_says_so_and_closes() -> None:
    async with a_bench() as bench:
        line, stream, call = await bench.open()
        stream.feed(a_frame(data=b"bye", stream_type="stdout"), a_frame(is_end=True))
        await passing(1)

        kinds = [kind for kind, _ in line.messages]
        assert kinds == [2, 2, 8]
        assert ended_of(line.messages[1][1][1:]) == Ended(0)
        assert line.messages[2][1] == (1000).to_bytes(2, "big")
        assert call.done()


@pytest.mark.feature("P-102")
@pytest.mark.parametrize(
    ("error", "ended"),
    [
        ("command terminated with exit code 130", Ended(130, "command terminated with exit code 130")),
        (
            'exec: "bash": executable file not found in $PATH',
            Ended(None, 'exec: "bash": executable file not found in $PATH'),
        ),
    ],
)
async def test_a_failure_is_said_on_the_error_channel(error: str, ended: Ended) -> None:
    async with a_bench() as bench:
        line, stream, _ = await bench.open()
        stream.feed(a_frame(error=error))
        await passing(1)

        assert line.messages[0][1][0] == 3
        assert ended_of(line.messages[0][1][1:]) == ended


@pytest.mark.feature("P-100")
async def test_when_the_browser_leaves_the_agents_call_ends_ok() -> None:
    async with a_bench() as bench:
        line, _, call = await bench.open()
        line.hang_up()
        await passing(1)

        assert (call.done(), call.exception(), len(bench.terminals)) == (True, None, 0)


async def test_the_end_of_input_reaches_the_agent() -> None:
    async with a_bench() as bench:
        line, stream, _ = await bench.open()
        line.message(b"\xff\x00")
        await passing(1)

        assert [frame.is_end for frame in stream.sent] == [True]


async def test_a_lost_agent_is_said_and_one_that_does_not_answer_too() -> None:
    async with a_bench() as bench:
        line, stream, _ = await bench.open()
        stream.lost("the connection is gone")
        silent = await bench.ask()
        await passing(ANSWER_SECONDS + 1)
        gone = await bench.ask()
        bench.terminals.agent_lost(A1)
        await passing(1)

        said = [ended_of(one.messages[0][1][1:]).message for one in (line, silent, gone)]
        assert said == [
            "the connection to agent agent-1 was lost: the connection is gone",
            "agent agent-1 did not answer within 30 s",
            "agent agent-1 is not connected any more",
        ]


async def test_a_terminal_that_nobody_asked_for_or_of_another_agent_or_twice_is_refused() -> None:
    async with a_bench() as bench:
        await bench.ask()
        _, unknown = await bench.call(uuid="no-such")
        _, foreign = await bench.call(A2)
        await bench.call()
        _, second = await bench.call()

        for task in (unknown, foreign, second):
            assert isinstance(task.exception(), UnknownRequest)


@pytest.mark.feature("P-101")
async def test_autonomous_agents_of_ours_have_terminals_and_those_of_the_reference_are_refused() -> None:
    async with a_bench(Mode.AUTONOMOUS) as ours, a_bench(Mode.AUTONOMOUS, is_reference=True) as reference:
        served = await ours.ask()
        refused = await reference.ask()

        assert (served.status, refused.status) == (101, 400)
        assert refused.body == b"web terminal is only supported for managed agents\n"


async def test_what_cannot_be_served_is_answered_in_words() -> None:
    async with a_bench(connected=False) as away, a_bench(sessions=1) as small:
        not_there = await away.ask()
        no_upgrade = small.line()
        no_upgrade.ask(PATH)
        await passing(0.1)
        unknown = await small.ask("base64.channel.k8s.io")
        await small.ask()
        full = await small.ask()

        assert [line.status for line in (not_there, no_upgrade, unknown, full)] == [502, 400, 400, 503]


async def test_a_terminal_ends_after_its_time_however_busy_it_is() -> None:
    async with a_bench(total_seconds=600, idle_seconds=100) as bench:
        line, stream, _ = await bench.open()
        for _ in range(59):
            stream.feed(a_frame(data=b".", stream_type="stdout"))
            await passing(10)
        before = len(bench.terminals)
        await passing(30)

        assert (before, len(bench.terminals)) == (1, 0)
        assert ended_of(line.messages[-2][1][1:]).message == "the terminal was closed: it may be open for 600 s"


async def test_a_terminal_in_which_nothing_happens_ends_earlier() -> None:
    async with a_bench(idle_seconds=100) as bench:
        line, _, _ = await bench.open()
        await passing(90)
        line.message(b"\x00x")
        await passing(90)
        before = len(bench.terminals)
        await passing(30)

        assert (before, len(bench.terminals)) == (1, 0)
        assert "nothing happened in it for 100 s" in ended_of(line.messages[-2][1][1:]).message


async def test_a_browser_that_reads_no_more_holds_up_the_agent() -> None:
    async with a_bench() as bench:
        line, stream, _ = await bench.open()
        line.stop_reading()
        stream.feed(*[a_frame(data=b"x" * 65536, stream_type="stdout") for _ in range(50)])
        await passing(60)
        held = stream.taken
        line.read_on()
        await passing(60)

        assert held <= 5
        assert stream.taken == 51


async def test_a_recording_shows_output_and_sizes_and_never_what_was_typed(tmp_path: Path) -> None:
    async with a_bench(recordings=tmp_path) as bench:
        line, stream, _ = await bench.open()
        await passing(1.9)
        stream.feed(a_frame(data="gr\u00fc".encode()[:-1], stream_type="stdout"))
        line.message(b"\x00secret")
        line.message(b'\x04{"Width":120,"Height":40}')
        await passing(1)
        stream.feed(a_frame(data="\u00fc".encode()[1:], stream_type="stdout"), a_frame(is_end=True))
        await passing(1)

    path, header, events = the_recording(tmp_path)
    assert (header["version"], header["command"], header["timestamp"]) == (2, "bash -l", 1_795_262_400)
    assert [(kind, text) for _, kind, text in events] == [("o", "gr"), ("r", "120x40"), ("o", "\u00fc")]
    assert 1.9 < events[0][0] < 2.3
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_recording_is_bounded_and_the_terminal_goes_on(tmp_path: Path) -> None:
    async with a_bench(recordings=tmp_path, recording_bytes=100) as bench:
        line, stream, _ = await bench.open()
        stream.feed(a_frame(data=b"x" * 60), a_frame(data=b"y" * 60), a_frame(data=b"z"))
        await passing(1)

        assert len(line.messages) == 3
        _, _, events = the_recording(tmp_path)
        assert events[-1][1:] == ["m", "the recording has reached its limit"]


async def test_a_terminal_that_cannot_be_recorded_is_refused(tmp_path: Path) -> None:
    async with a_bench(recordings=tmp_path / "missing") as bench:
        line = await bench.ask()

        assert (line.status, bench.events) == (500, [])
