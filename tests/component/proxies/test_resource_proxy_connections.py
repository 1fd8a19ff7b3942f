"""The resource proxy's connections: bytes that two readers might read differently, upgrades, new certificates."""

import asyncio
import contextlib

import aiohttp
import pytest

from argocd_agent.protocol.names import ANNOTATION_TRACKING_ID
from argocd_agent.resources.kinds import CONFIGMAPS
from tests.component.transport.hub import a_ca
from tests.support.liveline import SHOP
from tests.support.proxybench import Proxy, a_proxy, server_tls

pytestmark = pytest.mark.real_time(timeout=60)

TRACKED = {ANNOTATION_TRACKING_ID: "guestbook:/v1/ConfigMap:shop/x"}
MAPS = f"/api/v1/namespaces/{SHOP}/configmaps"
OURS = f"{MAPS}/ours"


async def an_object(proxy: Proxy) -> None:
    await proxy.line.create(CONFIGMAPS, "ours", annotations=TRACKED, fields={"data": {"a": "1"}})


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        "Content-Length: 2\r\nContent-Length: 3",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Content-Length: 2\r\nHost: other",
        "Content-Length : 2",
        "Content-Length: 2\r\n Folded: yes",
        "Content-Length: 2\r\nAuthorization: Bearer x\r\nAuthorization: Basic y",
    ],
)
async def test_a_request_that_two_readers_might_read_differently_is_refused(head: str) -> None:
    async with a_proxy() as proxy:
        await an_object(proxy)
        hidden = f"GET {MAPS}/hidden HTTP/1.1\r\nHost: x\r\n\r\n"

        answer = await proxy.raw(f"PATCH {OURS} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n{{}}{hidden}".encode())

        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
        assert answer.count(b"HTTP/1.") == 1
        assert proxy.line.received == []


async def test_nothing_but_exec_may_upgrade_its_connection() -> None:
    async with a_proxy() as proxy:
        await an_object(proxy)
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
        hidden = f"GET {OURS} HTTP/1.1\r\nHost: x\r\n\r\n"

        answer = await proxy.raw(f"GET {OURS} HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n\r\n{hidden}".encode())
        tunnel = await proxy.raw(f"CONNECT {OURS} HTTP/1.1\r\nHost: x\r\n\r\n{hidden}".encode())

        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"only exec changes the protocol" in answer
        assert tunnel.startswith(b"HTTP/1.1 403 ")
        assert proxy.line.received == []


async def test_a_new_certificate_and_ca_count_at_once_and_open_connections_stay() -> None:
    other = a_ca("the next CA")
    async with a_proxy() as proxy, proxy.caller() as before:
        await an_object(proxy)
        assert (await before.get(OURS))[0] == 200

        proxy.tls = server_tls(other)
        proxy.listener.renew()
        async with asyncio.timeout(10), proxy.caller(ca=other, server_ca=other) as after:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    assert (await after.get(OURS))[0] == 200
                    break
        assert (await before.get(OURS))[0] == 200
        async with proxy.caller(server_ca=other) as old:
            with pytest.raises((aiohttp.ClientError, ConnectionError)):
                await old.get(OURS)
