"""What the agent answers to requests that come twice, come at once, or cannot be served."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from argocd_agent.agent.serve.redis import GETS, SUBSCRIPTIONS, RedisService
from argocd_agent.wire.requests import (
    RedisGet,
    RedisPing,
    RedisPong,
    RedisRequest,
    RedisRequestBody,
    RedisResponse,
    RedisSubscribe,
)
from tests.support.caches import MovableCache
from tests.support.world import passing

CHANNEL = "app|managed-resources|agent-1_guestbook|1.8.3"
TREE = "app|resources-tree|agent-1_guestbook|1.8.3"


class Spoke:
    """The service, and what it sent."""

    def __init__(self, *, destination_mapping: bool = False) -> None:
        self.cache = MovableCache()
        self.sent: list[RedisResponse] = []
        self.service = RedisService(
            self.cache, self.sent.append, destination_mapping=destination_mapping, count=lambda *_: None
        )

    def get(self, uuid: str, key: str = TREE) -> None:
        body = RedisRequestBody(get=RedisGet(key=key))
        self.service.take(RedisRequest(uuid=uuid, connection_uuid="c", body=body))

    def subscribe(self, uuid: str, connection: str = "c", channel: str = CHANNEL) -> None:
        body = RedisRequestBody(subscribe=RedisSubscribe(channel=channel))
        self.service.take(RedisRequest(uuid=uuid, connection_uuid=connection, body=body))


@contextlib.asynccontextmanager
async def a_spoke(*, destination_mapping: bool = False) -> AsyncIterator[Spoke]:
    spoke = Spoke(destination_mapping=destination_mapping)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(spoke.service.run(), name="service")
        await passing(0.1)
        yield spoke
        task.cancel()


@pytest.mark.feature("A-87")
async def test_answers_carry_the_uuids_of_their_requests() -> None:
    async with a_spoke() as spoke:
        spoke.get("1")
        spoke.service.take(RedisRequest(uuid="2", connection_uuid="d", body=RedisRequestBody(ping=RedisPing())))
        await passing(1)

    assert {(one.uuid, one.connection_uuid) for one in spoke.sent} == {("1", "c"), ("2", "d")}
    assert [one.body.pong for one in spoke.sent if one.uuid == "2"] == [RedisPong()]


@pytest.mark.feature("A-87")
@pytest.mark.parametrize(("destination_mapping", "key"), [(False, "app|resources-tree|guestbook|1.8.3"), (True, TREE)])
async def test_a_key_is_mapped_as_applications_are(destination_mapping: bool, key: str) -> None:
    async with a_spoke(destination_mapping=destination_mapping) as spoke:
        await spoke.cache.inner.set(key, b"tree", ttl_seconds=60)
        spoke.get("1")
        await passing(1)

    assert spoke.sent[0].body.get is not None
    assert spoke.sent[0].body.get.value == b"tree"


async def test_a_subscription_that_is_asked_for_twice_stands_once() -> None:
    async with a_spoke() as spoke:
        spoke.subscribe("1")
        spoke.subscribe("1")
        await passing(1)

        assert (len(spoke.service), len(spoke.sent)) == (1, 1)


async def test_each_subscription_is_pushed_to_under_its_own_uuid_and_the_name_asked_for() -> None:
    async with a_spoke() as spoke:
        spoke.subscribe("1")
        spoke.subscribe("2", connection="d")
        await passing(1)
        spoke.sent.clear()

        spoke.cache.inner.publish("app|managed-resources|guestbook|1.8.3", b"")
        await passing(1)

    pushes = {one.uuid: one.body.push_from_subscribe for one in spoke.sent}
    assert {uuid: push.channel_name for uuid, push in pushes.items() if push} == {"1": CHANNEL, "2": CHANNEL}


@pytest.mark.feature("A-88")
async def test_silence_ends_one_connection_and_not_another_that_pings() -> None:
    async with a_spoke() as spoke:
        spoke.subscribe("1", connection="silent")
        spoke.subscribe("2", connection="alive")
        for _ in range(11):
            await passing(60)
            body = RedisRequestBody(ping=RedisPing())
            spoke.service.take(RedisRequest(uuid="p", connection_uuid="alive", body=body))

        assert len(spoke.service) == 1
        await passing(602)
        assert len(spoke.service) == 0


async def test_the_end_of_the_stream_ends_every_subscription() -> None:
    async with a_spoke() as spoke:
        spoke.subscribe("1")
        await passing(1)

        spoke.service.closed()
        await passing(1)

        assert len(spoke.service) == 0


async def test_beyond_the_limits_requests_are_refused_in_words() -> None:
    async with a_spoke() as spoke:
        for number in range(GETS + 1):
            spoke.get(str(number))
        await passing(1)
        for number in range(SUBSCRIPTIONS + 1):
            spoke.subscribe(str(number))
        await passing(1)

    errors = [one.body.get.error for one in spoke.sent if one.body.get is not None and one.body.get.error]
    refused = [one.body.subscribe_response for one in spoke.sent if one.body.subscribe_response is not None]
    assert errors == [f"{GETS} values are being read already"]
    assert [one.error for one in refused if one.error] == [f"{SUBSCRIPTIONS} subscriptions stand already"]
