"""Keys and certificates are replaced while both programs run: nothing restarts, and a bad one replaces nothing."""

import asyncio
import socket
import ssl

import pytest

from argocd_agent.pki import keys
from argocd_agent.protocol.names import SECRET_CA, SECRET_CLIENT_TLS, SECRET_JWT, SECRET_JWT_KEY, SECRET_PRINCIPAL_TLS
from tests.support.applications import Applications
from tests.support.clusters import RealClusters
from tests.support.pairs import Pair, a_pair
from tests.support.programs import LOOPBACK
from tests.support.sites import a_ca, a_name

KIND = "kubernetes.io/tls"


async def works(hub: Applications, spoke: Applications) -> None:
    name = a_name("app")
    await hub.create(name)
    await spoke.until_there(name)


def shown(port: int) -> bytes:
    """The certificate that a principal shows now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((LOOPBACK, port), 5) as plain, context.wrap_socket(plain) as secured:
        found = secured.getpeercert(binary_form=True)
    assert found is not None
    return found


async def test_a_new_server_certificate_is_shown_to_who_comes_next(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        before = await asyncio.to_thread(shown, pair.hub.port)
        pid = pair.principal.process.pid

        await pair.hub.issue()
        await asyncio.to_thread(pair.principal.until_said, "was replaced")
        after = await asyncio.to_thread(shown, pair.hub.port)

        assert after != before
        await works(hub, spoke)
        pair.agent.stop()
        pair.start_agent()
        await pair.ready()
        await works(hub, spoke)
        assert pair.principal.process.pid == pid


async def test_a_new_client_certificate_makes_the_agent_connect_anew(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        since = pair.agent.mark

        await pair.spoke.issue()
        await asyncio.to_thread(pair.agent.until_said, "Connected to the principal", since=since)

        assert pair.agent.said("certificates were renewed", since=since)
        await works(hub, spoke)


async def test_a_new_ca_with_all_that_it_signed_is_taken_up_by_both(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        old, new = await pair.hub.ca(), a_ca("the new CA")

        # As an administrator changes a CA without a gap: trust both, exchange what is signed, trust the new one.
        await pair.spoke.trust(old, new)
        await _trust_clients(pair, old.certificate_pem + new.certificate_pem, new.key_pem)
        await pair.hub.issue(ca=new)
        await pair.spoke.issue(ca=new)
        await _trust_clients(pair, new.certificate_pem, new.key_pem)
        since = pair.agent.mark
        await pair.spoke.trust(new)
        await asyncio.to_thread(pair.agent.until_said, "Connected to the principal", since=since)

        await works(hub, spoke)
        assert pair.principal.is_running
        assert pair.agent.is_running


@pytest.mark.feature("C-58")
async def test_a_new_token_key_is_used_without_a_restart(clusters: RealClusters) -> None:
    other = keys.to_pem(keys.generate(keys.KeyAlgorithm.RSA, 2048))
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await pair.hub.put(SECRET_JWT, {SECRET_JWT_KEY: other})
        await works(hub, spoke)

        since = pair.agent.mark
        await pair.spoke.issue()
        await asyncio.to_thread(pair.agent.until_said, "Connected to the principal", since=since)

        await works(hub, spoke)


async def test_what_cannot_be_used_replaces_nothing_and_is_told(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        garbage = {"tls.crt": "garbage", "tls.key": "garbage"}

        await pair.hub.put(SECRET_PRINCIPAL_TLS, garbage, KIND)
        await pair.hub.put(SECRET_JWT, {SECRET_JWT_KEY: "garbage"})
        await pair.spoke.put(SECRET_CLIENT_TLS, garbage, KIND)
        for part in ("certificate of the principal", "key that signs tokens"):
            await asyncio.to_thread(pair.principal.until_said, part, "the last one stays in use")
        await asyncio.to_thread(pair.agent.until_said, "certificate of the agent", "the last one stays in use")

        await works(hub, spoke)
        assert pair.agent.page("/healthz")[0] == 200  # still connected


async def test_a_secret_that_is_deleted_stays_in_use_and_is_told(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await pair.spoke.drop(SECRET_CLIENT_TLS)
        body = await asyncio.to_thread(pair.agent.until_said, "the Secret was deleted; the last one stays in use")

        assert f"{pair.spoke.namespace}/{SECRET_CLIENT_TLS}" in body
        await works(hub, spoke)

        await pair.spoke.issue()
        await asyncio.to_thread(pair.agent.until_ready)


async def _trust_clients(pair: Pair, certificates_pem: str, key_pem: str) -> None:
    """Let the principal trust agents that these CAs have signed."""
    await pair.hub.put(SECRET_CA, {"tls.crt": certificates_pem, "tls.key": key_pem}, KIND)
