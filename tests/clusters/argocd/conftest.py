"""A hub and a spoke with Argo CD's own programs and Kubernetes' controllers, shared by the tests of this folder.

They start when the first of these tests asks and end with the last, so that the rest of the lane runs without them.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.argocd import AUTONOMOUS, HUB, SPOKE, ArgoCD, Part, argo_cd
from tests.support.clusters import RealCluster, RealClusters, build_tools
from tests.support.controllers import controllers, workloads
from tests.support.gitserver import HOST, GitServer, git_server
from tests.support.kwok import FakeNode, a_node
from tests.support.liveview import cached, seen
from tests.support.pairs import Pair, ended, started
from tests.support.sites import Hub, Spoke, install_hub, install_spoke


@pytest.fixture(scope="package")
def tools() -> Path:
    """The folder of all programs, each built if it is missing."""
    return build_tools()


@pytest.fixture(scope="package")
def git(clusters: RealClusters, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    """Where repositories are served that both Argo CDs trust."""
    with git_server(tmp_path_factory.mktemp("git"), clusters[0].authority) as server:
        yield server


@pytest.fixture(scope="package")
def hub_cluster(clusters: RealClusters, tools: Path) -> Iterator[RealCluster]:
    """The cluster of principals, which collects garbage."""
    with controllers(clusters[0], tools):
        yield clusters[0]


@pytest.fixture(scope="package")
def hub(hub_cluster: RealCluster) -> Hub:
    """The namespace of a principal."""
    return asyncio.run(install_hub(hub_cluster.kubeconfig))


@pytest.fixture(scope="package")
def node(clusters: RealClusters, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeNode]:
    """The node of the spoke's cluster: Deployments become ready."""
    with (
        workloads(clusters[1], tools),
        a_node(clusters[1], tools, tmp_path_factory.mktemp("node")) as ready,
    ):
        yield ready


@pytest.fixture(scope="package")
def spoke(clusters: RealClusters, hub: Hub, node: FakeNode) -> Spoke:
    """The namespaces of a managed agent."""
    return asyncio.run(install_spoke(hub, clusters[1].kubeconfig))


@pytest.fixture(scope="package")
def hub_argo(tools: Path, hub: Hub, git: GitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoCD]:
    """Argo CD of the hub, for the namespaces of all agents: everything but the application-controller.

    Its server's Redis is the principal's, as its users have it.
    """
    folder = tmp_path_factory.mktemp("hub-argocd")
    trusted = {HOST: git.ca}
    flags = {Part.SERVER: [f"--redis={hub.redis}"]}
    with argo_cd(
        tools, folder, hub.kubeconfig, hub.namespace, HUB, trusted=trusted, others="agent-*", flags=flags
    ) as argo:
        yield argo


@pytest.fixture(scope="package")
def spoke_argo(tools: Path, spoke: Spoke, git: GitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoCD]:
    """Argo CD of the spoke: the application-controller and what it needs."""
    folder = tmp_path_factory.mktemp("spoke-argocd")
    with argo_cd(tools, folder, spoke.kubeconfig, spoke.namespace, SPOKE, trusted={HOST: git.ca}) as argo:
        yield argo


@pytest.fixture(scope="package")
def pair(hub: Hub, spoke: Spoke, hub_argo: ArgoCD, spoke_argo: ArgoCD) -> Iterator[Pair]:
    """Our principal and our agent between them, connected."""
    with started(hub, spoke, principal=seen(hub, hub_argo), agent=cached(spoke_argo)) as running:
        yield running


@pytest.fixture(scope="package")
def autonomous(
    clusters: RealClusters, tools: Path, pair: Pair, git: GitServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """The same principal, and an autonomous agent beside the managed one, on whose spoke sets make Applications."""
    spoke = asyncio.run(install_spoke(pair.hub, clusters[1].kubeconfig))
    folder = tmp_path_factory.mktemp("autonomous-argocd")
    with argo_cd(tools, folder, spoke.kubeconfig, spoke.namespace, AUTONOMOUS, trusted={HOST: git.ca}) as argo:
        flags = ["--agent-mode=autonomous", *cached(argo)]
        agent = spoke.start(*flags)
        with ended(agent):
            agent.until_ready()
            yield Pair(pair.hub, spoke, pair.principal, agent, pair.principal_flags, flags)
