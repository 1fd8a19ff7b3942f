"""A stand-in for Argo CD's application-controller: enough of it to see the main job done for real on a laptop.

It watches the Applications of one namespace, renders their Git source, applies it to the same cluster with Argo CD's
tracking annotation, prunes, heals, cascades deletions by finalizer, and writes status as Argo CD does. Operations
(`.operation`), refresh annotations and automated sync work. Left out: several sources, chart repositories, hooks,
waves, projects, RBAC, and kinds that `catalogue` does not list; each is refused by name or has no effect.

Level-triggered: a change, anywhere, makes an application due; a reconciliation reads everything anew and writes what
differs. One at a time. A remote repository cannot notify, so all are asked every `period_seconds`.

`argo_main` runs it as a process of its own beside each spoke, as Argo CD would be: what the spoke does while the link
to the hub is cut, it does without the demo's own process.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from argocd_agent.backends.ports import EVERYTHING, Cluster, PatchType, Scope
from argocd_agent.codec import encode
from argocd_agent.demo.appstatus import (
    Result,
    compared_status,
    failed_status,
    finished_operation,
    last_attempt,
    settle,
    started_operation,
    with_history,
)
from argocd_agent.demo.comparison import ResourceState, compare, wants_sync
from argocd_agent.demo.git import GitFailed
from argocd_agent.demo.merge import Fields, Json, fields_at, merge_patch, text_at
from argocd_agent.demo.model import (
    PHASE_ERROR,
    PHASE_FAILED,
    Application,
    Manifest,
    ResourceKey,
    SyncOperation,
    Unsupported,
    owner_of,
    read_application,
    resources_of,
)
from argocd_agent.demo.sources import Sources, Wanted
from argocd_agent.demo.sync import carry_out, delete_resources, ensure_namespace, live_objects, outcome_of
from argocd_agent.errors import ClusterError, DecodeError, NotFound
from argocd_agent.peer.observe import Change, Observer
from argocd_agent.protocol.names import ANNOTATION_REFRESH, ANNOTATION_SKIP_RECONCILE, PHASE_TERMINATING
from argocd_agent.resources.kinds import APPLICATIONS, Api
from argocd_agent.resources.objects import Object

log = logging.getLogger("argocd_agent.demo.argo")

RETRY_SECONDS = 1.0  # after a cluster that does not answer; it cannot notify
_CREATE_NAMESPACE = "CreateNamespace=true"


class Controller:
    """Keeps the Applications in *namespace* of *cluster* as their sources say. `run` until cancelled."""

    def __init__(
        self, cluster: Cluster, namespace: str, sources: Sources, period_seconds: float, now: Callable[[], str]
    ) -> None:
        self._cluster, self._namespace, self._sources = cluster, namespace, sources
        self._period_seconds, self._now = period_seconds, now
        self._due: dict[str, bool] = {}  # application → must Git be asked again; one entry per application at most
        self._wake = asyncio.Event()
        self._watched: set[Api] = set()
        self._written: dict[str, frozenset[tuple[ResourceKey, str]]] = {}  # the versions that the last sync left behind

    async def run(self) -> None:
        """Reconcile until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            scope = Scope(namespace=self._namespace)
            applications = Observer(self._cluster, APPLICATIONS, scope, self._note_application)
            tasks.create_task(applications.run(), name="argo: applications")
            tasks.create_task(self._ask_git(), name="argo: git")
            tasks.create_task(self._work(tasks), name="argo: reconcile")

    def _note_application(self, change: Change) -> None:
        self._note(change.object.name, fresh=False)

    def _note_resource(self, change: Change) -> None:
        for obj in (change.old, change.new):
            if obj is not None and owner_of(obj):
                self._note(owner_of(obj), fresh=False)

    def _note(self, name: str, *, fresh: bool) -> None:
        self._due[name] = fresh or self._due.get(name, False)
        self._wake.set()

    async def _ask_git(self) -> None:
        while True:
            await pause(self._period_seconds)
            try:
                for name in await self._sources.moved():
                    log.info("Git has a new revision for %s", name)
                    self._note(name, fresh=True)
            except (GitFailed, Unsupported) as error:
                log.warning("Git cannot be read now: %s", error)

    async def _work(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            self._wake.clear()
            while self._due:
                name, fresh = self._due.popitem()
                try:
                    await self._reconcile(name, fresh, tasks)
                except ClusterError as error:
                    log.warning("%s will be tried again: %s", name, error)
                    self._note(name, fresh=fresh)
                    await pause(RETRY_SECONDS)
                except DecodeError as error:
                    log.warning("%s is left alone: %s", name, error)
            await self._wake.wait()

    async def _reconcile(self, name: str, fresh: bool, tasks: asyncio.TaskGroup) -> None:
        try:
            app = read_application(await self._cluster.get(APPLICATIONS, self._namespace, name))
        except NotFound:
            self._sources.forget(name)
            self._written.pop(name, None)
            return
        if app.object.annotations.get(ANNOTATION_SKIP_RECONCILE) == "true":
            return
        if app.object.is_deleting:
            await self._finalize(app)
            return
        is_asked = ANNOTATION_REFRESH in app.object.annotations
        if app.operation is not None:
            app = await self._begin(app)
        try:
            wanted = await self._sources.wanted(app, fresh=fresh or is_asked)
            self._watch({manifest.key.api for manifest in wanted.manifests}, tasks)
            await self._advance(app, wanted, is_asked)
        except (Unsupported, GitFailed) as error:
            log.warning("%s cannot be compared: %s", name, error)
            now = self._now()
            status = failed_status(app, str(error), now)
            if app.operation is not None:
                started = fields_at(app.status, "operationState")
                status["operationState"] = finished_operation(started, PHASE_ERROR, str(error), (), app, None, now)
            await self._write(app, settle(app, status, is_asked, now), is_asked, None)

    async def _begin(self, app: Application) -> Application:
        """The operation is under way, and everybody can see it."""
        state = fields_at(app.status, "operationState")
        if fields_at(state, "operation") == app.raw_operation and text_at(state, "finishedAt") == "":
            return app  # begun before a restart of ours, or told to terminate
        log.info("%s: an operation begins", app.name)
        begun = started_operation(app, self._now())
        return await self._patch(app, {"status": merge_patch({"operationState": state}, {"operationState": begun})})

    async def _advance(self, app: Application, wanted: Wanted, is_asked: bool) -> None:
        """Do the operation if there is one, compare, and write what is new; begin to sync if policy says so."""
        finished = None if app.operation is None else await self._operate(app, app.operation.sync, wanted)
        states = compare(app.name, wanted.manifests, await self._live(app, wanted.manifests))
        now = self._now()
        status = compared_status(app, states, wanted.type, wanted.commit, now)
        if finished is not None:
            status["operationState"] = finished
            status = with_history(app, status, finished, now)
        operation: Fields | None = None
        policy = app.spec.sync_policy.automated
        attempted, succeeded = last_attempt(app, wanted.commit.sha)
        # What is out of line just as we wrote it stays so, however often it is written.
        is_stuck = attempted and _unsynced(states) <= self._written.get(app.name, frozenset())
        if app.operation is None and not is_stuck and wants_sync(policy, states, attempted, succeeded):
            prune = policy is not None and policy.prune
            operation = {"initiatedBy": {"automated": True}, "sync": _sync_request(app, wanted, prune)}
        await self._write(app, settle(app, status, is_asked, now), is_asked, operation)

    async def _operate(self, app: Application, sync: SyncOperation | None, wanted: Wanted) -> Fields:
        """The finished operation's state."""
        started = fields_at(app.status, "operationState")
        results: list[Result] = []
        if text_at(started, "phase") == PHASE_TERMINATING:
            phase, message = PHASE_FAILED, "Operation terminated"
        elif sync is None:
            phase, message = PHASE_ERROR, "Invalid operation request: no operation specified"
        else:
            if sync.revision and sync.revision != wanted.commit.sha:
                wanted = await self._sources.wanted_at(app, sync.revision)
            states = compare(app.name, wanted.manifests, await self._live(app, wanted.manifests))
            if not sync.dry_run:
                if _CREATE_NAMESPACE in (*app.spec.sync_policy.sync_options, *sync.sync_options):
                    await ensure_namespace(self._cluster, app.spec.destination.namespace)
                results = await carry_out(self._cluster, states, prune=sync.prune)
            phase, message = outcome_of(results)
            self._written[app.name] = frozenset((result.key, result.version) for result in results)
        log.info("%s: operation %s at %s: %s", app.name, phase, wanted.commit.sha[:7], message)
        return finished_operation(started, phase, message, results, app, wanted.commit, self._now())

    async def _finalize(self, app: Application) -> None:
        """Cascade the deletion if the finalizer asks for it; otherwise the resources stay."""
        if not app.finalizer or not await delete_resources(self._cluster, app.name):
            return  # nothing to do, or their watches will say when they are gone
        log.info("%s: its resources are deleted", app.name)
        rest = [name for name in app.object.metadata.finalizers or () if name != app.finalizer]
        patch = {"metadata": {"resourceVersion": app.object.version, "finalizers": rest}}
        await self._cluster.patch(APPLICATIONS, self._namespace, app.name, encode(patch), PatchType.MERGE)

    async def _live(self, app: Application, manifests: tuple[Manifest, ...]) -> dict[ResourceKey, Object]:
        """Read now: what is wanted, and every kind that the application had before."""
        keys = [*(manifest.key for manifest in manifests), *resources_of(app.status)]
        return await live_objects(self._cluster, {key.api for key in keys})

    async def _write(self, app: Application, status: Fields, is_asked: bool, operation: Fields | None) -> None:
        """Write what differs, in one patch: status, the answer to a refresh, the operation begun or over."""
        patch: dict[str, Json] = {}
        changed = merge_patch(app.status, status)
        if changed:
            patch["status"] = changed
        if is_asked:
            patch["metadata"] = {"annotations": {ANNOTATION_REFRESH: None}}
        if app.operation is not None or operation is not None:
            patch["operation"] = operation
        if patch:
            await self._patch(app, patch)

    async def _patch(self, app: Application, patch: Fields) -> Application:
        try:
            stored = await self._cluster.patch(APPLICATIONS, self._namespace, app.name, encode(patch), PatchType.MERGE)
        except NotFound:
            return app  # deleted meanwhile: its watch says so
        return read_application(stored)

    def _watch(self, apis: set[Api], tasks: asyncio.TaskGroup) -> None:
        """From now on changes of these kinds make their application due."""
        for api in apis - self._watched:
            self._watched.add(api)
            observer = Observer(self._cluster, api, EVERYTHING, self._note_resource)
            tasks.create_task(observer.run(), name=f"argo: {api.plural}")


def _sync_request(app: Application, wanted: Wanted, prune: bool) -> Fields:
    """What automated sync asks for."""
    options: list[Json] = list(app.spec.sync_policy.sync_options)
    request: dict[str, Json] = {"revision": wanted.commit.sha}
    return request | ({"prune": True} if prune else {}) | ({"syncOptions": options} if options else {})


def _unsynced(states: tuple[ResourceState, ...]) -> frozenset[tuple[ResourceKey, str]]:
    """What is not in line, as of which version."""
    unsynced = (state for state in states if not state.is_synced)
    return frozenset((state.key, state.live.version if state.live else "none") for state in unsynced)


async def pause(seconds: float) -> None:
    """Wait where the other end cannot say when it is worth trying again."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
