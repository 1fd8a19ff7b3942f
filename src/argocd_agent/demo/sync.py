"""Carries out a sync: makes a cluster's objects what the manifests say, in Argo CD's order.

Failures of single objects are results; only a cluster that does not answer at all is raised (`Unavailable`), to be
tried again. Objects are pruned in the background: a foreground deletion needs a garbage collector behind the API.
"""

import contextlib
from collections.abc import Iterable

from argocd_agent.backends.ports import EVERYTHING, Cluster, PatchType
from argocd_agent.codec import encode
from argocd_agent.demo.appstatus import Result
from argocd_agent.demo.catalogue import ORDER
from argocd_agent.demo.comparison import ResourceState, with_last_applied
from argocd_agent.demo.model import (
    PHASE_FAILED,
    PHASE_SUCCEEDED,
    Manifest,
    ResourceKey,
    new_from,
    owner_of,
)
from argocd_agent.errors import AlreadyExists, ClusterError, DecodeError, NotFound, Unavailable
from argocd_agent.resources.kinds import NAMESPACES, Api
from argocd_agent.resources.objects import Metadata, Object, new_object

SYNCED, PRUNED, PRUNE_SKIPPED, SYNC_FAILED = "Synced", "Pruned", "PruneSkipped", "SyncFailed"


async def live_objects(cluster: Cluster, apis: Iterable[Api]) -> dict[ResourceKey, Object]:
    """Every object of *apis*, read now; none of a kind that the cluster does not have."""
    found: dict[ResourceKey, Object] = {}
    for api in apis:
        token = ""
        while True:
            try:
                page = await cluster.list(api, EVERYTHING, token=token)
            except NotFound:
                break
            found |= {ResourceKey(api, obj.namespace, obj.name): obj for obj in page.items}
            token = page.next_token
            if not token:
                break
    return found


async def carry_out(cluster: Cluster, states: tuple[ResourceState, ...], *, prune: bool) -> list[Result]:
    """Apply what should be there, then, if *prune*, delete what should not, the other way round."""
    results = [await _apply(cluster, state, state.manifest) for state in states if state.manifest is not None]
    unwanted = [state for state in reversed(states) if state.manifest is None]
    return results + [await _prune(cluster, state, prune) for state in unwanted]


def outcome_of(results: Iterable[Result]) -> tuple[str, str]:
    """The phase and message of the operation that had *results*."""
    failed = [result for result in results if result.status == SYNC_FAILED]
    if failed:
        return PHASE_FAILED, f"one or more objects failed to apply, reason: {failed[0].message}"
    return PHASE_SUCCEEDED, "successfully synced (all tasks run)"


async def ensure_namespace(cluster: Cluster, name: str) -> None:
    """Create namespace *name* unless it is there."""
    with contextlib.suppress(AlreadyExists):
        await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=name)))


async def delete_resources(cluster: Cluster, application: str) -> bool:
    """Delete all that carries *application*'s mark. True when nothing of it is left."""
    live = await live_objects(cluster, ORDER)
    owned = [(key, obj) for key, obj in live.items() if owner_of(obj) == application]
    is_clean = True
    for key, obj in reversed(owned):
        if not obj.is_deleting:
            await _delete(cluster, key, obj)
        is_clean = is_clean and not obj.metadata.finalizers
    return is_clean


async def _apply(cluster: Cluster, state: ResourceState, manifest: Manifest) -> Result:
    key = state.key
    try:
        if state.live is None:
            stored = await cluster.create(key.api, new_from(manifest))
            return Result(key, SYNCED, f"{key.path} created", stored.version)
        if not state.patch:
            return Result(key, SYNCED, f"{key.path} unchanged", state.live.version)
        patch = encode(with_last_applied(state.patch, manifest))
        stored = await cluster.patch(key.api, key.namespace, key.name, patch, PatchType.MERGE)
        return Result(key, SYNCED, f"{key.path} configured", stored.version)
    except Unavailable:
        raise
    except (ClusterError, DecodeError) as error:
        return Result(key, SYNC_FAILED, str(error))


async def _prune(cluster: Cluster, state: ResourceState, prune: bool) -> Result:
    if not prune or state.live is None:
        return Result(state.key, PRUNE_SKIPPED, "ignored (requires pruning)")
    try:
        await _delete(cluster, state.key, state.live)
        return Result(state.key, PRUNED, "pruned")
    except Unavailable:
        raise
    except ClusterError as error:
        return Result(state.key, SYNC_FAILED, str(error))


async def _delete(cluster: Cluster, key: ResourceKey, obj: Object) -> None:
    with contextlib.suppress(NotFound):  # somebody was faster
        await cluster.delete(key.api, key.namespace, key.name, uid=obj.uid)
