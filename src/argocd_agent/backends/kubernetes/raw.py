"""The `RawApi` port on a real Kubernetes API: paths and bytes through the connections of a `KubernetesCluster`.

At most `CALLS_AT_ONCE` calls are under way, more wait: a pool of places of its own, so that people who look on do not
hold up what keeps clusters equal. Streams have connections of their own and are bounded by whoever opens them.
"""

import asyncio
from collections.abc import AsyncGenerator
from urllib.parse import urlencode

from argocd_agent.backends.kubernetes.client import KubernetesCluster, read_body
from argocd_agent.backends.kubernetes.requests import JSON, Request
from argocd_agent.backends.ports import RawAnswer, RawRequest
from argocd_agent.wire.kubestatus import failure

CALLS_AT_ONCE = 128


class KubernetesRaw:
    """Calls through *cluster*, which somebody else closes."""

    def __init__(self, cluster: KubernetesCluster) -> None:
        self._cluster = cluster
        self._slots = asyncio.Semaphore(CALLS_AT_ONCE)

    async def call(self, request: RawRequest, limit_bytes: int) -> RawAnswer:
        """See `RawApi.call`."""
        if (refused := self._refused(request)) is not None:
            return refused
        async with self._slots, self._cluster.exchange(_request(request)) as response:
            body = await read_body(response, limit_bytes)
            return RawAnswer(response.status, body, response.headers.get("Content-Type", JSON))

    async def follow(self, request: RawRequest, limit_bytes: int) -> AsyncGenerator[RawAnswer, None]:
        """See `RawApi.follow`."""
        if (refused := self._refused(request)) is not None:
            yield refused
            return
        async with self._cluster.exchange(_request(request), is_watch=True) as response:
            kind = response.headers.get("Content-Type", JSON)
            if not 200 <= response.status < 300:
                yield RawAnswer(response.status, await read_body(response, limit_bytes), kind)
                return
            yield RawAnswer(response.status, b"", kind)
            async for chunk in response.content.iter_any():
                yield RawAnswer(response.status, chunk, kind)

    def _refused(self, request: RawRequest) -> RawAnswer | None:
        """Headers of the two would be mixed: groups of the one for the name of the other."""
        if request.user is None or not self._cluster.is_acting_for_another:
            return None
        told = f'cannot {request} as "{request.user.name}": our own kubeconfig acts for another user already'
        return RawAnswer(403, failure(403, told))


def _request(request: RawRequest) -> Request:
    headers: list[tuple[str, str]] = []
    if request.user is not None:
        headers.append(("Impersonate-User", request.user.name))
        headers += [("Impersonate-Group", group) for group in request.user.groups]
        if request.user.uid:
            headers.append(("Impersonate-Uid", request.user.uid))
    return Request(
        what=str(request),
        method=request.method,
        path=request.path,
        query=urlencode(request.query),
        body=request.body,
        content_type=request.content_type,
        headers=tuple(headers),
    )
