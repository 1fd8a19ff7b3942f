"""The cache in this process passes the contract: on virtual time, and served on a socket to our own client."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from argocd_agent.backends.redis.client import RedisCache, RedisOptions
from argocd_agent.backends.redis.memory import MemoryCache
from argocd_agent.backends.redis.server import serving_cache
from argocd_agent.errors import CacheRefused, CacheUnavailable
from argocd_agent.settings.values import Secret
from tests.conformance.cache_contract.contract import CLAIMS, Claim, Place


@contextlib.asynccontextmanager
async def served(
    password: str = "", given: str = "", username: str = ""
) -> AsyncIterator[tuple[MemoryCache, RedisCache]]:
    """A cache that is served, and a client of it."""
    cache = MemoryCache()
    async with serving_cache(
        cache, ("127.0.0.1", 0), lambda: ("argo", Secret(password)), tls=None, flag="--listen"
    ) as port:
        options = RedisOptions(host="127.0.0.1", port=port, username=username, password=Secret(given))
        client = RedisCache(lambda: options)
        try:
            yield cache, client
        finally:
            await client.close()


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
async def test_memory(claim: Claim) -> None:
    cache = MemoryCache()

    async def publish(channel: str, message: str) -> None:
        cache.publish(channel, message.encode())

    await claim(Place(cache, publish, "test"))


@pytest.mark.real_time(timeout=20)
@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
async def test_served_on_a_socket(claim: Claim) -> None:
    async with served() as (cache, client):

        async def publish(channel: str, message: str) -> None:
            cache.publish(channel, message.encode())

        await claim(Place(client, publish, "test"))


@pytest.mark.real_time(timeout=20)
@pytest.mark.parametrize("username", ["", "default", "argo"])
async def test_the_password_lets_in(username: str) -> None:
    async with served("right", "right", username) as (_, client):
        await client.ping()


@pytest.mark.real_time(timeout=20)
@pytest.mark.parametrize(("given", "username"), [("wrong", ""), ("", ""), ("right", "somebody")])
async def test_anything_else_does_not(given: str, username: str) -> None:
    async with served("right", given, username) as (_, client):
        with pytest.raises(CacheRefused) as refused:
            await client.ping()

    assert refused.value.code in ("NOAUTH", "WRONGPASS")


@pytest.mark.real_time(timeout=20)
async def test_a_password_that_cannot_be_read_lets_nobody_in() -> None:
    def missing() -> tuple[str, Secret]:
        raise CacheUnavailable("Redis: cannot read auth")

    async with serving_cache(MemoryCache(), ("127.0.0.1", 0), missing, tls=None, flag="--listen") as port:
        client = RedisCache(lambda: RedisOptions(host="127.0.0.1", port=port))
        with pytest.raises((CacheRefused, CacheUnavailable)):
            await client.ping()
        await client.close()
