"""What would run the workloads, if there were nodes: marks them as running, at once.

Behind the demo's API servers are neither controllers nor kubelets. Without this an application would be Progressing
for ever. No pods appear.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from argocd_agent.backends.ports import EVERYTHING, Cluster, PatchType
from argocd_agent.codec import encode
from argocd_agent.demo.argo import RETRY_SECONDS, pause
from argocd_agent.demo.catalogue import ORDER
from argocd_agent.demo.comparison import plain
from argocd_agent.demo.health import RUN_KINDS, ready_status
from argocd_agent.errors import ClusterError, Conflict, NotFound
from argocd_agent.peer.observe import Change, Observer
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object

log = logging.getLogger("argocd_agent.demo.kubelet")


class Kubelet:
    """Gives every workload of *cluster* the status that it would have once it runs. `run` until cancelled."""

    def __init__(self, cluster: Cluster, now: Callable[[], str]) -> None:
        self._cluster, self._now = cluster, now
        self._changed: dict[tuple[Api, str, str], Object] = {}  # one entry per workload at most
        self._wake = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for api in ORDER:
                if api.kind in RUN_KINDS:
                    observer = Observer(self._cluster, api, EVERYTHING, self._noting(api))
                    tasks.create_task(observer.run(), name=f"kubelet: {api.plural}")
            tasks.create_task(self._mark(), name="kubelet: status")

    def _noting(self, api: Api) -> Callable[[Change], None]:
        def note(change: Change) -> None:
            if change.new is not None:
                self._changed[(api, *change.new.key)] = change.new
                self._wake.set()

        return note

    async def _mark(self) -> None:
        while True:
            self._wake.clear()
            while self._changed:
                (api, namespace, name), obj = self._changed.popitem()
                status = ready_status(api.kind, plain(obj, api), self._now())
                if status is None:
                    continue
                try:
                    await self._write(api, namespace, name, {"status": status})
                except ClusterError as error:
                    log.warning("%s %s/%s stays as it is for now: %s", api.kind, namespace, name, error)
                    self._changed.setdefault((api, namespace, name), obj)
                    await pause(RETRY_SECONDS)
            await self._wake.wait()

    async def _write(self, api: Api, namespace: str, name: str, patch: object) -> None:
        with contextlib.suppress(NotFound, Conflict):  # gone or changed: its watch says so
            await self._cluster.patch(api, namespace, name, encode(patch), PatchType.MERGE, subresource="status")
