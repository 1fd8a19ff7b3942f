"""Requests to agents: sent once, answered by the one that was asked, ended in time, turn by turn."""

import asyncio
import contextlib
from dataclasses import replace

import pytest

from argocd_agent.errors import AgentAway, AgentBusy, NoAnswer, TooManyRequests
from argocd_agent.principal.ask import Limits
from argocd_agent.protocol.capabilities import REFERENCE
from argocd_agent.protocol.events import AgentName, Event, EventId, EventType, ResourceId, Target
from argocd_agent.protocol.names import EXTENSION_REMAINING
from argocd_agent.wire.payloads import encode
from argocd_agent.wire.requests import ResourcePart, ResourceResponse
from tests.support.liveline import Line, a_line, a_question
from tests.support.world import passing

POD = "/api/v1/namespaces/shop/pods/web"
ONE = AgentName("agent-1")


def a_response(to: Event, text: str = "", number: int = 0) -> Event:
    """The answer to a request."""
    payload = ResourceResponse(uuid=to.event_id, status=200, resource=text)
    return Event(
        Target.RESOURCE, EventType.RESPONSE, ResourceId(f"r-{to.event_id}-{number}"), to.event_id, encode(payload)
    )


def silent(line: Line) -> None:
    """From now on the agent takes requests and says nothing."""

    async def nothing(_: Event) -> None:
        return None

    line.answering = nothing


async def asked(line: Line, caller: str = "ui", *, is_long: bool = False) -> str:
    """Ask for a pod: the answer's text."""
    async with line.ask.asked(ONE, caller, a_question("GET", POD, is_long=is_long)) as replies:
        return (await replies.next()).data.decode()


@pytest.mark.feature("P-91")
async def test_a_request_is_an_event_with_the_verb_as_type_and_one_uuid_everywhere() -> None:
    async with a_line() as line:
        question = a_question("PATCH", POD, body=b"{}", params={"fieldManager": "ui"})

        async with line.ask.asked(ONE, "ui", question) as replies:
            await replies.next()

        [event] = line.received
        assert (event.target, event.type) == (Target.RESOURCE, "PATCH")
        assert {str(event.resource_id), str(event.event_id)} == {question.uuid}
        assert event.data == question.data
        assert event.extensions[EXTENSION_REMAINING] == "30000"


@pytest.mark.feature("P-93", "C-48")
async def test_an_agent_that_says_nothing_is_no_answer_at_the_deadline() -> None:
    async with a_line() as line:
        silent(line)
        began = asyncio.get_running_loop().time()

        with pytest.raises(NoAnswer, match="agent agent-1 did not answer within 30 s"):
            await asked(line)

        assert asyncio.get_running_loop().time() - began == 30.0
        assert len(line.ask) == 0


@pytest.mark.feature("P-93", "C-48")
async def test_who_is_away_or_unknown_is_said_at_once() -> None:
    async with a_line(is_up=False) as line:
        with pytest.raises(AgentAway, match="not connected"):
            await asked(line)
        with pytest.raises(AgentAway, match="'nobody' is not known"):
            async with line.ask.asked(AgentName("nobody"), "ui", a_question("GET", POD)):
                pass

        assert asyncio.get_running_loop().time() == 0.0


@pytest.mark.feature("P-93")
async def test_a_request_ends_with_the_stream_that_it_was_sent_on_and_is_not_sent_again() -> None:
    async with a_line() as line:
        silent(line)
        waiting = asyncio.create_task(asked(line))
        await passing(1.0)

        await line.cut()
        with pytest.raises(AgentAway, match="ended before its answer"):
            await waiting
        await line.connect()
        await passing(600.0)

        assert [event.type for event in line.received] == ["GET"]


@pytest.mark.feature("P-93")
async def test_a_silent_agent_is_not_asked_again_however_long_it_takes() -> None:
    async with a_line() as line:
        silent(line)

        with pytest.raises(NoAnswer):
            await asked(line)
        await passing(600.0)

        assert [event.type for event in line.received if event.type == "GET"] == ["GET"]


@pytest.mark.feature("P-94", "C-60")
async def test_another_agent_cannot_answer_for_the_one_that_was_asked() -> None:
    async with a_line() as line:
        silent(line)
        await line.connect("agent-2")
        waiting = asyncio.create_task(asked(line))
        await passing(1.0)
        [request] = line.received

        with contextlib.suppress(Exception):
            await line.ask.handle(line.agents["agent-2"], a_response(request, "forged"))
        assert not waiting.done()
        await line.ask.handle(line.agents["agent-1"], a_response(request, "true"))

        assert "true" in await waiting


@pytest.mark.feature("P-95")
async def test_two_hundred_requests_at_once_are_all_answered_each_with_its_own() -> None:
    async with a_line() as line:

        async def echo(event: Event) -> None:
            line.spoke_link.put_once(a_response(event, event.event_id))

        line.answering = echo
        questions = [a_question("GET", f"{POD}-{number}") for number in range(200)]

        async def one(number: int) -> str:
            async with line.ask.asked(ONE, "ui", questions[number]) as replies:
                return (await replies.next()).data.decode()

        answers = await asyncio.gather(*map(one, range(200)))

        assert all(question.uuid in answer for question, answer in zip(questions, answers, strict=True))
        assert asyncio.get_running_loop().time() < 1.0


async def test_requests_to_one_agent_are_as_many_at_a_time_as_the_limit_and_callers_take_turns() -> None:
    async with a_line(limits=Limits(at_once=2, per_caller=2, waiting=20)) as line:
        silent(line)
        questions = [(caller, a_question("GET", POD)) for caller in "aaaaab"]

        async def ask(caller: str, number: int) -> None:
            async with line.ask.asked(ONE, caller, questions[number][1]) as replies:
                await replies.next()

        tasks = [asyncio.create_task(ask(caller, number)) for number, (caller, _) in enumerate(questions)]
        await passing(1.0)
        at_first = len(line.received)
        for number in range(6):
            await line.ask.handle(line.agents["agent-1"], a_response(line.received[number]))
            await passing(0.1)
        await asyncio.gather(*tasks)

        by_uuid = {question.uuid: number for number, (_, question) in enumerate(questions)}
        assert at_first == 2
        # The request of b, which came last, goes after one of a.
        assert [by_uuid[event.event_id] for event in line.received] == [0, 1, 2, 5, 3, 4]


async def test_one_request_too_many_is_refused_and_told_whose_fault_it_is() -> None:
    async with a_line(limits=Limits(at_once=1, per_caller=1, waiting=2)) as line:
        silent(line)
        tasks = [asyncio.create_task(asked(line, caller)) for caller in "aab"]
        await passing(1.0)

        with pytest.raises(TooManyRequests, match="this caller has as many requests"):
            await asked(line, "a")
        with pytest.raises(AgentBusy, match="1 requests are under way and 2 wait"):
            await asked(line, "c")

        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(line.received) == 1


async def test_the_wait_for_a_turn_is_part_of_the_deadline() -> None:
    async with a_line(limits=Limits(seconds=10.0, at_once=1, per_caller=1)) as line:
        silent(line)
        first = asyncio.create_task(asked(line))
        await passing(4.0)
        second = asyncio.create_task(asked(line))
        await passing(7.0)  # the first has ended at 10, the second is sent with what remains of its own

        with pytest.raises(NoAnswer):
            await first
        with pytest.raises(NoAnswer):
            await second

        sent = [event for event in line.received if event.type == "GET"]
        assert [event.extensions[EXTENSION_REMAINING] for event in sent] == ["10000", "4000"]


async def test_who_goes_away_cancels_the_request_at_an_agent_of_ours() -> None:
    async with a_line() as line:
        silent(line)
        task = asyncio.create_task(asked(line))
        await passing(1.0)

        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await passing(0.1)

        request, cancel = line.received
        assert (cancel.type, cancel.event_id) == (EventType.CANCEL, request.event_id)
        assert len(line.ask) == 0


async def test_an_agent_of_the_reference_is_never_sent_a_cancel() -> None:
    async with a_line(agent_is=REFERENCE) as line:
        silent(line)
        task = asyncio.create_task(asked(line))
        await passing(1.0)

        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await passing(0.1)

        assert [event.type for event in line.received] == ["GET"]


async def test_a_piece_beyond_the_credit_ends_the_request() -> None:
    async with a_line() as line:

        async def flood(event: Event) -> None:
            for number in range(20):
                piece = a_response(event, number=number)
                unique = EventId(f"{event.event_id}/{number}")
                line.spoke_link.put_once(
                    replace(piece, type=EventType.PART, event_id=unique, data=encode(ResourcePart(status=200)))
                )

        line.answering = flood
        async with line.ask.asked(ONE, "ui", a_question("GET", POD, credit=2)) as replies:
            await passing(1.0)
            await replies.next()
            await replies.next()

            with pytest.raises(Exception, match="more pieces than it was allowed to"):
                await replies.next()


async def test_a_watch_has_no_deadline_after_its_first_piece() -> None:
    async with a_line() as line:

        async def late(event: Event) -> None:
            if event.type == "GET":
                data = encode(ResourcePart(status=200))
                unique = EventId(f"{event.event_id}/1")
                piece = replace(a_response(event), type=EventType.PART, event_id=unique, data=data)
                line.spoke_link.put_once(piece)
                await passing(3600.0)
                line.spoke_link.put_once(a_response(event, "bye"))

        line.answering = late
        async with line.ask.asked(ONE, "ui", a_question("GET", POD, is_long=True)) as replies:
            assert (await replies.next()).type == EventType.PART
            assert b"bye" in (await replies.next()).data
