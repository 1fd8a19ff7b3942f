"""The way into a Redis: what settings, files and Secrets make of it."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.errors import CacheUnavailable, ConfigError
from argocd_agent.peer.redis import RedisAccess, RedisSettings, check_access
from argocd_agent.resources.kinds import NAMESPACES, SECRETS
from argocd_agent.resources.objects import Metadata, new_object
from argocd_agent.settings.values import Secret
from tests.support.world import passing

ADDRESS = ("redis", 6379)


@contextlib.asynccontextmanager
async def access(settings: RedisSettings) -> AsyncIterator[tuple[RedisAccess, EmbeddedCluster]]:
    cluster = open_memory()
    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name="argocd")))
    found = RedisAccess(settings, cluster, "argocd")
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(found.run(), name="access")
        await passing(1)
        yield found, cluster
        task.cancel()


def ca_secret(text: str) -> object:
    return {"ca.crt": base64.b64encode(text.encode()).decode()}


async def test_plain_settings_are_used_as_they_are() -> None:
    settings = RedisSettings(address=ADDRESS, username="u", password=Secret("p"))
    check_access(settings)
    async with access(settings) as (found, _):
        options = found.options()

    assert (options.address, options.username, options.password.reveal(), options.tls) == ("redis:6379", "u", "p", None)


@pytest.mark.feature("A-89")
async def test_credentials_come_from_a_directory_and_are_read_each_time(tmp_path: Path) -> None:
    (tmp_path / "auth").write_text(" first\n")
    async with access(RedisSettings(address=ADDRESS, creds_dir=str(tmp_path))) as (found, _):
        first = found.options()
        (tmp_path / "auth").write_text("second")
        (tmp_path / "auth_username").write_text("argo\n")
        second = found.options()

    assert (first.username, first.password.reveal()) == ("", "first")
    assert (second.username, second.password.reveal()) == ("argo", "second")


@pytest.mark.feature("A-89")
async def test_a_directory_without_a_password_ends_the_start(tmp_path: Path) -> None:
    settings = RedisSettings(address=ADDRESS, creds_dir=str(tmp_path))
    with pytest.raises(ConfigError, match=f"cannot read {tmp_path}/auth: No such file"):
        check_access(settings)
    async with access(settings) as (found, _):
        with pytest.raises(CacheUnavailable, match="cannot read"):
            found.options()


@pytest.mark.feature("A-89")
async def test_the_ca_comes_from_a_secret_and_is_read_again_on_change() -> None:
    settings = RedisSettings(address=ADDRESS, tls=True, ca_secret="argocd-redis-tls")
    async with access(settings) as (found, cluster):
        with pytest.raises(CacheUnavailable, match='Secret "argocd/argocd-redis-tls"'):
            found.options()

        about = Metadata(name="argocd-redis-tls", namespace="argocd")
        held = await cluster.create(SECRETS, new_object(SECRETS, about, data=ca_secret("one")))
        await passing(1)
        first = found.options().tls
        await cluster.update(
            SECRETS, held.with_fields({"data": new_object(SECRETS, about, data=ca_secret("two")).fields["data"]})
        )
        await passing(1)
        second = found.options().tls

    assert first is not None
    assert second is not None
    assert (first.ca_pem, first.verify, second.ca_pem) == ("one", True, "two")


async def test_a_ca_file_beats_the_secret_and_insecure_needs_neither(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("a CA")
    path = str(tmp_path / "ca.pem")
    async with access(RedisSettings(address=ADDRESS, tls=True, ca_path=path, ca_secret="x")) as (found, _):
        by_file = found.options().tls
    async with access(RedisSettings(address=ADDRESS, tls=True, insecure=True, ca_secret="x")) as (found, _):
        unverified = found.options().tls

    assert by_file is not None
    assert unverified is not None
    assert (by_file.ca_pem, by_file.verify, unverified.verify) == ("a CA", True, False)


def test_a_password_is_not_in_what_is_printed() -> None:
    assert "hidden" not in repr(RedisSettings(address=ADDRESS, password=Secret("hidden")))
