"""The agent's server of terminals, between pods without a cluster and a hub without a network, on virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from argocd_agent.agent.serve.ports import everything
from argocd_agent.agent.serve.terminal import TerminalServer
from argocd_agent.errors import AuthenticationFailed, EventDiscarded, EventRefused, NotFound, StreamClosed, Unavailable
from argocd_agent.protocol.events import Event, EventId, EventType, ResourceId, Target
from argocd_agent.wire.datastreams import TerminalFrame
from argocd_agent.wire.execframes import SUCCESS, Ended
from argocd_agent.wire.payloads import encode
from argocd_agent.wire.requests import ContainerTerminalRequest
from tests.support.loghub import HubTerminal, LogHub
from tests.support.pods import FakeExec, FakePods
from tests.support.world import passing


def a_request(uuid: str = "u-1", command: tuple[str, ...] = ("bash",)) -> Event:
    wanted = ContainerTerminalRequest(
        uuid=uuid,
        namespace="default",
        pod_name="web",
        container_name="app",
        command=command,
        tty=True,
        stdin=True,
        stdout=True,
        stderr=True,
    )
    return Event(Target.TERMINAL, EventType.TERMINAL_REQUEST, ResourceId(uuid), EventId(uuid), encode(wanted))


def a_frame(**fields: Any) -> TerminalFrame:
    return TerminalFrame(request_uuid="u-1", **fields)


@contextlib.asynccontextmanager
async def serving(pods: FakePods, hub: LogHub, **options: Any) -> AsyncIterator[TerminalServer]:
    server = TerminalServer(pods, hub, options.pop("is_allowed", everything), **{"limit": 2, **options})
    running = asyncio.create_task(server.run())
    await passing(0.01)
    try:
        yield server
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@contextlib.asynccontextmanager
async def an_open_terminal() -> AsyncIterator[tuple[TerminalServer, HubTerminal, FakeExec]]:
    pods, hub = FakePods(), LogHub()
    async with serving(pods, hub) as server:
        await server.handle(a_request())
        await passing(1)
        yield server, hub.terminals[0], pods.commands[0]


@pytest.mark.feature("A-94")
async def test_a_terminal_begins_with_its_uuid_alone_and_80_by_24() -> None:
    async with an_open_terminal() as (_, call, command):
        assert call.frames == [a_frame()]
        assert command.sizes == [(80, 24)]
        assert (command.command.container, command.command.words, command.command.tty) == ("app", ("bash",), True)


@pytest.mark.feature("A-94")
async def test_input_sizes_and_output_pass() -> None:
    async with an_open_terminal() as (_, call, command):
        call.down.put_nowait(a_frame(data=b"ls\n", stream_type="stdin"))
        call.down.put_nowait(a_frame(data=b"not input", stream_type="stdout"))
        call.down.put_nowait(a_frame(is_resize=True, columns=120, rows=40))
        await passing(1)

        assert (command.typed, command.sizes[-1]) == (b"ls\n", (120, 40))
        assert call.frames[-1] == a_frame(data=b"ls\n", stream_type="stdout")


@pytest.mark.feature("A-94")
@pytest.mark.parametrize(
    ("ended", "last"),
    [
        (SUCCESS, a_frame(is_end=True)),
        (
            Ended(3, "command terminated with exit code 3"),
            a_frame(error="command terminated with exit code 3"),
        ),
        (
            Ended(None, 'exec: "bash": executable file not found in $PATH'),
            a_frame(error='exec: "bash": executable file not found in $PATH'),
        ),
        (Unavailable("the connection is gone"), a_frame(error="the connection is gone")),
    ],
)
async def test_how_it_ended_is_the_last_frame(ended: Ended | Unavailable, last: TerminalFrame) -> None:
    async with an_open_terminal() as (server, call, command):
        command.outputs.put_nowait(ended)
        await passing(10)

        assert call.frames[-1] == last
        assert (command.is_closed, call.is_lost, len(server.running)) == (True, True, 0)


@pytest.mark.feature("A-94")
async def test_the_end_of_input_is_passed_on() -> None:
    async with an_open_terminal() as (_, call, command):
        call.down.put_nowait(a_frame(is_end=True))
        await passing(10)

        assert command.is_stdin_closed
        assert call.frames[-1] == a_frame(is_end=True)


@pytest.mark.feature("A-95", "A-94")
@pytest.mark.parametrize("end", [StreamClosed("the principal has ended it"), a_frame(error="cancelled")])
async def test_when_the_hub_ends_it_the_command_ends(end: Any) -> None:
    async with an_open_terminal() as (server, call, command):
        call.down.put_nowait(end)
        await passing(10)

        assert (command.is_closed, len(server.running)) == (True, 0)


@pytest.mark.feature("A-95")
async def test_a_connection_lost_while_one_begins_ends_nothing_else() -> None:
    pods, hub = FakePods(), LogHub()
    async with serving(pods, hub) as server:
        await server.handle(a_request("u-1"))
        await passing(1)
        hub.refuses = StreamClosed("the connection is gone")
        await server.handle(a_request("u-2"))
        await passing(1)

        assert (len(server.running), len(pods.commands)) == (1, 1)
        assert not pods.commands[0].is_closed


@pytest.mark.feature("A-15")
async def test_a_token_that_is_not_taken_leads_to_a_new_login() -> None:
    pods, hub = FakePods(), LogHub(refuses=AuthenticationFailed("UNAUTHENTICATED"))
    async with serving(pods, hub) as server:
        await server.handle(a_request())
        await passing(1)

    assert hub.renewed == ["UNAUTHENTICATED"]


@pytest.mark.feature("A-93")
async def test_a_request_that_comes_twice_is_served_once() -> None:
    async with an_open_terminal() as (server, _, _):
        with pytest.raises(EventDiscarded):
            await server.handle(a_request())


async def test_what_cannot_be_served_is_told() -> None:
    async def nothing(namespace: str, pod: str) -> bool:
        return False

    errors = []
    for pods, options in (
        (FakePods(refuses=NotFound('pods "web" not found')), {}),
        (FakePods(), {"is_allowed": nothing}),
        (FakePods(), {"is_enabled": False}),
    ):
        hub = LogHub()
        async with serving(pods, hub, **options) as server:
            await server.handle(a_request())
            await passing(10)
        errors.append(hub.terminals[0].frames[-1].error)

    assert errors == [
        'pods "web" not found',
        "pod default/web does not belong to an Application",
        "terminals are switched off on this agent (--terminal-enable)",
    ]


async def test_no_command_means_a_shell_and_too_many_terminals_are_refused() -> None:
    pods, hub = FakePods(), LogHub()
    async with serving(pods, hub, limit=1) as server:
        await server.handle(a_request("u-1", command=()))
        await server.handle(a_request("u-2"))
        with pytest.raises(EventRefused):
            await server.handle(a_request("u-3"))
        await passing(1)

        assert pods.commands[0].command.words == ("sh",)
        assert "serves 1 terminals already" in hub.terminals[1].frames[-1].error
