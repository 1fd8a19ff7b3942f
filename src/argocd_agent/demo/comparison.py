"""What a repository wants against what a cluster has: one state per resource. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from argocd_agent.codec import decode_any, encode
from argocd_agent.demo.catalogue import place_of
from argocd_agent.demo.health import Health, Verdict, health_of, worst
from argocd_agent.demo.merge import Fields, Json, fields_at, three_way
from argocd_agent.demo.model import Automated, Manifest, ResourceKey, owner_of
from argocd_agent.errors import DecodeError
from argocd_agent.protocol.names import ANNOTATION_LAST_APPLIED
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object

SYNCED, OUT_OF_SYNC, UNKNOWN = "Synced", "OutOfSync", "Unknown"


@dataclass(frozen=True, slots=True)
class ResourceState:
    """One resource of an application. `patch` makes the live object what the manifest says; empty if it is that.

    Without `manifest` it should go, without `live` it is missing; one of them is there.
    """

    key: ResourceKey
    manifest: Manifest | None
    live: Object | None
    patch: Fields
    verdict: Verdict | None

    @property
    def is_synced(self) -> bool:
        return self.manifest is not None and self.live is not None and not self.patch

    @property
    def requires_pruning(self) -> bool:
        """Whether the repository no longer has it."""
        return self.manifest is None


def compare(
    application: str, manifests: Iterable[Manifest], live: Mapping[ResourceKey, Object]
) -> tuple[ResourceState, ...]:
    """The state of every resource that *manifests* want or that *live* has of *application*, in order of applying."""
    wanted = {manifest.key: manifest for manifest in manifests}
    keys = set(wanted) | {key for key, obj in live.items() if owner_of(obj) == application}
    ordered = sorted(keys, key=lambda key: (place_of(key.api), key.namespace, key.name))
    return tuple(_state(key, wanted.get(key), live.get(key)) for key in ordered)


def plain(obj: Object, api: Api) -> Fields:
    """*obj* as plain values, with `apiVersion` and `kind`."""
    return fields_at(decode_any(obj.encode(api), api.kind))


def sync_status(states: Iterable[ResourceState]) -> str:
    """`Synced` if every state is."""
    return SYNCED if all(state.is_synced for state in states) else OUT_OF_SYNC


def app_health(states: Iterable[ResourceState]) -> Health:
    """The worst health of what should be there."""
    return worst(state.verdict.health for state in states if state.verdict and not state.requires_pruning)


def wants_sync(policy: Automated | None, states: tuple[ResourceState, ...], attempted: bool, succeeded: bool) -> bool:
    """Whether to sync without being asked. *attempted*, *succeeded*: the last operation, if it was of this revision.

    As Argo CD: one revision is synced once, more often only to heal; a sync that failed is not repeated; nothing is
    done for resources that only wait to be pruned when pruning is off, nor when everything would be pruned.
    https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/
    """
    if policy is None or not policy.enabled:
        return False
    if attempted and not (policy.self_heal and succeeded):
        return False
    if states and all(state.requires_pruning for state in states) and not policy.allow_empty:
        return False
    return any(not state.is_synced and (policy.prune or not state.requires_pruning) for state in states)


def with_last_applied(patch: Fields, manifest: Manifest) -> Fields:
    """*patch* that also notes what was applied, for the next three-way merge."""
    metadata = fields_at(patch, "metadata")
    noted: Json = encode(manifest.fields).decode()
    annotations = {**fields_at(metadata, "annotations"), ANNOTATION_LAST_APPLIED: noted}
    return {**patch, "metadata": {**metadata, "annotations": annotations}}


def _state(key: ResourceKey, manifest: Manifest | None, live: Object | None) -> ResourceState:
    if live is None:
        return ResourceState(key, manifest, None, {}, Verdict(Health.MISSING))
    found = plain(live, key.api)
    patch = {} if manifest is None else three_way(_last_applied(live), manifest.fields, found)
    return ResourceState(key, manifest, live, patch, health_of(key.api.kind, found))


def _last_applied(live: Object) -> Fields:
    """What was applied last; nothing if the note is missing or somebody has spoilt it."""
    try:
        return fields_at(decode_any(live.annotations.get(ANNOTATION_LAST_APPLIED, "{}"), "last applied"))
    except DecodeError:
        return {}
