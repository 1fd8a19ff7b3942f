"""What an agent's user reads when keys, names or addresses are wrong; and that it heals without a restart.

One principal serves all tests; each has an agent of its own, which is started wrong.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from argocd_agent.pki import keys
from argocd_agent.protocol.names import SECRET_CA, SECRET_CLIENT_TLS
from tests.support.applications import Applications
from tests.support.clusters import RealClusters
from tests.support.pairs import ended
from tests.support.programs import LOOPBACK, Running, a_port
from tests.support.sites import Hub, Spoke, a_ca, install_hub, install_spoke, opened

CERTIFICATE = "certificate of the agent"
CA = "CA of the principal"
CONNECTION = "connection to the principal"


@pytest.fixture(scope="module")
def principal(clusters: RealClusters) -> Iterator[tuple[Hub, Running]]:
    """A principal, ready."""
    hub = asyncio.run(install_hub(clusters[0].kubeconfig))
    running = hub.start()
    with ended(running):
        running.until_ready()
        yield hub, running


@pytest.fixture
def spoke(clusters: RealClusters, principal: tuple[Hub, Running]) -> Spoke:
    """An agent that is installed, not started."""
    return asyncio.run(install_spoke(principal[0], clusters[1].kubeconfig))


@asynccontextmanager
async def started(spoke: Spoke, *flags: str) -> AsyncIterator[Running]:
    agent = spoke.start(*flags)
    with ended(agent):
        yield agent


async def not_ready(program: Running, *words: str) -> str:
    return await asyncio.to_thread(program.until_not_ready, *words)


async def works(spoke: Spoke, agent: Running) -> None:
    """The agent is connected, and an Application arrives."""
    await asyncio.to_thread(agent.until_ready)
    async with opened(spoke.hub.kubeconfig) as hub, opened(spoke.kubeconfig) as cluster:
        await Applications(hub, spoke.agent).create("guestbook")
        await Applications(cluster, spoke.namespace).until_there("guestbook")


@pytest.mark.feature("A-6", "A-9")
@pytest.mark.parametrize(("secret", "part"), [(SECRET_CLIENT_TLS, CERTIFICATE), (SECRET_CA, CA)])
async def test_a_missing_secret_is_named_and_picked_up_when_it_comes(spoke: Spoke, secret: str, part: str) -> None:
    await spoke.drop(secret)
    async with started(spoke) as agent:
        body = await not_ready(agent, part, "there is no such Secret")

        assert f'(Secret "{spoke.namespace}/{secret}")' in body
        assert agent.page("/livez")[0] == 200

        if secret == SECRET_CA:
            await spoke.trust(await spoke.hub.ca())
        else:
            await spoke.issue()
        await works(spoke, agent)


async def test_an_expired_certificate_is_named_with_its_end_and_replaced_while_running(spoke: Spoke) -> None:
    await spoke.issue(ended=True)
    async with started(spoke) as agent:
        body = await not_ready(agent, CERTIFICATE, "expired on")

        assert f"{spoke.namespace}/{SECRET_CLIENT_TLS}" in body

        await spoke.issue()
        await works(spoke, agent)


async def test_a_secret_without_its_fields_says_which_and_what_is_there(spoke: Spoke) -> None:
    await spoke.drop(SECRET_CLIENT_TLS)
    await spoke.put(SECRET_CLIENT_TLS, {"cert.pem": "x"})
    async with started(spoke) as agent:
        body = await not_ready(agent, "expected field tls.crt and tls.key, found cert.pem")

    assert f"{spoke.namespace}/{SECRET_CLIENT_TLS}" in body


async def test_a_certificate_that_is_none_is_named(spoke: Spoke) -> None:
    await spoke.drop(SECRET_CLIENT_TLS)
    await spoke.put(SECRET_CLIENT_TLS, {"tls.crt": "garbage", "tls.key": "garbage"})
    async with started(spoke) as agent:
        body = await not_ready(agent, CERTIFICATE, f"{spoke.namespace}/{SECRET_CLIENT_TLS}", "PEM")

    assert "connection to the principal: not started yet" in body


async def test_a_key_of_another_certificate_is_named(spoke: Spoke) -> None:
    other = keys.to_pem(keys.generate(keys.KeyAlgorithm.ECDSA_P256))
    pair = a_ca("somebody")
    await spoke.put(SECRET_CLIENT_TLS, {"tls.crt": pair.certificate_pem, "tls.key": other}, "kubernetes.io/tls")
    async with started(spoke) as agent:
        await not_ready(agent, CERTIFICATE, f"{spoke.namespace}/{SECRET_CLIENT_TLS}", "key")


@pytest.mark.feature("C-55")
async def test_a_certificate_of_a_foreign_ca_is_refused_and_the_agent_says_which_it_showed(spoke: Spoke) -> None:
    await spoke.issue(ca=a_ca("a foreign CA"))
    async with started(spoke) as agent:
        body = await not_ready(agent, CONNECTION, spoke.agent, "refuses us")

        assert "signed by a foreign CA" in body
        assert SECRET_CLIENT_TLS in body

        await spoke.issue()
        await works(spoke, agent)


@pytest.mark.feature("A-9", "C-56")
async def test_a_principal_of_a_foreign_ca_is_not_trusted_and_its_ca_is_named(spoke: Spoke) -> None:
    await spoke.trust(a_ca("a foreign CA"))
    async with started(spoke) as agent:
        body = await not_ready(agent, CONNECTION, "is signed by a CA (argocd-agent-ca) that is not in our")

        assert SECRET_CA in body
        assert f"{LOOPBACK}:{spoke.hub.port}" in body

        await spoke.trust(await spoke.hub.ca())
        await works(spoke, agent)


@pytest.mark.feature("P-8")
async def test_a_name_that_no_agent_can_have_is_told_on_the_hub(spoke: Spoke, principal: tuple[Hub, Running]) -> None:
    await spoke.issue("Not_A_Name")
    async with started(spoke) as agent:
        body = await not_ready(agent, CONNECTION, "authentication failed")
        line = await asyncio.to_thread(principal[1].until_said, "client authentication failed", "Not_A_Name")

    assert "UNAUTHENTICATED" in body
    assert "expected an agent name" in line


async def test_a_principal_that_is_not_there_is_named_with_its_address(spoke: Spoke) -> None:
    port = a_port()
    async with started(spoke, f"--server-port={port}") as agent:
        body = await not_ready(agent, CONNECTION, "cannot reach the principal")
        log = await asyncio.to_thread(agent.until_said, "not ready, and tried again", str(port))

        assert f"{LOOPBACK}:{port}" in body
        assert "refused" in body.lower()
        assert "level=warning" in log
        assert agent.is_running


async def test_a_host_name_that_does_not_resolve_is_named(spoke: Spoke) -> None:
    async with started(spoke, "--server-address=hub.invalid") as agent:
        body = await not_ready(agent, CONNECTION, "cannot reach the principal")

    assert "hub.invalid" in body


@pytest.mark.feature("P-22")
async def test_a_principal_in_plaintext_mode_is_told_apart_from_one_that_is_not_there(spoke: Spoke) -> None:
    plain = Hub(spoke.hub.kubeconfig, spoke.hub.namespace)
    principal = plain.start("--insecure-plaintext", "--auth=header:x-agent:(.+)")
    with ended(principal):
        await asyncio.to_thread(principal.until_ready)
        async with started(spoke, f"--server-port={plain.port}") as agent:
            await not_ready(agent, CONNECTION, f"{LOOPBACK}:{plain.port} does not speak TLS")


@pytest.mark.feature("P-20", "A-10", "C-57")
async def test_a_client_that_speaks_only_tls_1_2_is_refused_and_told_why(spoke: Spoke) -> None:
    async with started(spoke, "--tls-min-version=tls1.2", "--tls-max-version=tls1.2") as agent:
        body = await not_ready(agent, CONNECTION, "TLS version")

    assert f"{LOOPBACK}:{spoke.hub.port}" in body


@pytest.mark.feature("P-14")
async def test_an_agent_called_like_the_principals_namespace_is_refused(
    spoke: Spoke, principal: tuple[Hub, Running]
) -> None:
    await spoke.issue(spoke.hub.namespace)
    async with started(spoke) as agent:
        await not_ready(agent, CONNECTION, "UNAUTHENTICATED")
        line = await asyncio.to_thread(principal[1].until_said, "may not be called", spoke.hub.namespace)

    assert "principal's namespace" in line
