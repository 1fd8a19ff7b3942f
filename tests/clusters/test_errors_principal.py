"""What the hub's administrator reads when keys are wrong; and that it heals without a restart."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from argocd_agent.pki import certificates, keys
from argocd_agent.pki.certificates import Usage
from argocd_agent.protocol.names import SECRET_CA, SECRET_JWT, SECRET_JWT_KEY, SECRET_PRINCIPAL_TLS
from tests.support.clusters import RealClusters
from tests.support.pairs import ended
from tests.support.programs import LOOPBACK, Running
from tests.support.sites import Hub, a_ca, install_hub, install_spoke, token_key

CERTIFICATE = "certificate of the principal"
CA = "CA of agents"
TOKENS = "key that signs tokens"
KIND = "kubernetes.io/tls"


async def not_ready(program: Running, *words: str) -> str:
    return await asyncio.to_thread(program.until_not_ready, *words)


async def give(hub: Hub, secret: str) -> None:
    """Put the Secret there that is missing; of a CA, a new one with a certificate signed by it."""
    if secret == SECRET_JWT:
        await hub.put(SECRET_JWT, {SECRET_JWT_KEY: token_key()})
    elif secret == SECRET_PRINCIPAL_TLS:
        await hub.issue()
    else:
        pair = a_ca()
        await hub.put(SECRET_CA, {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}, KIND)


@pytest.mark.feature("P-6", "P-21", "C-58")
@pytest.mark.parametrize(
    ("secret", "part"), [(SECRET_PRINCIPAL_TLS, CERTIFICATE), (SECRET_CA, CA), (SECRET_JWT, TOKENS)]
)
async def test_a_missing_secret_is_named_and_picked_up_when_it_comes(
    clusters: RealClusters, secret: str, part: str
) -> None:
    hub = await install_hub(clusters[0].kubeconfig)
    await hub.drop(secret)
    principal = hub.start()
    with ended(principal):
        body = await not_ready(principal, "there is no such Secret")

        assert f'{part} (Secret "{hub.namespace}/{secret}")' in body
        assert "listener for agents: not started yet" in body
        assert principal.page("/livez")[0] == 200
        assert principal.said(part, "not ready, and tried again")

        await give(hub, secret)
        await asyncio.to_thread(principal.until_ready)


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("garbage", "PEM"),
        (keys.to_pem(keys.generate(keys.KeyAlgorithm.ECDSA_P256)), "RSA"),
    ],
)
async def test_a_token_key_that_cannot_be_used_is_named(clusters: RealClusters, key: str, word: str) -> None:
    hub = await install_hub(clusters[0].kubeconfig)
    await hub.put(SECRET_JWT, {SECRET_JWT_KEY: key})
    principal = hub.start()
    with ended(principal):
        body = await not_ready(principal, TOKENS, word)

        assert f"{hub.namespace}/{SECRET_JWT}" in body
        assert "PRIVATE KEY" not in body + principal.last_words()

        await give(hub, SECRET_JWT)
        await asyncio.to_thread(principal.until_ready)


async def test_a_certificate_with_the_key_of_another_is_named(clusters: RealClusters) -> None:
    hub = await install_hub(clusters[0].kubeconfig)
    mixed = {"tls.crt": a_ca("one").certificate_pem, "tls.key": a_ca("two").key_pem}
    await hub.put(SECRET_PRINCIPAL_TLS, mixed, KIND)
    principal = hub.start()
    with ended(principal):
        await not_ready(principal, CERTIFICATE, f"{hub.namespace}/{SECRET_PRINCIPAL_TLS}", "key")

        await give(hub, SECRET_PRINCIPAL_TLS)
        await asyncio.to_thread(principal.until_ready)


async def test_an_expired_certificate_is_an_error_on_the_hub_and_a_sentence_at_the_agent(
    clusters: RealClusters,
) -> None:
    hub = await install_hub(clusters[0].kubeconfig)
    spoke = await install_spoke(hub, clusters[1].kubeconfig)
    before = datetime.now(UTC) - timedelta(days=3)
    key = keys.generate(keys.KeyAlgorithm.ECDSA_P256)
    pair = certificates.issue(await hub.ca(), "principal", key, before, usages=[Usage.SERVER], days=2, ips=[LOOPBACK])
    await hub.put(SECRET_PRINCIPAL_TLS, {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}, KIND)
    principal, agent = hub.start(), spoke.start()
    with ended(principal, agent):
        line = await asyncio.to_thread(principal.until_said, "the certificate expired at")
        body = await not_ready(agent, "has expired (on ")

        assert "level=error" in line
        assert f"{hub.namespace}/{SECRET_PRINCIPAL_TLS}" in line
        assert f"{LOOPBACK}:{hub.port}" in body

        await hub.issue()
        await asyncio.to_thread(agent.until_ready)


async def test_a_certificate_for_another_host_is_named_with_the_hosts_that_it_is_for(clusters: RealClusters) -> None:
    hub = await install_hub(clusters[0].kubeconfig)
    spoke = await install_spoke(hub, clusters[1].kubeconfig)
    await hub.issue(ips=(), dns=("hub.example.com",))
    principal, agent = hub.start(), spoke.start()
    with ended(principal, agent):
        body = await not_ready(agent, "is not for 127.0.0.1")

        assert "it is for hub.example.com" in body

        await hub.issue()
        await asyncio.to_thread(agent.until_ready)


@pytest.mark.feature("P-9", "C-52")
async def test_a_certificate_in_which_the_pattern_finds_no_name_is_told_on_the_hub(clusters: RealClusters) -> None:
    hub = await install_hub(clusters[0].kubeconfig)
    spoke = await install_spoke(hub, clusters[1].kubeconfig)
    principal, agent = hub.start("--auth=mtls:uri:spiffe://example/(.*)"), spoke.start()
    with ended(principal, agent):
        body = await not_ready(agent, "connection to the principal", "authentication failed")
        line = await asyncio.to_thread(principal.until_said, "client authentication failed")

    assert "the pattern finds no name in the URI" in line
    assert "spiffe" not in body  # how the hub decides is not the caller's business
