"""What the cases of the contract stand on: a backend, a namespace of their own, and a register of all cases.

A case is a coroutine function whose name is the claim. It is run by tests/conformance/cluster_contract/test_contract.py
on the backends that need nothing, and by tests/clusters/test_contract.py on a real kube-apiserver, which is the
truth: where a backend differs from it, the backend is wrong.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from argocd_agent.backends.ports import EVERYTHING, Cluster, Page, Scope, WatchEvent, WatchType
from argocd_agent.errors import NotFound, Unavailable
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS, NAMESPACES, Api
from argocd_agent.resources.objects import Metadata, Object, new_object

WAIT_SECONDS = 20.0  # real servers on a busy machine; what is awaited comes within milliseconds


class Backend(Protocol):
    """One implementation of the port, and its means to age."""

    @property
    def cluster(self) -> Cluster: ...

    async def too_old_version(self) -> str:
        """A version of Applications that can no longer be watched from."""
        ...

    async def expired_token(self, token: str) -> str:
        """*token*, or one like it, when its time is over."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a case plays: its cluster, and a namespace that nobody else uses."""

    backend: Backend
    namespace: str

    @property
    def cluster(self) -> Cluster:
        return self.backend.cluster

    @property
    def scope(self) -> Scope:
        return Scope(namespace=self.namespace)

    def application(self, name: str = "guestbook", **metadata: object) -> Object:
        """An Application that the CRD's schema accepts."""
        about = Metadata(name=name, namespace=self.namespace)
        spec = {
            "project": "default",
            "source": {"repoURL": "https://example.com/repo.git", "path": "guestbook", "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "guestbook"},
        }
        return new_object(APPLICATIONS, about, spec=spec).with_metadata(**metadata)

    def configmap(self, name: str = "settings", data: dict[str, str] | None = None, **metadata: object) -> Object:
        return new_object(CONFIGMAPS, Metadata(name=name, namespace=self.namespace), data=data).with_metadata(
            **metadata
        )


Case = Callable[[Place], Awaitable[None]]
CASES: list[Case] = []


def case(function: Case) -> Case:
    """Register *function* as part of the contract."""
    CASES.append(function)
    return function


async def play(claim: Case, backend: Backend) -> None:
    """Run one case in a namespace of its own, and close the backend's cluster."""
    cluster = backend.cluster
    try:
        name = f"case-{uuid.uuid4().hex[:10]}"
        await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=name)))
        await claim(Place(backend, name))
    finally:
        await cluster.close()


@contextlib.asynccontextmanager
async def watching(cluster: Cluster, api: Api, scope: Scope, since: str) -> AsyncIterator[AsyncIterator[WatchEvent]]:
    """One watch, closed at the end of the block."""
    stream = cluster.watch(api, scope, since)
    try:
        yield stream
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()


async def follow(cluster: Cluster, api: Api, scope: Scope, since: str) -> AsyncGenerator[WatchEvent, None]:
    """Changes after *since*, without end: a watch that has ended goes on from the last version seen."""
    while True:
        with contextlib.suppress(Unavailable):
            async with watching(cluster, api, scope, since) as stream:
                async for event in stream:
                    since = event.object.version
                    yield event


async def changes(cluster: Cluster, api: Api, scope: Scope, since: str, count: int) -> list[WatchEvent]:
    """The first *count* changes after *since*, bookmarks left out."""
    seen: list[WatchEvent] = []
    async with asyncio.timeout(WAIT_SECONDS), contextlib.aclosing(follow(cluster, api, scope, since)) as events:
        async for event in events:
            if event.type is not WatchType.BOOKMARK:
                seen.append(event)
            if len(seen) == count:
                return seen
    raise AssertionError("a watch that is followed has no end")


async def listed(cluster: Cluster, api: Api, scope: Scope = EVERYTHING, limit: int = 500) -> list[Page]:
    """All pages of a list."""
    pages = [await cluster.list(api, scope, limit=limit)]
    while pages[-1].next_token:
        pages.append(await cluster.list(api, scope, limit=limit, token=pages[-1].next_token))
    return pages


async def names(place: Place, api: Api = APPLICATIONS, *, labels: str = "", fields: str = "") -> list[str]:
    """Names of what is in the case's namespace and matches."""
    page = await place.cluster.list(api, Scope(place.namespace, labels, fields))
    return [obj.name for obj in page.items]


async def exists(place: Place, api: Api, name: str) -> bool:
    try:
        await place.cluster.get(api, place.namespace, name)
    except NotFound:
        return False
    return True
