"""What every `Cache` backend must do: all claims, in `CLAIMS`. Each gets a place of its own in a cache.

Time is real for a real Redis, so that the claims about expiry wait for parts of a second.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from argocd_agent.backends.ports import Cache
from argocd_agent.errors import CacheUnavailable
from tests.support.world import passing


@dataclass(frozen=True, slots=True)
class Place:
    """A cache, how to say something on a channel of it, and a prefix that nobody else uses."""

    cache: Cache
    publish: Callable[[str, str], Awaitable[None]]
    prefix: str

    def name(self, name: str) -> str:
        """A key or channel of this place."""
        return f"{self.prefix}|{name}"


Claim = Callable[[Place], Awaitable[None]]
CLAIMS: list[Claim] = []


def claim(function: Claim) -> Claim:
    """Adds *function* to the contract."""
    CLAIMS.append(function)
    return function


@claim
async def what_is_set_is_read_byte_for_byte(place: Place) -> None:
    value = bytes(range(256)) * 300 + b"\r\n$-1\r\n"

    await place.cache.set(place.name("key"), value, ttl_seconds=60)

    assert await place.cache.get(place.name("key")) == value


@claim
async def an_empty_value_is_there(place: Place) -> None:
    await place.cache.set(place.name("key"), b"", ttl_seconds=60)

    assert await place.cache.get(place.name("key")) == b""


@claim
async def what_was_never_set_is_none(place: Place) -> None:
    assert await place.cache.get(place.name("none")) is None


@claim
async def a_value_is_gone_when_its_time_is_over(place: Place) -> None:
    await place.cache.set(place.name("key"), b"1", ttl_seconds=0.05)

    await passing(0.2)

    assert await place.cache.get(place.name("key")) is None


@claim
async def setting_again_starts_the_time_anew(place: Place) -> None:
    await place.cache.set(place.name("key"), b"1", ttl_seconds=0.05)
    await place.cache.set(place.name("key"), b"2", ttl_seconds=60)

    await passing(0.2)

    assert await place.cache.get(place.name("key")) == b"2"


@claim
async def keys_may_be_any_text(place: Place) -> None:
    key = place.name("cluster|info|https://proxy:9090?agentName=ä|1.8.3.gz")

    await place.cache.set(key, b"1", ttl_seconds=60)

    assert await place.cache.get(key) == b"1"


@claim
async def many_requests_at_one_time_get_their_own_answers(place: Place) -> None:
    names = [place.name(str(number)) for number in range(200)]

    await asyncio.gather(*(place.cache.set(name, name.encode(), ttl_seconds=60) for name in names))

    assert await asyncio.gather(*(place.cache.get(name) for name in names)) == [name.encode() for name in names]


@claim
async def a_subscriber_hears_what_is_said_after_the_first_message(place: Place) -> None:
    async with heard(place, "channel") as messages:
        await place.publish(place.name("channel"), "one")
        await place.publish(place.name("channel"), "")

        assert [await anext(messages), await anext(messages)] == [b"one", b""]


@claim
async def two_subscribers_of_a_channel_both_hear_and_one_may_leave(place: Place) -> None:
    async with heard(place, "channel") as stays:
        async with heard(place, "channel") as leaves:
            await place.publish(place.name("channel"), "both")
            assert [await anext(stays), await anext(leaves)] == [b"both", b"both"]
        await place.publish(place.name("channel"), "one")

        assert await anext(stays) == b"one"


@claim
async def a_channel_left_can_be_joined_again(place: Place) -> None:
    async with heard(place, "channel"):
        pass

    async with heard(place, "channel") as messages:
        await place.publish(place.name("channel"), "again")

        assert await anext(messages) == b"again"


@claim
async def other_channels_are_not_heard(place: Place) -> None:
    async with heard(place, "mine") as messages:
        await place.publish(place.name("other"), "not mine")
        await place.publish(place.name("mine"), "mine")

        assert await anext(messages) == b"mine"


@claim
async def values_are_read_while_somebody_is_subscribed(place: Place) -> None:
    async with heard(place, "channel"):
        await place.cache.set(place.name("key"), b"1", ttl_seconds=60)

        assert await place.cache.get(place.name("key")) == b"1"


@claim
async def a_ping_to_a_cache_that_is_there_says_nothing(place: Place) -> None:
    await place.cache.ping()


@claim
async def closing_ends_subscriptions_and_can_be_done_twice(place: Place) -> None:
    async with heard(place, "channel") as messages:
        await place.cache.close()
        await place.cache.close()

        with pytest.raises(CacheUnavailable):
            await anext(messages)


@contextlib.asynccontextmanager
async def heard(place: Place, channel: str) -> AsyncGenerator[AsyncGenerator[bytes, None], None]:
    """The messages on *channel*, from now on."""
    async with contextlib.aclosing(place.cache.subscribe(place.name(channel))) as messages:
        assert await anext(messages) == b""
        yield messages
