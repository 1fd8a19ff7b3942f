"""What the brake and its reports write is what a real kube-apiserver takes, up to the largest ConfigMap."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from argocd_agent.agent import heldfile
from argocd_agent.agent.held import Clocks, Hands, HeldDeletions
from argocd_agent.backends.kubernetes import KubernetesCluster
from argocd_agent.backends.ports import PatchType, Scope, WatchEvent, WatchType
from argocd_agent.errors import EventDeferred
from argocd_agent.peer.kubeevents import KubeEvents
from argocd_agent.peer.reports import Reports
from argocd_agent.protocol.brake import Brake, HeldDeletion, How
from argocd_agent.protocol.names import (
    ANNOTATION_HELD_DELETIONS,
    ANNOTATION_REFUSED,
    CONDITION_DELETION_HELD,
    CONFIGMAP_HELD_DELETIONS,
)
from argocd_agent.resources.kinds import (
    APPLICATION,
    APPLICATIONS,
    APPPROJECT,
    APPPROJECTS,
    CONFIGMAPS,
    EVENTS,
    NAMESPACES,
    Api,
)
from argocd_agent.resources.objects import Metadata, Object, new_object
from tests.support.clusters import RealClusters
from tests.support.objects import an_application
from tests.support.sites import a_name, opened
from tests.support.world import fresh


@asynccontextmanager
async def a_namespace(clusters: RealClusters) -> AsyncIterator[tuple[KubernetesCluster, str]]:
    async with opened(clusters[0].kubeconfig) as cluster:
        name = a_name("brake")
        await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=name)))
        yield cluster, name


class Held:
    """What is held of *count* objects: the names of what was obeyed, and a permit for each object unmarked."""

    def __init__(self, cluster: KubernetesCluster, namespace: str, count: int) -> None:
        self.obeyed: list[str] = []
        self.unmarked = asyncio.Semaphore(0)
        events = KubeEvents(cluster, "argocd-agent", time.time)
        self._reports = Reports(cluster, events)
        self.deletions = HeldDeletions(
            cluster,
            namespace,
            Brake(10, 0.3),
            Hands(lambda: count, self._obey, self._obey, self._mark),
            events,
            Clocks(asyncio.get_running_loop().time, time.time),
            changed=lambda: None,
        )

    async def _obey(self, held: HeldDeletion) -> None:
        self.obeyed.append(held.name)

    async def _mark(self, held: HeldDeletion, is_held: bool) -> None:
        await self._reports.deletion_held(held, is_held)
        if not is_held:
            self.unmarked.release()


@asynccontextmanager
async def held_on(cluster: KubernetesCluster, namespace: str, count: int) -> AsyncIterator[Held]:
    held = Held(cluster, namespace, count)
    running = asyncio.create_task(held.deletions.run(), name="held deletions")
    await held.deletions.read()
    try:
        yield held
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_burst_is_held_shown_and_released_by_an_annotation(clusters: RealClusters) -> None:
    async with a_namespace(clusters) as (cluster, namespace), held_on(cluster, namespace, 20) as held:
        await cluster.create(APPLICATIONS, fresh(an_application("a10"), namespace=namespace))

        asked = [held.deletions.ask(APPLICATION.name, namespace, f"a{number}", "u", How.DELETE) for number in range(20)]
        passed = await asyncio.gather(*asked)
        stored = await cluster.get(CONFIGMAPS, namespace, CONFIGMAP_HELD_DELETIONS)
        event = await _shown(cluster, EVENTS, namespace, lambda _: True)
        marked = await _shown(cluster, APPLICATIONS, namespace, lambda change: "status" in change.object.fields)
        patch = b'{"metadata":{"annotations":{"%b":"release"}}}' % ANNOTATION_HELD_DELETIONS.encode()
        await cluster.patch(CONFIGMAPS, namespace, stored.name, patch, PatchType.MERGE)
        await _shown(cluster, CONFIGMAPS, namespace, lambda change: change.type is WatchType.DELETED)
        for _ in range(10):
            await held.unmarked.acquire()

        assert (passed.count(True), len(heldfile.deletions_in(stored)), len(held.obeyed)) == (10, 10, 10)
        assert str(event.look("message")).startswith("10 deletions that the principal asked for are held")
        assert CONDITION_DELETION_HELD in str(marked.look("status"))


async def test_a_configmap_takes_all_that_we_put_into_one(clusters: RealClusters) -> None:
    async with a_namespace(clusters) as (cluster, namespace), held_on(cluster, namespace, 10_000) as held:
        asked = (
            held.deletions.ask(APPPROJECT.name, namespace, "x" * 200 + str(n), "u" * 36, How.CASCADE)
            for n in range(7000)
        )
        outcomes = await asyncio.gather(*asked, return_exceptions=True)

        stored = await cluster.get(CONFIGMAPS, namespace, CONFIGMAP_HELD_DELETIONS)
        refused = [one for one in outcomes if isinstance(one, EventDeferred)]
        assert outcomes.count(True) == 3000
        assert len(heldfile.deletions_in(stored)) == outcomes.count(False) == len(held.deletions)
        assert len(refused) == 4000 - len(held.deletions) > 0
        assert heldfile.MAX_BYTES - 400 < len(stored.look("data")[heldfile.KEY].encode()) <= heldfile.MAX_BYTES + 2


async def test_a_refused_project_says_so_in_annotation_and_event(clusters: RealClusters) -> None:
    async with a_namespace(clusters) as (cluster, namespace):
        project = new_object(APPPROJECTS, Metadata(name="team", namespace=namespace), spec={})
        await cluster.create(APPPROJECTS, project)
        reports = Reports(cluster, KubeEvents(cluster, "argocd-agent-principal", time.time))

        await reports.refused(APPPROJECT, namespace, "team", "agent-1", "too odd")
        await reports.refused(APPPROJECT, namespace, "team", "agent-2", "odder")

        found = await cluster.get(APPPROJECTS, namespace, "team")
        assert found.annotations[ANNOTATION_REFUSED] == '{"agent-1":"too odd","agent-2":"odder"}'
        [event] = (await cluster.list(EVENTS, Scope(namespace))).items
        assert event.look("message") == "Agent agent-2 cannot apply this AppProject: odder"
        assert event.look("count") == 2


async def _shown(cluster: KubernetesCluster, api: Api, namespace: str, is_it: Callable[[WatchEvent], bool]) -> Object:
    """The first object in *namespace* whose change is what is waited for."""
    async with asyncio.timeout(20), contextlib.aclosing(cluster.watch(api, Scope(namespace), "0")) as changes:
        async for change in changes:
            if change.type is not WatchType.BOOKMARK and is_it(change):
                return change.object
    raise AssertionError("the watch ended")
