"""How long a live object takes from the spoke through the hub: alone, many at once, and past a slow API server.

On connections that were opened beforehand, since Argo CD keeps its own. The floor is the same question put to the
spoke's API server directly.
"""

import asyncio
import base64
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp

from argocd_agent.demo.setup import NAMESPACE
from argocd_agent.errors import AlreadyExists
from argocd_agent.peer.observe import pause
from argocd_agent.pki.tls import ClientTls, client_context
from argocd_agent.protocol.names import (
    ANNOTATION_TRACKING_ID,
    CONFIGMAP_ARGOCD,
    LABEL_PART_OF,
    PART_OF_ARGOCD,
    SECRET_CA,
    SECRET_CLIENT_TLS,
)
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.resources.objects import Metadata, Object, new_object
from bench.figures import Figure, latencies, median_of
from bench.processes import BenchFailed
from bench.slowapi import slow_api
from bench.world import AGENT, World

SAMPLES, ROUNDS, WARM = 1000, 20, 20
_NAME = "bench-live"
_PATH = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{_NAME}"
CONNECT_SECONDS = 30.0
SLOW_SECONDS = 0.3

Get = Callable[[], Awaitable[float]]


async def one(world: World) -> list[Figure]:
    """One GET after the other."""
    async with _both(world) as (ours, floor):
        samples: dict[str, list[float]] = {"ours": [], "floor": []}
        per_round = max(world.count(SAMPLES) // ROUNDS, 1)
        for _ in range(ROUNDS):
            for name, get in (("floor", floor), ("ours", ours)):
                samples[name] += [await get() for _ in range(per_round)]
    return latencies("live", samples["ours"], samples["floor"])


async def many(world: World) -> list[Figure]:
    """25 and 100 at once: until the last has its answer."""
    figures: list[Figure] = []
    async with _both(world) as (ours, floor):
        for count in (25, 100):
            taken: dict[str, list[float]] = {"ours": [], "floor": []}
            for number in range(ROUNDS + 1):
                for name, get in (("floor", floor), ("ours", ours)):
                    began = time.perf_counter()
                    await asyncio.gather(*(get() for _ in range(count)))
                    if number:  # the first opens the connections
                        taken[name].append(time.perf_counter() - began)
            milliseconds = {name: [1000 * one for one in values] for name, values in taken.items()}
            figures.append(median_of("live", f"last of {count}", "ms", milliseconds["ours"], milliseconds["floor"]))
    return figures


async def slow(world: World) -> list[Figure]:
    """25 at once, where the spoke's API server takes 300 ms for each. The floor is that server itself."""
    taken: list[float] = []
    async with slow_api(world.spoke.url, _as_admin(world), _PATH, SLOW_SECONDS, world.folder) as kubeconfig:
        await world.agent.stop()
        await world.start_agent(AGENT, NAMESPACE, kubeconfig)
        async with _both(world) as (ours, _):
            for number in range(ROUNDS // 2 + 1):
                began = time.perf_counter()
                await asyncio.gather(*(ours() for _ in range(25)))
                if number:
                    taken.append(1000 * (time.perf_counter() - began))
        await world.agent.stop()
    await world.start_agent(AGENT, NAMESPACE)
    return [median_of("live-slow", "last of 25", "ms", taken, [1000 * SLOW_SECONDS])]


@contextlib.asynccontextmanager
async def _both(world: World) -> AsyncIterator[tuple[Get, Get]]:
    """A GET through the hub, and one to the spoke's API server; the first of each is done."""
    await _prepare(world)
    async with (
        _getting(f"https://127.0.0.1:{world.proxy_port}", _as_argo_cd(world)) as ours,
        _getting(world.spoke.url, _as_admin(world)) as floor,
    ):
        await world.within(_until_served(ours), "the first live object", CONNECT_SECONDS)
        for _ in range(WARM):
            await asyncio.gather(ours(), floor())
        yield ours, floor


@contextlib.asynccontextmanager
async def _getting(base: str, tls: ssl.SSLContext) -> AsyncIterator[Get]:
    connector = aiohttp.TCPConnector(ssl=tls, limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def get() -> float:
            began = time.perf_counter()
            async with session.get(base + _PATH) as response:
                body = await response.read()
            if response.status != 200:
                raise BenchFailed(f"{base}{_PATH}: expected 200, found {response.status}: {body[:300]!r}")
            return time.perf_counter() - began

        yield get


async def _until_served(get: Get) -> None:
    while True:
        try:
            await get()
        except (aiohttp.ClientError, BenchFailed):  # the listener opens a little after the agents' one
            await pause(0.1)
        else:
            return


async def _prepare(world: World) -> None:
    part_of = Metadata(name=CONFIGMAP_ARGOCD, namespace=NAMESPACE, labels={LABEL_PART_OF: PART_OF_ARGOCD})
    tracked = Metadata(name=_NAME, namespace=NAMESPACE, annotations={ANNOTATION_TRACKING_ID: "bench:/v1/ConfigMap:x/y"})
    for metadata, data in ((part_of, {"a": "b"}), (tracked, {"text": "x" * 4096})):
        with contextlib.suppress(AlreadyExists):
            await world.on_spoke.create(CONFIGMAPS, new_object(CONFIGMAPS, metadata, data=data))


def _as_argo_cd(world: World) -> ssl.SSLContext:
    """Dials the resource proxy with the certificate of the agent's cluster Secret."""
    secrets = {secret.name: _data_of(secret) for secret in world.installation.spokes[AGENT]}
    pair = secrets[SECRET_CLIENT_TLS]
    tls = ClientTls(
        ca_pem=secrets[SECRET_CA]["ca.crt"], certificate_pem=pair["tls.crt"], key_pem=pair["tls.key"], where="bench"
    )
    context = client_context(tls)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _as_admin(world: World) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(world.spoke.authority.certificate))
    context.load_cert_chain(world.spoke.folder / "admin.crt", world.spoke.folder / "admin.key")
    return context


def _data_of(secret: Object) -> dict[str, str]:
    return {name: base64.b64decode(value).decode() for name, value in secret.look("data").items()}
