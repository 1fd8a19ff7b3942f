"""Channels of agents: heard while somebody listens, and taken up again after every loss."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from argocd_agent.agent.serve.redis import SILENCE_SECONDS
from argocd_agent.protocol.events import AgentName
from argocd_agent.proxies.redis.subscriptions import PING_SECONDS, Subscriptions
from tests.support.asks import Line, a_line
from tests.support.world import passing

AGENT = AgentName("agent-1")
CHANNEL, SPOKE_CHANNEL = "app|managed-resources|agent-1_guestbook|1.8.3", "app|managed-resources|guestbook|1.8.3"


class Heard:
    """When something was heard."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def __call__(self) -> None:
        self.at.append(asyncio.get_running_loop().time())

    def since(self) -> int:
        """How often something was heard since this was asked last."""
        count = len(self.at)
        self.at.clear()
        return count


@contextlib.asynccontextmanager
async def subscriptions() -> AsyncIterator[tuple[Subscriptions, Line]]:
    async with a_line() as line, asyncio.TaskGroup() as tasks:
        found = Subscriptions(line, lambda *_: None)
        task = tasks.create_task(found.run(), name="subscriptions")
        await passing(0.1)
        found.connected(AGENT)
        yield found, line
        task.cancel()


def publish(line: Line, message: str = "") -> None:
    line.cache.inner.publish(SPOKE_CHANNEL, message.encode())


@pytest.mark.feature("P-107", "A-88")
async def test_what_is_said_on_the_spoke_is_heard_on_the_hub() -> None:
    async with subscriptions() as (found, line):
        one, two = Heard(), Heard()
        found.join(AGENT, CHANNEL, one)
        await passing(1)
        found.join(AGENT, CHANNEL, two)
        await passing(1)
        assert (one.since(), two.since()) == (1, 0)  # the subscription stands: look again

        publish(line)
        await passing(1)

        assert (one.since(), two.since()) == (1, 1)
        assert len(line.service) == 1


@pytest.mark.feature("A-88")
async def test_only_empty_messages_are_passed_on() -> None:
    async with subscriptions() as (found, line):
        heard = Heard()
        found.join(AGENT, CHANNEL, heard)
        await passing(1)
        heard.since()

        publish(line, "text")
        await passing(1)

        assert heard.since() == 0


@pytest.mark.feature("P-107", "A-88")
async def test_a_subscription_stands_for_days_by_a_ping_a_minute() -> None:
    async with subscriptions() as (found, line):
        heard = Heard()
        found.join(AGENT, CHANNEL, heard)
        await passing(48 * 3600)
        heard.since()

        publish(line)
        await passing(1)

        assert heard.since() == 1
        assert len(line.requests) == 48 * 3600 // PING_SECONDS + 1


@pytest.mark.feature("A-88")
async def test_nobody_listening_ends_the_pings_and_then_the_subscription_on_the_spoke() -> None:
    async with subscriptions() as (found, line):
        heard = Heard()
        found.join(AGENT, CHANNEL, heard)
        await passing(30)
        found.leave(AGENT, CHANNEL, heard)
        await passing(1)
        asked = len(line.requests)
        assert (len(found), len(line.service)) == (0, 1)

        await passing(SILENCE_SECONDS)

        assert (len(line.requests), len(line.service)) == (asked, 0)


@pytest.mark.feature("P-107", "P-108")
async def test_after_the_agent_was_away_the_channel_is_taken_up_again_and_said_to_look_again() -> None:
    async with subscriptions() as (found, line):
        heard = Heard()
        found.join(AGENT, CHANNEL, heard)
        await passing(1)
        line.cut()
        found.disconnected(AGENT)
        await passing(3600)
        asked = len(line.requests)
        heard.since()

        line.mend()
        found.connected(AGENT)
        await passing(2)
        assert (heard.since(), len(line.requests)) == (1, asked + 1)
        publish(line)
        await passing(1)

        assert (heard.since(), len(line.service)) == (1, 1)


@pytest.mark.feature("P-107", "P-108")
async def test_an_agent_that_stops_answering_is_asked_again_when_it_does() -> None:
    async with subscriptions() as (found, line):
        heard = Heard()
        found.join(AGENT, CHANNEL, heard)
        await passing(1)
        line.is_silent = True
        await passing(600)
        heard.since()

        line.is_silent = False
        await passing(200)
        assert heard.since() >= 1
        publish(line)
        await passing(1)

        assert heard.since() == 1


async def test_an_agent_that_comes_later_is_asked_then_and_not_before() -> None:
    async with subscriptions() as (found, line):
        found.disconnected(AGENT)
        heard = Heard()
        found.join(AGENT, CHANNEL, heard)
        await passing(1000)
        assert line.requests == []

        found.connected(AGENT)
        await passing(1)

        assert heard.since() == 1


@pytest.mark.feature("A-88")
async def test_a_cache_that_was_lost_on_the_spoke_is_made_up_for_by_one_message() -> None:
    async with subscriptions() as (found, line):
        heard = Heard()
        found.join(AGENT, CHANNEL, heard)
        await passing(1)
        heard.since()
        await line.cache.leave()
        await passing(300)
        assert heard.since() == 0

        line.cache.is_away = False
        await passing(60)
        assert heard.since() == 1
        publish(line)
        await passing(1)

        assert heard.since() == 1


async def test_a_key_that_the_spoke_refuses_is_asked_for_ever_less() -> None:
    async with subscriptions() as (found, line):
        found.join(AGENT, "mfst|x", Heard())
        await passing(3600)

        assert len(line.requests) < 80
        assert len(line.service) == 0
