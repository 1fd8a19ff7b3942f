"""The hub's live view as the principal runs it: certificates from Secrets, renewed; switched off; refused settings."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.errors import ConfigError
from argocd_agent.pki.certificates import Pair
from argocd_agent.pki.fingerprints import fingerprint
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.principal.live import Live
from argocd_agent.protocol.names import SECRET_CA, SECRET_RESOURCE_PROXY_TLS
from argocd_agent.resources.kinds import NAMESPACES, SECRETS
from argocd_agent.resources.objects import Metadata, Object, new_object
from argocd_agent.settings.values import Method
from argocd_agent.telemetry.health import Health
from tests.component.transport.hub import a_ca
from tests.support.proxybench import client_tls, server_tls, token_key
from tests.support.world import HOME

pytestmark = pytest.mark.real_time(timeout=60)


def a_secret(name: str, **data: str) -> Object:
    encoded = {key.replace("_", "."): base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return new_object(SECRETS, Metadata(name=name, namespace=HOME), data=encoded)


class Reports(Health):
    """Tells when something has changed."""

    def __init__(self) -> None:
        super().__init__(())
        self.changed = asyncio.Event()

    def set(self, part: str, is_ready: bool, reason: str = "") -> bool:
        self.changed.set()
        return super().set(part, is_ready, reason)

    async def until(self, is_ready: bool) -> None:
        while self.report().is_ready is not is_ready:
            self.changed.clear()
            await self.changed.wait()


@contextlib.asynccontextmanager
async def a_hub(cluster: EmbeddedCluster, health: Health, **settings: Any) -> AsyncIterator[Live]:
    config = PrincipalConfig(
        namespace=HOME,
        auth=Method("mtls", "subject:CN=([^,]+)"),
        **{"resource_proxy_host": "127.0.0.1", "resource_proxy_port": 0, **settings},
    )
    live = Live(config, cluster, health, lambda _: None)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(live.run(token_key, lambda _: True, lambda _: False))
        yield live
        task.cancel()


async def served_certificate(port: int, ca: Pair) -> str:
    """The fingerprint of what the proxy shows, and that it answers."""
    tls = client_tls("agent-1", ca=ca, server_ca=ca)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    writer.write(b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 ")
    return fingerprint(der)


async def test_it_waits_for_its_secrets_serves_and_takes_new_ones_without_a_restart() -> None:
    cluster, health = open_memory(), Reports()
    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=HOME)))
    async with a_hub(cluster, health) as live:
        missing = dict(health.report().missing)
        tls = server_tls()
        await cluster.create(
            SECRETS, a_secret(SECRET_RESOURCE_PROXY_TLS, tls_crt=tls.certificate_pem, tls_key=tls.key_pem)
        )
        await cluster.create(SECRETS, a_secret(SECRET_CA, ca_crt=a_ca().certificate_pem))
        await health.until(is_ready=True)
        assert live.port is not None
        first = await served_certificate(live.port, a_ca())

        new = server_tls()
        await cluster.update(SECRETS, a_secret(SECRET_RESOURCE_PROXY_TLS, tls_crt="rubbish", tls_key=new.key_pem))
        await cluster.update(
            SECRETS, a_secret(SECRET_RESOURCE_PROXY_TLS, tls_crt=new.certificate_pem, tls_key=new.key_pem)
        )
        second = first
        while second == first:
            with contextlib.suppress(OSError):
                second = await served_certificate(live.port, a_ca())

    assert "listener of the resource proxy" in missing
    assert first != second


async def test_switched_off_it_needs_nothing_and_serves_nobody() -> None:
    health = Reports()
    cluster = open_memory()
    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=HOME)))
    async with a_hub(cluster, health, resource_proxy_enabled=False) as live:
        assert health.report().is_ready
        assert live.port is None


async def test_a_port_that_is_taken_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    tls = server_tls()
    paths = {}
    for name, pem in (("cert", tls.certificate_pem), ("key", tls.key_pem), ("ca", tls.ca_pem)):
        paths[f"resource_proxy_{name}_path"] = str(tmp_path / name)
        (tmp_path / name).write_text(pem)
    cluster = open_memory()
    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=HOME)))
    health = Reports()
    async with a_hub(cluster, health, **paths) as live:
        await health.until(is_ready=True)

        with pytest.raises(ExceptionGroup) as caught:
            async with a_hub(cluster, Reports(), resource_proxy_port=live.port, **paths):
                await asyncio.get_running_loop().create_future()

    error: BaseException = caught.value
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ConfigError)
    assert str(error).startswith("--resource-proxy-listen-port: cannot listen on 127.0.0.1")


def test_a_certificate_without_its_key_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match="give both or neither"):
        PrincipalConfig(namespace=HOME, auth=Method("mtls", "subject:CN=([^,]+)"), resource_proxy_cert_path="x")
