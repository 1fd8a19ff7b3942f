"""The cluster itself is not as it should be: no CRDs, no permission, no API. The programs run, say so, and heal."""

import asyncio
from collections.abc import Iterator

import pytest

from argocd_agent.backends.ports import PatchType
from argocd_agent.codec import encode
from argocd_agent.demo.seeing import until
from argocd_agent.resources.kinds import APPLICATIONS, CRDS
from tests.support.applications import Applications
from tests.support.clusters import ROLES, RealCluster, RealClusters
from tests.support.pairs import ended
from tests.support.permissions import ALL, READ, agent_rules, rule
from tests.support.programs import Running
from tests.support.sites import Hub, Spoke, a_name, install_hub, install_spoke, opened

pytestmark = pytest.mark.real_time(timeout=120)
SECRETS = rule("", "secrets", READ)


async def not_ready(program: Running, *words: str) -> str:
    return await asyncio.to_thread(program.until_not_ready, *words)


async def without_applications(cluster: RealCluster) -> None:
    """Take the kind Application away, and what is left of other tests, which finalizers would keep."""
    async with opened(cluster.kubeconfig) as api:
        for left in (await api.list(APPLICATIONS)).items:
            if left.metadata.finalizers:
                await Applications(api, left.namespace).finish(left.name)
        await api.delete(CRDS, "", APPLICATIONS.resource)
        await until(api, CRDS, "", APPLICATIONS.resource, lambda held: held is None, 30, "the CRD is gone")


@pytest.fixture
def bare(clusters: RealClusters) -> Iterator[RealCluster]:
    """A cluster without the kind Application; it is there again after the test."""
    cluster = clusters[2]
    if cluster.program is None or not cluster.program.is_running_after(0):
        cluster.start()
        cluster.wait()
    asyncio.run(without_applications(cluster))
    yield cluster
    asyncio.run(cluster.prepare(clusters.tools / "crds", ()))


@pytest.mark.feature("P-6")
async def test_a_hub_without_argo_cds_kinds_is_told_so_and_works_once_they_come(
    clusters: RealClusters, bare: RealCluster
) -> None:
    hub = await install_hub(bare.kubeconfig)
    principal = hub.start()
    with ended(principal):
        body = await not_ready(principal, "Applications:", "applications.argoproj.io")

        assert "CRD" in body or "CustomResourceDefinition" in body or "does not know" in body
        assert principal.is_running

        await bare.prepare(clusters.tools / "crds", ())
        await asyncio.to_thread(principal.until_ready, 40)


@pytest.mark.feature("A-71")
async def test_a_spoke_without_argo_cds_kinds_is_told_so_and_works_once_they_come(
    clusters: RealClusters, bare: RealCluster
) -> None:
    hub = await install_hub(clusters[0].kubeconfig)
    spoke = await install_spoke(hub, bare.kubeconfig)
    principal, agent = hub.start(), spoke.start()
    with ended(principal, agent):
        await not_ready(agent, "Applications:", "applications.argoproj.io")

        await bare.prepare(clusters.tools / "crds", ())
        await asyncio.to_thread(agent.until_ready, 40)


async def test_a_principal_without_permission_names_verb_and_resource(clusters: RealClusters) -> None:
    hub = await install_hub(clusters[0].kubeconfig)
    user = a_name("user")
    kubeconfig = await clusters[0].restricted_user(user, hub.namespace, [SECRETS])
    principal = hub.start(kubeconfig=kubeconfig)
    with ended(principal):
        body = await not_ready(principal, "principal identity", "cannot get")
        line = await asyncio.to_thread(principal.until_said, "principal identity", "not ready, and tried again")

        assert f'User "{user}"' in body
        assert "configmaps" in body
        assert hub.namespace in body
        assert "cannot get" in line
        assert principal.is_running


async def test_a_principal_that_may_not_list_applications_everywhere_says_so(clusters: RealClusters) -> None:
    hub = await install_hub(clusters[0].kubeconfig)
    kubeconfig = await clusters[0].restricted_user(a_name("user"), hub.namespace, [SECRETS, rule("", "configmaps")])
    principal = hub.start(kubeconfig=kubeconfig)
    with ended(principal):
        await not_ready(principal, "Applications:", "cannot list", "applications.argoproj.io")


@pytest.mark.parametrize("verb", ["list", "watch"])
async def test_an_agent_without_permission_names_the_verb_and_works_once_it_may(
    clusters: RealClusters, verb: str
) -> None:
    hub = await install_hub(clusters[0].kubeconfig)
    spoke = await install_spoke(hub, clusters[1].kubeconfig)
    rules = agent_rules(applications=[one for one in ALL if one != verb])
    user = a_name("user")
    kubeconfig = await clusters[1].restricted_user(user, spoke.namespace, rules)
    principal, agent = hub.start(), spoke.start(kubeconfig=kubeconfig)
    with ended(principal, agent):
        await not_ready(agent, "Applications:", f"cannot {verb}", "applications.argoproj.io", spoke.namespace)

        await _allow_all(clusters[1], spoke, user)
        await asyncio.to_thread(agent.until_ready, 40)


async def test_an_agent_that_may_not_read_secrets_names_the_verb_and_the_secret(clusters: RealClusters) -> None:
    hub = await install_hub(clusters[0].kubeconfig)
    spoke = await install_spoke(hub, clusters[1].kubeconfig)
    kubeconfig = await clusters[1].restricted_user(a_name("user"), spoke.namespace, agent_rules(secrets=()))
    agent = spoke.start(kubeconfig=kubeconfig)
    with ended(agent):
        body = await not_ready(agent, "certificate of the agent", "cannot list", "secrets")

    assert "CA of the principal" in body


@pytest.mark.feature("P-6")
@pytest.mark.parametrize("program", ["principal", "agent"])
async def test_an_api_that_is_not_there_at_the_start_is_named_and_waited_for(
    clusters: RealClusters, program: str
) -> None:
    victim = clusters[2]
    hub = await install_hub((victim if program == "principal" else clusters[0]).kubeconfig)
    spoke = await install_spoke(hub, (clusters[1] if program == "principal" else victim).kubeconfig)
    principal = hub.start() if program == "agent" else None
    await asyncio.to_thread(victim.stop)
    running = _start(program, hub, spoke)
    with ended(running, *([principal] if principal else [])):
        try:
            await not_ready(running, f"127.0.0.1:{victim.port}")
        finally:
            victim.start()
            await asyncio.to_thread(victim.wait)
        await asyncio.to_thread(running.until_ready, 60)


def _start(program: str, hub: Hub, spoke: Spoke) -> Running:
    return hub.start() if program == "principal" else spoke.start()


async def _allow_all(cluster: RealCluster, spoke: Spoke, user: str) -> None:
    """Change the Role of *user*, which has their name."""
    async with opened(cluster.kubeconfig) as api:
        await api.patch(ROLES, spoke.namespace, user, encode({"rules": agent_rules()}), PatchType.MERGE)
