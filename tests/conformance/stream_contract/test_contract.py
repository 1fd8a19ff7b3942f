"""What every `EventStream` promises: the one in memory, on virtual time, and gRPC over TLS on loopback."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from argocd_agent.errors import EventRefused, StreamClosed
from argocd_agent.protocol.capabilities import announce, peer_from
from argocd_agent.protocol.events import Event
from argocd_agent.transport.memory import memory_pair
from argocd_agent.transport.stream import EventStream
from tests.component.transport.hub import LOGIN, TOKEN, PlainGate, a_hub, an_event, dialled
from tests.support.loop import run, run_in_real_time

LIMIT_BYTES = 1_000_000

Pair = tuple[EventStream, EventStream]
Case = Callable[[EventStream, EventStream], Awaitable[None]]


@contextlib.asynccontextmanager
async def in_memory() -> AsyncIterator[Pair]:
    """The principal's end and the agent's, in this process."""
    yield memory_pair(
        of_principal=peer_from(announce("uid-1")), of_agent=peer_from(announce()), max_event_bytes=LIMIT_BYTES
    )


@contextlib.asynccontextmanager
async def over_grpc() -> AsyncIterator[Pair]:
    """The same, over mutual TLS."""
    hub_end: asyncio.Future[EventStream] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def session(stream: EventStream) -> None:
        hub_end.set_result(stream)
        await done.wait()

    async with (
        a_hub(PlainGate(session), max_message_bytes=LIMIT_BYTES) as hub,
        dialled(hub.port, max_message_bytes=LIMIT_BYTES) as channel,
    ):
        await channel.authenticate(LOGIN)
        agent_end = await channel.subscribe(TOKEN)
        try:
            yield await hub_end, agent_end
        finally:
            done.set()


@pytest.fixture(params=["memory", "grpc"])
def check(request: pytest.FixtureRequest) -> Callable[[Case], None]:
    """Runs a case on a pair of streams; each case is run with either end in either part."""

    async def both_ways(pair: Callable[[], AbstractAsyncContextManager[Pair]], case: Case) -> None:
        async with pair() as (principal, agent):
            await case(principal, agent)
        async with pair() as (principal, agent):
            await case(agent, principal)

    def checked(case: Case) -> None:
        if request.param == "memory":
            run(both_ways(in_memory, case))
        else:
            run_in_real_time(both_ways(over_grpc, case), 20)

    return checked


def test_events_arrive_whole_and_in_order(check: Callable[[Case], None]) -> None:
    async def case(sender: EventStream, receiver: EventStream) -> None:
        sent = [an_event(f"e-{number}", b'"%d"' % number) for number in range(200)]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_send_all(sender, sent))
            received = [await receiver.receive() for _ in sent]

        assert [(e.event_id, e.data) for e in received] == [(e.event_id, e.data) for e in sent]

    check(case)


def test_each_end_knows_what_the_other_announced(check: Callable[[Case], None]) -> None:
    async def case(one: EventStream, other: EventStream) -> None:
        assert not one.peer.is_reference
        assert {one.peer.principal_uid, other.peer.principal_uid} == {"", "uid-1"}
        assert one.address

    check(case)


def test_a_close_ends_the_wait_of_the_other_end(check: Callable[[Case], None]) -> None:
    async def case(one: EventStream, other: EventStream) -> None:
        waiting = asyncio.create_task(other.receive())

        await one.close("enough")

        with pytest.raises(StreamClosed):
            await waiting

    check(case)


def test_a_close_ends_the_waits_of_its_own_end_with_the_reason(check: Callable[[Case], None]) -> None:
    async def case(one: EventStream, other: EventStream) -> None:
        waiting = asyncio.create_task(one.receive())
        await asyncio.wait({waiting}, timeout=0.01)

        await one.close("enough")

        with pytest.raises(StreamClosed, match="enough"):
            await waiting
        with pytest.raises(StreamClosed, match="enough"):
            await one.send(an_event())
        with pytest.raises(StreamClosed, match="enough"):
            await one.receive()

    check(case)


def test_closing_twice_is_fine_and_the_first_reason_stays(check: Callable[[Case], None]) -> None:
    async def case(one: EventStream, other: EventStream) -> None:
        await one.close("first")
        await one.close("second")

        with pytest.raises(StreamClosed, match="first"):
            await one.receive()

    check(case)


def test_a_sender_waits_for_a_slow_reader_and_a_close_frees_it(check: Callable[[Case], None]) -> None:
    async def case(sender: EventStream, receiver: EventStream) -> None:
        large = an_event(data=b'"' + b"x" * 500_000 + b'"')
        sending = asyncio.create_task(_send_all(sender, [large] * 1000))

        finished, _ = await asyncio.wait({sending}, timeout=0.3)
        await sender.close("enough")

        assert not finished
        with pytest.raises(StreamClosed, match="enough"):
            await sending

    check(case)


def test_an_event_above_the_limit_is_refused_and_the_stream_lives(check: Callable[[Case], None]) -> None:
    async def case(sender: EventStream, receiver: EventStream) -> None:
        with pytest.raises(EventRefused, match=str(LIMIT_BYTES)):
            await sender.send(an_event("large", b'"' + b"x" * LIMIT_BYTES + b'"'))
        await sender.send(an_event("small"))

        assert (await receiver.receive()).event_id == "small"

    check(case)


async def _send_all(stream: EventStream, events: list[Event]) -> None:
    for event in events:
        await stream.send(event)
