"""An HTTP client of a face, for tests that look at what really goes over the wire."""

import contextlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.backends.embedded.face import Client, Face, serve

APPS = "/apis/argoproj.io/v1alpha1/namespaces/default/applications"
MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


class Caller:
    """One HTTP client of a face."""

    def __init__(self, session: aiohttp.ClientSession, face: Face, cluster: EmbeddedCluster) -> None:
        self.session, self.face, self.cluster = session, face, cluster

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Status and decoded body."""
        status, _, decoded = await self.ask_all(method, path, body, **headers)
        return status, decoded

    async def ask_all(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any, Any]:
        """Status, headers and decoded body. Header names are written with underscores."""
        sent = {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        data = None if body is None else io.BytesIO(raw)
        async with self.session.request(method, self.face.url + path, data=data, headers=sent) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return response.status, response.headers, json.loads(text) if is_json else text

    @contextlib.asynccontextmanager
    async def watch(self, path: str, **headers: str) -> AsyncIterator[AsyncIterator[Any]]:
        """The events of a watch, decoded."""
        async with self.session.get(self.face.url + path, headers=headers) as response:
            assert response.status == 200

            async def events() -> AsyncIterator[Any]:
                async for line in response.content:
                    yield json.loads(line)

            yield events()


@contextlib.asynccontextmanager
async def a_face(*clients: Client, window: int = 1000) -> AsyncIterator[Caller]:
    """A face of an empty cluster, and a client with the first of *clients*' tokens."""
    cluster = open_memory(window=window)
    known = clients or (Client("t0ken"),)
    async with serve(cluster, clients=known) as face:
        headers = {"Authorization": f"Bearer {known[0].token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            yield Caller(session, face, cluster)
    await cluster.close()
