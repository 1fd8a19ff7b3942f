"""A real kube-apiserver passes the contract: this lane shows that the contract is true."""

import base64

import pytest

from argocd_agent.backends.kubernetes import KubernetesCluster
from argocd_agent.codec import decode_any, encode
from tests.conformance.cluster_contract.contract import CASES, Case, play
from tests.support.clusters import RealClusters


class RealBackend:
    """A kube-apiserver, through our client."""

    def __init__(self, clusters: RealClusters) -> None:
        self._clusters = clusters
        self.cluster: KubernetesCluster = clusters[0].connect()

    async def too_old_version(self) -> str:
        return "1"  # etcd's first revision, from before there was an API server

    async def expired_token(self, token: str) -> str:
        """The token as it would be had the list begun at etcd's first revision, which is compacted."""
        content = decode_any(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        self._clusters.compact()
        return base64.urlsafe_b64encode(encode(content | {"rv": 1})).decode().rstrip("=")


@pytest.mark.parametrize("claim", CASES, ids=lambda claim: claim.__name__)
@pytest.mark.real_time(timeout=240)
async def test_contract(claim: Case, clusters: RealClusters) -> None:
    await play(claim, RealBackend(clusters))
