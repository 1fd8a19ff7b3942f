"""The ConfigMap in which a spoke keeps the deletions that the brake holds.

One key, `deletions`: a JSON array with a line for each, in the order in which they came to be held:

    ["Application","argocd","guestbook","<UID at the source>","delete","2026-08-21T04:05:16Z"]

An API server takes ConfigMaps of up to 1 MiB. `MAX_BYTES` of lines stay below that with room for the rest; at some 120
bytes a line that is about 8,000 deletions. Where nothing is held there is no ConfigMap.
"""

from collections.abc import Sequence

from argocd_agent.backends.ports import Cluster
from argocd_agent.codec import encode
from argocd_agent.errors import AlreadyExists, Conflict, DecodeError, NotFound
from argocd_agent.protocol.brake import HeldDeletion
from argocd_agent.protocol.names import ANNOTATION_HELD_DELETIONS, CONFIGMAP_HELD_DELETIONS
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.resources.objects import Metadata, Object, new_object
from argocd_agent.wire.brake import line_of, read_record, record_of

KEY = "deletions"
MAX_BYTES = 1_000_000
CONFLICTS = 8

_WHAT = f"ConfigMap {CONFIGMAP_HELD_DELETIONS}: {KEY}"


def cost_of(held: HeldDeletion) -> int:
    """How many bytes of `MAX_BYTES` it takes, with a comma and the end of the line."""
    return len(line_of(held)) + 2


def deletions_in(obj: Object) -> tuple[HeldDeletion, ...]:
    """What the ConfigMap says is held. Raises `DecodeError` for what it does not understand."""
    data = obj.look("data")
    text = data.get(KEY) if isinstance(data, dict) else None
    if not isinstance(text, str):
        raise DecodeError(f"{_WHAT}: expected a JSON array, found no such key")
    return read_record(text, _WHAT)


async def write(
    cluster: Cluster, namespace: str, held: Sequence[HeldDeletion], *, without_order: bool
) -> Object | None:
    """Make the ConfigMap say *held*; as it is then, None if there is none. Raises `ClusterError`.

    Annotations stay, but for an operator's order *without_order*. A change of somebody else's is written over.
    """
    for left in reversed(range(CONFLICTS)):
        try:
            return await _written(cluster, namespace, held, without_order=without_order)
        except (Conflict, AlreadyExists, NotFound):  # NotFound: deleted between our read and our write, or no namespace
            if not left:
                raise
    raise AssertionError("the last try returns or raises")


async def _written(
    cluster: Cluster, namespace: str, held: Sequence[HeldDeletion], *, without_order: bool
) -> Object | None:
    data = {KEY: record_of(held)}
    try:
        found = await cluster.get(CONFIGMAPS, namespace, CONFIGMAP_HELD_DELETIONS)
    except NotFound:
        if not held:
            return None
        metadata = Metadata(name=CONFIGMAP_HELD_DELETIONS, namespace=namespace)
        return await cluster.create(CONFIGMAPS, new_object(CONFIGMAPS, metadata, data=data))
    if not held:
        await cluster.delete(CONFIGMAPS, namespace, found.name, uid=found.uid, version=found.version)
        return None
    wanted = found if found.look("data") == data else found.with_fields({"data": encode(data)})
    if without_order and ANNOTATION_HELD_DELETIONS in found.annotations:
        wanted = wanted.with_annotations({ANNOTATION_HELD_DELETIONS: None})
    return found if wanted is found else await cluster.update(CONFIGMAPS, wanted)
