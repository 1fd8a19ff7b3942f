"""The resource proxy with real programs on real API servers: as Argo CD asks, with the agent's cluster Secret."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from argocd_agent.backends.kubernetes import KubernetesCluster
from argocd_agent.codec import decode_any
from argocd_agent.errors import AlreadyExists
from argocd_agent.peer.observe import pause
from argocd_agent.pki.tls import ClientTls, client_context
from argocd_agent.protocol.names import (
    ANNOTATION_TRACKING_ID,
    CLUSTER_SECRET_PREFIX,
    CONFIGMAP_ARGOCD,
    LABEL_PART_OF,
    PART_OF_ARGOCD,
)
from argocd_agent.resources.kinds import CONFIGMAPS, SECRETS
from argocd_agent.resources.objects import Metadata, new_object
from tests.support.clusters import RealClusters
from tests.support.pairs import Pair, shared_pair
from tests.support.sites import a_name, opened

TRACKED = {ANNOTATION_TRACKING_ID: "guestbook:/v1/ConfigMap:x/y"}


@pytest.fixture(scope="module")
def pair(clusters: RealClusters) -> Iterator[Pair]:
    """A principal and a managed agent, connected."""
    with shared_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as running:
        yield running


class Caller:
    """Argo CD, as far as one cluster Secret goes."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session, self._base = session, base

    async def send(self, method: str, path: str, **more: Any) -> tuple[int, bytes]:
        async with self._session.request(method, self._base + path, **more) as response:
            return response.status, await response.read()

    async def until(self, status: int, path: str) -> bytes:
        """The answer, once it has this status: a program that was started has no other way to say so."""
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    found, body = await self.send("GET", path)
                    if found == status:
                        return body
                await pause(0.2)


@contextlib.asynccontextmanager
async def calling(pair: Pair) -> AsyncIterator[Caller]:
    async with opened(pair.hub.kubeconfig) as hub:
        secret = await hub.get(SECRETS, pair.hub.namespace, CLUSTER_SECRET_PREFIX + pair.spoke.agent)
    config = decode_any(base64.b64decode(secret.look("data")["config"]))["tlsClientConfig"]
    pem = {name: base64.b64decode(config[name]).decode() for name in ("caData", "certData", "keyData")}
    tls: ssl.SSLContext = client_context(
        ClientTls(ca_pem=pem["caData"], certificate_pem=pem["certData"], key_pem=pem["keyData"])
    )
    tls.set_alpn_protocols(["http/1.1"])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session:
        yield Caller(session, f"https://127.0.0.1:{pair.hub.proxy_port}")


@contextlib.asynccontextmanager
async def on_spoke(pair: Pair) -> AsyncIterator[tuple[KubernetesCluster, str]]:
    """The spoke, and the path of ConfigMaps there, with Argo CD's settings in place."""
    namespace = pair.spoke.namespace
    async with opened(pair.spoke.kubeconfig) as spoke:
        metadata = Metadata(name=CONFIGMAP_ARGOCD, namespace=namespace, labels={LABEL_PART_OF: PART_OF_ARGOCD})
        with contextlib.suppress(AlreadyExists):
            await spoke.create(CONFIGMAPS, new_object(CONFIGMAPS, metadata))
        yield spoke, f"/api/v1/namespaces/{namespace}/configmaps"


async def make(spoke: KubernetesCluster, pair: Pair, annotations: dict[str, str] | None = None) -> str:
    name = a_name("live")
    metadata = Metadata(name=name, namespace=pair.spoke.namespace, annotations=annotations)
    await spoke.create(CONFIGMAPS, new_object(CONFIGMAPS, metadata, data={"a": "1"}))
    return name


@pytest.mark.feature("P-87", "P-91", "P-92", "P-96", "A-79", "A-82", "C-39", "C-40", "C-41", "C-42", "C-48")
async def test_argo_cd_reads_and_changes_what_is_tracked_through_the_hub(pair: Pair) -> None:
    async with calling(pair) as argo, on_spoke(pair) as (spoke, maps):
        ours, theirs = await make(spoke, pair, TRACKED), await make(spoke, pair)
        merge = {"Content-Type": "application/merge-patch+json"}

        read = await argo.until(200, f"{maps}/{ours}")
        version, _ = await argo.send("GET", "/version")
        refused, why = await argo.send("GET", f"{maps}/{theirs}")
        patched, body = await argo.send("PATCH", f"{maps}/{ours}", data=b'{"data":{"b":"2"}}', headers=merge)
        events, _ = await argo.send("GET", f"/api/v1/namespaces/{pair.spoke.namespace}/events?limit=1")
        wrong, _ = await argo.send("GET", "/apis/apps")
        deleted, _ = await argo.send("DELETE", f"{maps}/{ours}", json={})
        gone, _ = await argo.send("GET", f"{maps}/{ours}")

    assert decode_any(read)["data"] == {"a": "1"}
    assert (version, refused, patched, events, wrong, deleted, gone) == (200, 403, 200, 200, 400, 200, 404)
    assert decode_any(body)["data"] == {"a": "1", "b": "2"}
    assert "belongs to no Application" in decode_any(why)["message"]


@pytest.mark.feature("P-93", "P-95", "C-48")
async def test_the_live_view_is_back_by_itself_after_either_program_was_killed(pair: Pair) -> None:
    async with calling(pair) as argo, on_spoke(pair) as (spoke, maps):
        path = f"{maps}/{await make(spoke, pair, TRACKED)}"
        await argo.until(200, path)

        pair.agent.kill()
        away = await argo.until(502, path)
        pair.start_agent()
        await argo.until(200, path)
        pair.principal.kill()
        pair.start_principal()
        await argo.until(200, path)
        answers = await asyncio.gather(*(argo.send("GET", path) for _ in range(50)))

    assert "not connected" in decode_any(away)["message"]
    assert {status for status, _ in answers} == {200}


@pytest.mark.feature("A-86", "C-49")
async def test_switched_off_on_the_spoke_it_says_so_and_on_the_hub_nobody_listens(pair: Pair) -> None:
    async with calling(pair) as argo, on_spoke(pair) as (spoke, maps):
        path = f"{maps}/{await make(spoke, pair, TRACKED)}"
        await argo.until(200, path)
        try:
            pair.agent.kill()
            pair.start_agent("--enable-resource-proxy=false")
            refused = await argo.until(403, path)
            pair.principal.kill()
            pair.start_principal("--enable-resource-proxy=false")
            await pair.ready()
            with pytest.raises(aiohttp.ClientConnectorError):
                await argo.send("GET", path)
        finally:
            pair.end()
            pair.start_principal()
            pair.start_agent()
            await pair.ready()

    assert "--enable-resource-proxy is false" in decode_any(refused)["message"]
