"""The cache of the spoke's Argo CD: Redis, ourselves, or none."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from argocd_agent.agent.cache import SpokeCache, check_cache
from argocd_agent.agent.config import AgentConfig
from argocd_agent.backends.embedded import open_memory
from argocd_agent.backends.redis.client import RedisCache, RedisOptions
from argocd_agent.errors import CacheUnavailable, ConfigError
from argocd_agent.pki.tls import ClientTls
from argocd_agent.protocol.modes import Mode
from argocd_agent.settings.values import Method, Secret
from tests.support.authority import Authority
from tests.support.world import passing

pytestmark = pytest.mark.real_time(timeout=30)


def configured(**settings: Any) -> AgentConfig:
    given: dict[str, Any] = {"server_address": "hub", "mode": Mode.MANAGED, "creds": Method("mtls", "any")}
    return AgentConfig(**(given | settings))


@contextlib.asynccontextmanager
async def a_cache(**settings: Any) -> AsyncIterator[SpokeCache]:
    listen = {"embedded_cache_listen": ("127.0.0.1", 0)}
    config = configured(**(listen | settings))
    check_cache(config)
    spoke = SpokeCache(config, open_memory())
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(spoke.run(), name="cache")
        while settings.get("embedded_cache") and not spoke.port:
            await passing(0.01)
        yield spoke
        running.cancel()


async def test_we_are_the_cache_that_argo_cd_and_the_agent_share() -> None:
    async with a_cache(embedded_cache=True, redis_password=Secret("right")) as spoke:
        options = RedisOptions(host="127.0.0.1", port=spoke.port, password=Secret("right"))
        controller = RedisCache(lambda: options)
        async with contextlib.aclosing(spoke.cache.subscribe("app|managed-resources|guestbook|1.8.3")) as messages:
            await anext(messages)
            await controller.set("app|resources-tree|guestbook|1.8.3.gz", b"tree", ttl_seconds=3600)

            assert await spoke.cache.get("app|resources-tree|guestbook|1.8.3.gz") == b"tree"
        await controller.close()


async def test_our_cache_is_served_with_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = {
        f"embedded_cache_{what}_path": str(tmp_path / f"server.{end}")
        for what, end in (("cert", "crt"), ("key", "key"))
    }
    async with a_cache(embedded_cache=True, **files) as spoke:
        tls = ClientTls(ca_pem=authority.certificate.read_text(), alpn="")
        client = RedisCache(lambda: RedisOptions(host="127.0.0.1", port=spoke.port, tls=tls))

        await client.ping()
        await client.close()


async def test_memory_is_bounded_as_the_setting_says() -> None:
    async with a_cache(embedded_cache=True, embedded_cache_memory_bytes=10_000) as spoke:
        for number in range(100):
            await spoke.cache.set(f"key-{number}", b"x" * 1000, ttl_seconds=3600)

        held = [number for number in range(100) if await spoke.cache.get(f"key-{number}")]

    assert held == list(range(100 - len(held), 100))
    assert 5 <= len(held) < 10


async def test_without_an_address_there_is_no_cache_and_the_reason_is_told() -> None:
    async with a_cache(redis_address=None) as spoke:
        with pytest.raises(CacheUnavailable, match="--redis-addr is empty"):
            await spoke.cache.get("key")


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"redis_creds_dir_path": "/nowhere"}, "cannot read /nowhere/auth"),
        ({"embedded_cache_cert_path": "/nowhere", "embedded_cache_key_path": "/nowhere"}, "cannot read /nowhere"),
    ],
)
def test_files_that_are_missing_end_the_start(settings: dict[str, Any], complaint: str) -> None:
    config = configured(**settings)

    with pytest.raises(ConfigError, match=complaint):
        check_cache(config)


@pytest.mark.parametrize(
    "settings",
    [{"embedded_cache_cert_path": "x"}, {"embedded_cache": True, "embedded_cache_listen": None}],
)
def test_settings_that_cannot_be_together_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="--embedded-cache-"):
        configured(**settings)
