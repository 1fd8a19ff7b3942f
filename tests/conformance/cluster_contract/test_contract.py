"""The embedded backends pass the contract: in memory, in SQLite, and through the HTTP face with our client."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from argocd_agent.backends.embedded import EmbeddedCluster, open_memory, open_sqlite
from argocd_agent.backends.embedded.face import serve
from argocd_agent.backends.kubernetes import KubernetesCluster, load
from argocd_agent.backends.ports import Cluster
from tests.conformance.cluster_contract.contract import CASES, Case, play

BOOKMARK_SECONDS = 0.3  # where time is real; a minute otherwise


@dataclass(frozen=True, slots=True)
class Embedded:
    """An embedded cluster; `cluster` is what the contract speaks to, which may be a client of it."""

    cluster: Cluster
    store: EmbeddedCluster

    async def too_old_version(self) -> str:
        self.store.compact()
        return "1"

    async def expired_token(self, token: str) -> str:
        self.store.compact()
        return token


@contextlib.asynccontextmanager
async def a_face(folder: Path) -> AsyncIterator[Embedded]:
    """The HTTP face of a cluster in memory, through the client for real clusters."""
    store = open_memory(bookmark_seconds=BOOKMARK_SECONDS)
    async with serve(store, "127.0.0.1", 0) as server:
        kubeconfig = folder / "kubeconfig"
        server.write_kubeconfig(kubeconfig)
        client = KubernetesCluster(load(str(kubeconfig)))
        try:
            yield Embedded(client, store)
        finally:
            await client.close()
    await store.close()


@pytest.mark.parametrize("claim", CASES, ids=lambda claim: claim.__name__)
async def test_memory(claim: Case) -> None:
    store = open_memory()

    await play(claim, Embedded(store, store))


@pytest.mark.real_time(timeout=60)
@pytest.mark.parametrize("claim", CASES, ids=lambda claim: claim.__name__)
async def test_sqlite(claim: Case, tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "cluster.db", bookmark_seconds=BOOKMARK_SECONDS)

    await play(claim, Embedded(store, store))


@pytest.mark.real_time(timeout=60)
@pytest.mark.parametrize("claim", CASES, ids=lambda claim: claim.__name__)
async def test_face(claim: Case, tmp_path: Path) -> None:
    async with a_face(tmp_path) as backend:
        await play(claim, backend)
