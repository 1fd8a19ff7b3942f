"""A stand-in for Argo CD at work on an embedded cluster, deploying from a real Git repository."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from argocd_agent.backends.embedded import open_memory
from argocd_agent.backends.ports import Cluster, PatchType
from argocd_agent.codec import encode
from argocd_agent.demo.argo import Controller
from argocd_agent.demo.git import Git, find_git
from argocd_agent.demo.kubelet import Kubelet
from argocd_agent.demo.merge import Fields, fields_at, text_at
from argocd_agent.demo.seeing import Claim, until
from argocd_agent.demo.sources import Sources
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS, NAMESPACES, Api
from argocd_agent.resources.objects import Metadata, Object, new_object
from argocd_agent.wire.timestamps import format_time

T = TypeVar("T")

HOME, TARGET, NAME = "argocd", "shop", "guestbook"
AUTOMATED: Fields = {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]}
MANUAL: Fields = {"syncOptions": ["CreateNamespace=true"]}
FINALIZER = "resources-finalizer.argocd.argoproj.io"
NEVER_SECONDS = 3600.0
WAIT_SECONDS = 20.0
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  text: {text!r}\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "registry.example/web:1"}]}
"""


def config_map(name: str, text: str = "") -> str:
    return CONFIG_MAP.format(name=name, text=text)


@dataclass(frozen=True, slots=True)
class ArgoBench:
    cluster: Cluster
    git: Git
    origin: Path

    async def commit(self, **files: str | None) -> str:
        """Commit files of the folder `app`; `one__yaml` is one.yaml."""
        named = {f"app/{name.replace('__', '.')}": text for name, text in files.items()}
        return await self.git.commit(self.origin, named, "a change")

    async def create(self, policy: Fields = AUTOMATED, *, finalizers: tuple[str, ...] = (), path: str = "app") -> None:
        spec = {
            "project": "default",
            "source": {"repoURL": f"file://{self.origin}", "path": path, "targetRevision": "main"},
            "destination": {"name": "in-cluster", "namespace": TARGET},
            "syncPolicy": policy,
        }
        metadata = Metadata(name=NAME, namespace=HOME, finalizers=finalizers or None)
        await self.cluster.create(APPLICATIONS, new_object(APPLICATIONS, metadata, spec=spec))

    async def patch_app(self, patch: object) -> None:
        await self.cluster.patch(APPLICATIONS, HOME, NAME, encode(patch), PatchType.MERGE)

    async def refresh(self) -> None:
        await self.patch_app({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}})

    async def until_app(self, claim: Callable[[Fields], bool], what: str = "the claim") -> Fields:
        """The Application's status when *claim* is true of it, with `operation` and `annotations` beside it."""
        found = await self.until(APPLICATIONS, HOME, NAME, lambda obj: obj is not None and claim(seen(obj)), what)
        assert found is not None
        return seen(found)

    async def until(self, api: Api, namespace: str, name: str, claim: Claim, what: str = "the claim") -> Object | None:
        return await until(self.cluster, api, namespace, name, claim, WAIT_SECONDS, what)

    async def text_of(self, name: str) -> str:
        return text_at((await self.cluster.get(CONFIGMAPS, TARGET, name)).look("data"), "text")


def seen(obj: Object) -> Fields:
    status: Fields = fields_at(obj.look("status"))
    return {**status, "operation": obj.look("operation"), "annotations": dict(obj.annotations)}


def is_at(revision: str, sync: str = "Synced", health: str = "Healthy") -> Callable[[Fields], bool]:
    def claim(status: Fields) -> bool:
        found = [text_at(status, *path) for path in (("sync", "revision"), ("sync", "status"), ("health", "status"))]
        return found == [revision, sync, health] and status["operation"] is None

    return claim


@asynccontextmanager
async def an_argo(folder: Path, period_seconds: float = NEVER_SECONDS) -> AsyncIterator[ArgoBench]:
    cluster = open_memory()
    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=HOME)))
    git, seconds = find_git(), itertools.count()

    def now() -> str:
        return format_time(next(seconds))

    controller = Controller(cluster, HOME, Sources(git, folder / "work"), period_seconds, now)
    running = [asyncio.create_task(controller.run()), asyncio.create_task(Kubelet(cluster, now).run())]
    try:
        yield ArgoBench(cluster, git, folder / "origin")
    finally:
        for task in running:
            task.cancel()
        ends = await asyncio.gather(*running, return_exceptions=True)
        await cluster.close()
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


def run(test: Callable[[], Awaitable[T]]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(60):
            return await test()

    return asyncio.run(bounded())
