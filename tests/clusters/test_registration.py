"""Agents register themselves on a real hub: from the first login to a new key and a new certificate."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from argocd_agent.backends.kubernetes import KubernetesCluster
from argocd_agent.demo.seeing import until
from argocd_agent.errors import KeyMaterialError
from argocd_agent.pki import keys
from argocd_agent.pki.tokens import Audience, TokenKey
from argocd_agent.protocol.names import CLUSTER_SECRET_PREFIX, SECRET_JWT, SECRET_JWT_KEY
from argocd_agent.resources.cluster import secret_text
from argocd_agent.resources.clustersecret import ClusterTls, is_self_registered, way_in_of
from argocd_agent.resources.kinds import SECRETS
from argocd_agent.resources.objects import Object
from tests.support.applications import Applications
from tests.support.clusters import RealClusters
from tests.support.pairs import Pair
from tests.support.sites import a_ca, a_name, install_hub, install_spoke, opened, token_key

SHARED = "shared-client"
FLAGS = (
    "--enable-self-cluster-registration=true",
    f"--self-registration-client-cert-secret={SHARED}",
    "--resource-proxy-address=proxy.example:9090",
)
SEEN_SECONDS = 15.0

Claim = Callable[[Object], bool]


@dataclass
class Site:
    """A hub in which agents register themselves, an agent of it, and what the hub's API shows."""

    pair: Pair
    api: KubernetesCluster

    @property
    def name(self) -> str:
        return CLUSTER_SECRET_PREFIX + self.pair.spoke.agent

    async def secret(self) -> Object:
        return await self.api.get(SECRETS, self.pair.hub.namespace, self.name)

    async def until(self, claim: Claim, what: str) -> Object:
        """The cluster Secret as soon as it is there and *claim* is true of it."""
        namespace = self.pair.hub.namespace
        found = await until(
            self.api, SECRETS, namespace, self.name, lambda held: held is not None and claim(held), SEEN_SECONDS, what
        )
        assert found is not None, "the claim is about an object"
        return found

    def has_token_by(self, key: str) -> Claim:
        """Whether a Secret holds a token of this agent that *key* has signed."""
        signer = TokenKey.from_pem(key, "the test's key")

        def claim(secret: Object) -> bool:
            try:
                token = signer.verify(way_in_of(secret).token, Audience.RESOURCE_PROXY, time.time())
            except KeyMaterialError:
                return False
            return token.sub == self.pair.spoke.agent and token.expires_at is None

        return claim

    async def share(self, tls: ClusterTls) -> None:
        """Keep *tls* as the shared certificate."""
        data = {"tls.crt": tls.certificate, "tls.key": tls.key, "ca.crt": tls.ca}
        await self.pair.hub.put(SHARED, {name: pem.decode() for name, pem in data.items()})

    async def mark(self) -> Object:
        """The Secret, after somebody has put a label and an annotation on it."""
        held = await self.secret()
        marked = held.with_metadata(labels={**held.labels, "env": "prod"}).with_annotations({"note": "mine"})
        return await self.api.update(SECRETS, marked)


@contextlib.asynccontextmanager
async def a_site(clusters: RealClusters, tls: ClusterTls | None, *, is_manual: bool = False) -> AsyncIterator[Site]:
    """Both programs, ready; the agent has no cluster Secret unless *is_manual*."""
    hub = await install_hub(clusters[0].kubeconfig)
    spoke = await install_spoke(hub, clusters[1].kubeconfig, registered=is_manual)
    async with opened(hub.kubeconfig) as api:
        pair = Pair(hub, spoke, hub.start(*FLAGS), spoke.start(), FLAGS)
        try:
            site = Site(pair, api)
            if tls is not None:
                await site.share(tls)
                await pair.ready()
            yield site
        finally:
            pair.end()


def a_tls() -> ClusterTls:
    made = a_ca("shared")
    return ClusterTls(made.certificate_pem.encode(), made.key_pem.encode(), a_ca().certificate_pem.encode())


async def works(hub: Applications, spoke: Applications) -> None:
    name = a_name("app")
    await hub.create(name)
    await spoke.until_there(name)


@pytest.mark.feature("P-44", "C-61")
async def test_an_agent_that_nobody_registered_registers_itself_and_gets_its_applications(
    clusters: RealClusters,
) -> None:
    tls = a_tls()
    async with a_site(clusters, tls) as site, site.pair.open() as (hub, spoke):
        made = await site.until(site.has_token_by(token_key()), "a Secret with a valid token")

        agent = site.pair.spoke.agent
        assert is_self_registered(made)
        assert way_in_of(made).tls == tls
        assert secret_text(made, "server") == f"https://proxy.example:9090?agentName={agent}"
        await works(hub, spoke)


@pytest.mark.feature("P-45", "P-46", "C-61")
async def test_a_new_key_and_a_new_certificate_reach_the_secret_of_a_connected_agent(clusters: RealClusters) -> None:
    other, first, second = keys.to_pem(keys.generate(keys.KeyAlgorithm.RSA, 2048)), a_tls(), a_tls()
    async with a_site(clusters, first) as site, site.pair.open() as (hub, spoke):
        await site.until(is_self_registered, "a Secret")
        marked, since = await site.mark(), site.pair.agent.mark

        await site.pair.hub.put(SECRET_JWT, {SECRET_JWT_KEY: other})
        renewed = await site.until(site.has_token_by(other), "a token of the new key")
        assert way_in_of(renewed).tls == first
        assert (renewed.labels, renewed.annotations) == (marked.labels, marked.annotations)

        await site.share(second)
        again = await site.until(lambda secret: way_in_of(secret).tls == second, "the new certificate")
        assert way_in_of(again).token == way_in_of(renewed).token
        assert (again.labels, again.annotations) == (marked.labels, marked.annotations)

        await works(hub, spoke)
        assert not site.pair.agent.said("Connected to the principal", since=since)


@pytest.mark.feature("P-45", "P-46")
async def test_a_login_puts_right_what_changed_while_the_principal_was_away(clusters: RealClusters) -> None:
    other, second = keys.to_pem(keys.generate(keys.KeyAlgorithm.RSA, 2048)), a_tls()
    async with a_site(clusters, a_tls()) as site, site.pair.open() as (hub, spoke):
        await site.until(is_self_registered, "a Secret")
        marked = await site.mark()
        site.pair.principal.stop()

        await site.pair.hub.put(SECRET_JWT, {SECRET_JWT_KEY: other})
        await site.share(second)
        site.pair.start_principal()
        renewed = await site.until(site.has_token_by(other), "a token of the new key")

        assert way_in_of(renewed).tls == second
        assert renewed.labels == marked.labels
        await works(hub, spoke)


@pytest.mark.feature("P-47")
async def test_the_secret_of_a_person_stays_as_it_is(clusters: RealClusters) -> None:
    async with a_site(clusters, a_tls(), is_manual=True) as site, site.pair.open() as (hub, spoke):
        await works(hub, spoke)
        before = await site.secret()

        other = keys.to_pem(keys.generate(keys.KeyAlgorithm.RSA, 2048))
        await site.pair.hub.put(SECRET_JWT, {SECRET_JWT_KEY: other})
        await site.share(a_tls())
        site.pair.agent.stop()
        site.pair.start_agent()
        await works(hub, spoke)

        assert (await site.secret()).version == before.version


async def test_an_agent_comes_in_as_soon_as_there_is_a_shared_certificate(clusters: RealClusters) -> None:
    async with a_site(clusters, None) as site, site.pair.open() as (hub, spoke):
        line = await asyncio.to_thread(site.pair.principal.until_said, "client authentication failed", "no such Secret")
        assert SHARED in line

        await site.share(a_tls())
        await site.pair.ready()
        await works(hub, spoke)


@pytest.mark.feature("P-44", "C-61")
async def test_a_secret_that_is_deleted_comes_back_with_the_agent(clusters: RealClusters) -> None:
    async with a_site(clusters, a_tls()) as site, site.pair.open() as (hub, spoke):
        before = await site.until(is_self_registered, "a Secret")
        await works(hub, spoke)

        await site.pair.hub.drop(site.name)
        await site.until(lambda secret: secret.uid != before.uid, "a new Secret")

        await works(hub, spoke)
