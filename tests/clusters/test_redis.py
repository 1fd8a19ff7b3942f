"""Debian's Redis through our client: the contract of caches, every way in, and what happens when it goes and comes."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from argocd_agent.backends.redis.client import RedisCache, RedisOptions
from argocd_agent.errors import CacheError, CacheRefused, CacheUnavailable
from argocd_agent.pki.tls import ClientTls
from argocd_agent.settings.values import Secret
from tests.conformance.cache_contract.contract import CLAIMS, Claim, Place
from tests.support.authority import Authority
from tests.support.redis import RealRedis, a_redis
from tests.support.world import passing

_PLACES = itertools.count()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRedis]:
    with a_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@contextlib.asynccontextmanager
async def connected(port: int, **options: object) -> AsyncIterator[RedisCache]:
    given = RedisOptions(host="127.0.0.1", port=port, **options)  # type: ignore[arg-type]  # as the test names them
    cache = RedisCache(lambda: given)
    try:
        yield cache
    finally:
        await cache.close()


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
async def test_contract(claim: Claim, redis: RealRedis) -> None:
    async def publish(channel: str, message: str) -> None:
        await asyncio.to_thread(redis.say, "publish", channel, message)

    async with connected(redis.port) as cache:
        await claim(Place(cache, publish, f"place-{next(_PLACES)}"))


@pytest.mark.feature("A-89", "C-50")
async def test_a_password_lets_in_and_a_wrong_one_or_none_does_not(tmp_path: Path) -> None:
    with a_redis(tmp_path, "--requirepass", "right") as locked:
        async with connected(locked.port, password=Secret("right")) as cache:
            await cache.ping()
        for password in ("wrong", ""):
            async with connected(locked.port, password=Secret(password)) as cache:
                with pytest.raises(CacheRefused) as raised:
                    await cache.ping()
                assert raised.value.code in ("WRONGPASS", "NOAUTH")
                assert "wrong" not in str(raised.value)


@pytest.mark.feature("A-89", "C-50")
async def test_a_user_may_do_what_the_server_lets_it_do(tmp_path: Path) -> None:
    acl = "user argo on >secret ~cluster* &* +@all -@dangerous"
    with a_redis(tmp_path, "--user", *acl.split()[1:], cli=("--user", "argo", "--pass", "secret")) as locked:
        async with connected(locked.port, username="argo", password=Secret("secret")) as cache:
            await cache.set("cluster|x", b"1", ttl_seconds=60)
            with pytest.raises(CacheRefused, match="NOPERM"):
                await cache.get("other")
            assert await cache.get("cluster|x") == b"1"


@pytest.mark.feature("A-89", "C-50")
async def test_tls_is_verified_by_the_ca_unless_told_not_to(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "other").mkdir()
    ca, foreign = (one.certificate.read_text() for one in (authority, Authority(tmp_path / "other")))
    with a_redis(tmp_path, authority=authority) as secured:
        for tls in (ClientTls(ca_pem=ca, alpn=""), ClientTls(verify=False, alpn="")):
            async with connected(secured.port, tls=tls) as cache:
                await cache.set("key", b"1", ttl_seconds=60)
                assert await cache.get("key") == b"1"
        for tls in (ClientTls(ca_pem=foreign, alpn=""), ClientTls(ca_pem=ca, server_name="elsewhere", alpn="")):
            async with connected(secured.port, tls=tls) as cache:
                with pytest.raises(CacheUnavailable, match="TLS failed"):
                    await cache.ping()


async def test_what_is_not_redis_or_not_tls_is_said(tmp_path: Path, redis: RealRedis) -> None:
    async with connected(redis.port, tls=ClientTls(verify=False, alpn=""), connect_timeout_seconds=2) as cache:
        with pytest.raises(CacheUnavailable):
            await cache.ping()


async def test_a_redis_that_went_is_used_again_when_it_is_back(tmp_path: Path) -> None:
    with a_redis(tmp_path) as first:
        async with connected(first.port) as cache:
            await cache.set("key", b"1", ttl_seconds=60)
            async with contextlib.aclosing(cache.subscribe("channel")) as messages:
                await anext(messages)
                first.stop()
                with pytest.raises(CacheUnavailable):
                    await anext(messages)
            with pytest.raises(CacheUnavailable, match=f"127.0.0.1:{first.port}"):
                await cache.get("key")
            with a_redis(tmp_path, port=first.port):
                assert await until_answered(cache) is None


async def until_answered(cache: RedisCache) -> bytes | None:
    """The value of `key` as soon as the server lets us ask."""
    while True:
        with contextlib.suppress(CacheError):
            return await cache.get("key")
        await passing(0.05)
