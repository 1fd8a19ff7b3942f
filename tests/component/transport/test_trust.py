"""Who trusts whom: the errors that a user meets when certificates, names or versions do not fit."""

import asyncio
import contextlib
import socket
import ssl
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from argocd_agent.errors import AuthenticationFailed, KeyMaterialError, PeerUnavailable, TransportError
from argocd_agent.pki.certificates import Pair
from argocd_agent.pki.tls import ClientTls, ServerTls, TlsVersion, client_context
from tests.component.transport.hub import LOGIN, a_ca, a_hub, a_leaf, client_tls, dialled, server_tls

pytestmark = pytest.mark.real_time(20)

ROOT = Path(__file__).parents[3]


async def failure(port: int, tls: ClientTls | None, **options: Any) -> TransportError:
    """The error of an attempt to dial and log in."""
    with pytest.raises(TransportError) as caught:
        async with dialled(port, (lambda: tls) if tls is not None else None, **options) as channel:
            await channel.authenticate(LOGIN)
    return caught.value


def serving(leaf: Pair) -> ServerTls:
    """A server's material of one leaf."""
    return ServerTls(leaf.certificate_pem, leaf.key_pem, a_ca().certificate_pem)


def with_leaf(**options: Any) -> ClientTls:
    """An agent's material with a leaf made to order."""
    leaf = a_leaf("agent-1", **options)
    return ClientTls(ca_pem=a_ca().certificate_pem, certificate_pem=leaf.certificate_pem, key_pem=leaf.key_pem)


@pytest.mark.feature("C-55")
async def test_an_agent_without_certificate_is_told_that_one_is_demanded() -> None:
    async with a_hub() as hub:
        error = await failure(hub.port, ClientTls(ca_pem=a_ca().certificate_pem))

    assert isinstance(error, AuthenticationFailed)
    assert "probably since it demands a client certificate: we have none" in str(error)


@pytest.mark.feature("C-55")
async def test_an_agent_with_a_certificate_of_a_foreign_ca_is_refused() -> None:
    async with a_hub() as hub:
        error = await failure(hub.port, with_leaf(ca=a_ca("foreign CA")))

    assert isinstance(error, AuthenticationFailed)
    assert "does not accept our client certificate (agent-1, signed by foreign CA, valid until 20" in str(error)


async def test_an_agent_with_an_expired_certificate_is_refused() -> None:
    async with a_hub() as hub:
        error = await failure(hub.port, with_leaf(age_days=20))

    assert isinstance(error, AuthenticationFailed)
    assert "does not accept our client certificate (agent-1, signed by our CA, valid until 20" in str(error)


async def test_an_alert_of_a_principal_that_sends_them_is_put_into_words() -> None:
    tls = server_tls()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2"])
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=tls.ca_pem)
    with tempfile.NamedTemporaryFile("w") as pem:
        pem.write(tls.certificate_pem + tls.key_pem)
        pem.flush()
        context.load_cert_chain(pem.name)

    with socket.create_server(("127.0.0.1", 0)) as server:
        serving_one = asyncio.create_task(asyncio.to_thread(_refuse_one, server, context))
        error = await failure(server.getsockname()[1], ClientTls(ca_pem=a_ca().certificate_pem))
        await serving_one

    assert isinstance(error, AuthenticationFailed)
    assert str(error).endswith("refuses us: it demands a client certificate and we have none")


async def test_a_plaintext_agent_at_a_principal_with_tls_is_told_so() -> None:
    async with a_hub() as hub:
        error = await failure(hub.port, None)

    assert "it may expect TLS, and we are in plaintext mode" in str(error)


@pytest.mark.feature("A-9", "C-56")
async def test_a_principal_of_an_unknown_ca_is_refused_and_the_ca_named() -> None:
    foreign = a_ca("foreign CA")
    leaf = a_leaf("principal", ca=foreign, dns=("localhost",))

    async with a_hub(material=lambda: serving(leaf)) as hub:
        error = await failure(hub.port, client_tls())

    assert isinstance(error, AuthenticationFailed)
    assert "is signed by a CA (foreign CA) that is not in our root CA" in str(error)


async def test_an_expired_certificate_of_the_principal_is_refused_with_its_date() -> None:
    leaf = a_leaf("principal", dns=("localhost",), age_days=20)

    async with a_hub(material=lambda: serving(leaf)) as hub:
        error = await failure(hub.port, client_tls())

    assert f"localhost:{hub.port} has expired (on 20" in str(error)


async def test_a_certificate_that_is_not_yet_valid_is_refused_with_its_date() -> None:
    leaf = a_leaf("principal", dns=("localhost",), age_days=-5)

    async with a_hub(material=lambda: serving(leaf)) as hub:
        error = await failure(hub.port, client_tls())

    assert "is not yet valid (from 20" in str(error)


@pytest.mark.feature("C-56")
async def test_a_certificate_for_another_host_is_refused_with_the_names_it_has() -> None:
    leaf = a_leaf("principal", dns=("hub.example.org", "hub"))

    async with a_hub(material=lambda: serving(leaf)) as hub:
        error = await failure(hub.port, client_tls())

    assert "is not for localhost; it is for hub.example.org, hub" in str(error)


async def test_a_server_name_of_our_choice_is_what_the_certificate_must_be_for() -> None:
    leaf = a_leaf("principal", dns=("hub.example.org",))
    tls = ClientTls(
        ca_pem=a_ca().certificate_pem,
        certificate_pem=client_tls().certificate_pem,
        key_pem=client_tls().key_pem,
        server_name="hub.example.org",
    )

    async with a_hub(material=lambda: serving(leaf)) as hub, dialled(hub.port, lambda: tls) as channel:
        version = await channel.version()

    assert version == "argocd-agent-0.9.0"


@pytest.mark.feature("A-9", "C-56")
async def test_without_verification_any_certificate_will_do() -> None:
    leaf = a_leaf("principal", ca=a_ca("foreign CA"), dns=("elsewhere",))
    tls = ClientTls(certificate_pem=client_tls().certificate_pem, key_pem=client_tls().key_pem, verify=False)

    async with a_hub(material=lambda: serving(leaf)) as hub, dialled(hub.port, lambda: tls) as channel:
        version = await channel.version()

    assert version == "argocd-agent-0.9.0"


async def test_the_ip_address_of_the_principal_is_checked_against_its_ip_names() -> None:
    async with a_hub() as hub, dialled(hub.port, host="127.0.0.1") as channel:
        version = await channel.version()

    assert version == "argocd-agent-0.9.0"


async def test_a_key_of_another_certificate_is_named_before_anything_is_dialled() -> None:
    tls = ClientTls(
        ca_pem=a_ca().certificate_pem,
        certificate_pem=client_tls().certificate_pem,
        key_pem=server_tls().key_pem,
        where="Secret argocd/argocd-agent-client-tls",
    )

    with pytest.raises(KeyMaterialError) as caught:
        async with dialled(1, lambda: tls):
            pass

    assert str(caught.value) == "Secret argocd/argocd-agent-client-tls: tls.key is not the private key of tls.crt"


@pytest.mark.feature("P-22")
async def test_a_plaintext_principal_dialled_with_tls_is_recognised() -> None:
    async with a_hub(material=None, require_client_certificates=False) as hub:
        error = await failure(hub.port, client_tls())

    assert str(error) == f"localhost:{hub.port} does not speak TLS (is the principal in plaintext mode?)"


async def test_a_principal_that_is_not_there_is_named_with_the_systems_reason() -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()

    error = await failure(port, client_tls(), host="127.0.0.1")

    assert isinstance(error, PeerUnavailable)
    assert f"cannot reach the principal at 127.0.0.1:{port}" in str(error)
    assert "refused" in str(error).lower()


@pytest.mark.feature("P-20", "A-10", "C-57")
async def test_a_connection_below_the_floor_is_refused_by_the_second_line_too() -> None:
    # This process lets grpc offer TLS 1.2; the listener's own floor is 1.3 and must hold by itself.
    tls = ClientTls(
        ca_pem=a_ca().certificate_pem,
        certificate_pem=client_tls().certificate_pem,
        key_pem=client_tls().key_pem,
        maximum=TlsVersion.TLS_1_2,
    )

    async with a_hub() as hub:
        refused = await failure(hub.port, tls)
    async with a_hub(minimum_tls=TlsVersion.TLS_1_2) as hub, dialled(hub.port, lambda: tls) as channel:
        version = await channel.version()

    assert "UNAUTHENTICATED: authentication failed" in str(refused)
    assert version == "argocd-agent-0.9.0"


async def test_a_connection_that_closes_without_a_request_does_no_harm() -> None:
    async with a_hub() as hub:
        context = client_context(client_tls())
        for _ in range(3):
            _, writer = await asyncio.open_connection("localhost", hub.port, ssl=context)
            writer.transport.abort()
        _, raw = await asyncio.open_connection("localhost", hub.port)
        raw.transport.abort()
        async with dialled(hub.port) as channel:
            version = await channel.version()

    assert version == "argocd-agent-0.9.0"


async def test_a_new_certificate_and_a_new_ca_count_from_the_next_connection_on() -> None:
    new_ca = a_ca("new CA")
    leaf = a_leaf("principal", ca=new_ca, dns=("localhost",))
    client = a_leaf("agent-1", ca=new_ca)
    new_client = ClientTls(
        ca_pem=new_ca.certificate_pem, certificate_pem=client.certificate_pem, key_pem=client.key_pem
    )
    material = [server_tls()]

    async with a_hub(material=lambda: material[-1]) as hub, dialled(hub.port) as before:
        await before.version()
        material.append(ServerTls(leaf.certificate_pem, leaf.key_pem, new_ca.certificate_pem))
        async with dialled(hub.port, lambda: new_client) as after:
            versions = [await before.version(), await after.version()]
        old = await failure(hub.port, client_tls())

    assert versions == ["argocd-agent-0.9.0"] * 2
    assert "(new CA)" in str(old)


@pytest.mark.feature("P-20", "C-57")
async def test_the_floor_of_a_process_refuses_tls_1_2_in_the_handshake() -> None:
    port, stop = await _hub_in_a_process("tls1.3")
    try:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await _handshake(port, TlsVersion.TLS_1_2)
        newest = await _handshake(port, TlsVersion.TLS_1_3)
    finally:
        await stop()

    assert newest == "TLSv1.3"


@pytest.mark.feature("P-20", "A-10", "C-57")
async def test_a_floor_of_tls_1_2_lets_both_versions_in() -> None:
    port, stop = await _hub_in_a_process("tls1.2")
    try:
        spoken = [await _handshake(port, version) for version in (TlsVersion.TLS_1_2, TlsVersion.TLS_1_3)]
    finally:
        await stop()

    assert spoken == ["TLSv1.2", "TLSv1.3"]


def _refuse_one(server: socket.socket, context: ssl.SSLContext) -> None:
    """Refuse one client as OpenSSL does by itself, alert included; asyncio's servers and grpc's send none."""
    connection, _ = server.accept()
    with connection, contextlib.suppress(ssl.SSLError, ConnectionError):
        context.wrap_socket(connection, server_side=True)


async def _handshake(port: int, version: TlsVersion) -> str:
    """The TLS version that a handshake limited to *version* ends with."""
    good = client_tls()
    context = client_context(
        ClientTls(
            ca_pem=good.ca_pem,
            certificate_pem=good.certificate_pem,
            key_pem=good.key_pem,
            minimum=version,
            maximum=version,
        )
    )
    _, writer = await asyncio.open_connection("localhost", port, ssl=context)
    spoken: str = writer.get_extra_info("ssl_object").version()
    writer.transport.abort()
    return spoken


_HUB = """
import asyncio, sys
from argocd_agent.pki.certificates import Pair
from argocd_agent.pki.tls import ServerTls, TlsVersion
from argocd_agent.transport import tlsfloor
minimum = TlsVersion(sys.argv[1])
tlsfloor.hold(minimum)
from argocd_agent.transport.listener import ListenerOptions, serve
from tests.component.transport.hub import PlainGate
certificate, key, ca = sys.stdin.read().split("@")
async def main():
    options = ListenerOptions(host="127.0.0.1", port=0, material=lambda: ServerTls(certificate, key, ca),
                              require_client_certificates=True, minimum_tls=minimum)
    async with serve(options, PlainGate()) as hub:
        print(hub.port, flush=True)
        await hub.wait_closed()
asyncio.run(main())
"""


async def _hub_in_a_process(minimum: str) -> tuple[int, Callable[[], Awaitable[None]]]:
    """The port of a hub in a process of its own, since grpc reads its cipher suites once per process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _HUB, minimum, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    tls = server_tls()
    process.stdin.write(f"{tls.certificate_pem}@{tls.key_pem}@{tls.ca_pem}".encode())
    process.stdin.close()
    port = int(await process.stdout.readline())

    async def stop() -> None:
        process.kill()
        await process.wait()

    return port, stop
