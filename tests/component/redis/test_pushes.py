"""What agents push reaches whoever subscribed, and nobody else."""

import asyncio
import contextlib

import pytest

from argocd_agent.principal.pushes import Pushes
from argocd_agent.protocol.events import AgentName
from argocd_agent.wire.requests import RedisPong, RedisPush, RedisResponse, RedisResponseBody
from tests.support.world import passing

AGENT, OTHER = AgentName("agent-1"), AgentName("agent-2")


def pushed(uuid: str, channel: str = "c") -> RedisResponse:
    body = RedisResponseBody(push_from_subscribe=RedisPush(channel_name=channel))
    return RedisResponse(uuid=uuid, connection_uuid="x", body=body)


@pytest.mark.feature("P-107")
async def test_what_comes_before_somebody_waits_is_kept_once() -> None:
    pushes = Pushes()
    async with contextlib.aclosing(pushes.listen(AGENT, "1")) as heard:
        for _ in range(1000):
            pushes.take(AGENT, pushed("1"))

        assert await anext(heard) == RedisPush(channel_name="c")
        waiting = asyncio.create_task(anext(heard))
        await passing(1)
        assert not waiting.done()
        pushes.take(AGENT, pushed("1"))
        assert await waiting == RedisPush(channel_name="c")


async def test_another_agents_push_is_not_heard_and_no_push_is_none() -> None:
    pushes = Pushes()
    async with contextlib.aclosing(pushes.listen(AGENT, "1")) as heard:
        answer = RedisResponse(uuid="1", connection_uuid="x", body=RedisResponseBody(pong=RedisPong()))

        assert pushes.take(OTHER, pushed("1"))
        assert not pushes.take(AGENT, answer)
        pushes.take(AGENT, pushed("1", "mine"))

        assert await anext(heard) == RedisPush(channel_name="mine")


@pytest.mark.feature("P-108")
async def test_the_end_of_the_stream_ends_that_agents_subscriptions() -> None:
    pushes = Pushes()
    ended, stays = pushes.listen(AGENT, "1"), pushes.listen(OTHER, "2")

    pushes.disconnected(AGENT)

    assert [push async for push in ended] == []
    pushes.take(OTHER, pushed("2"))
    assert await anext(stays) == RedisPush(channel_name="c")


async def test_one_that_is_closed_before_its_first_item_leaves_nothing() -> None:
    pushes = Pushes()

    async with contextlib.aclosing(pushes.listen(AGENT, "1")):
        assert len(pushes) == 1

    assert len(pushes) == 0
