"""Dialling through a forward proxy (HTTP CONNECT)."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator

import pytest

from argocd_agent.errors import ConfigError, PeerUnavailable
from tests.component.transport.hub import LOGIN, TOKEN, a_hub, an_event, dialled

pytestmark = pytest.mark.real_time(20)


@contextlib.asynccontextmanager
async def a_proxy(
    answer: bytes = b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n",
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A proxy's port, and the requests that it got."""
    requests: list[bytes] = []
    copies: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        requests.append(request)
        host, _, port = request.split(b" ")[1].decode().rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(answer)
        copies.append(asyncio.create_task(_copy(reader, far_writer)))
        copies.append(asyncio.create_task(_copy(far_reader, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], requests
    finally:
        server.close()
        await asyncio.gather(*copies)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_a_stream_through_a_proxy_works_and_the_proxy_gets_the_credentials() -> None:
    async with (
        a_hub() as hub,
        a_proxy() as (port, requests),
        dialled(hub.port, proxy=f"http://me:p%40ss@127.0.0.1:{port}") as channel,
    ):
        await channel.authenticate(LOGIN)
        stream = await channel.subscribe(TOKEN)
        await stream.send(an_event())
        received = await stream.receive()

    assert received.event_id == "e-1"
    assert requests[0].startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % hub.port)
    assert base64.b64encode(b"me:p@ss") in requests[0]


async def test_a_refusal_of_the_proxy_is_quoted() -> None:
    async with a_hub() as hub, a_proxy(b"HTTP/1.1 403 Forbidden\r\n\r\n") as (port, _):
        with pytest.raises(PeerUnavailable) as caught:
            async with dialled(hub.port, proxy=f"http://127.0.0.1:{port}"):
                pass

    assert str(caught.value) == (
        f"the proxy 127.0.0.1:{port} refuses to connect to localhost:{hub.port}: HTTP/1.1 403 Forbidden"
    )


async def test_a_proxy_of_another_scheme_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError, match=r"expected http://host:port, found socks5://127.0.0.1"):
        async with dialled(1, proxy="socks5://127.0.0.1:2"):
            pass
