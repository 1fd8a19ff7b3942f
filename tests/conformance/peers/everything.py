"""Objects of every kind on our clusters, and what a managed agent is to have of the hub's."""

import json
from collections.abc import Callable, Iterable, Mapping

from argocd_agent.backends.embedded import EmbeddedCluster
from argocd_agent.backends.ports import Scope
from argocd_agent.codec import encode
from argocd_agent.errors import NotFound
from argocd_agent.protocol.names import CONFIGMAP_GPG_KEYS, LABEL_SECRET_TYPE, SECRET_TYPE_CLUSTER
from argocd_agent.resources.kinds import APPPROJECT, GPGKEY, REPOSITORY, Kind
from argocd_agent.resources.objects import Object, decode_object
from tests.conformance.peers.go_objects import Json, is_hidden, project_of
from tests.conformance.peers.go_projects import edition, is_for
from tests.conformance.peers.recording import pruned
from tests.support.world import HOME, fresh

KINDS = (APPPROJECT, REPOSITORY, GPGKEY)
Contents = dict[str, dict[str, Json]]  # by kind and name: the specification or the data, without what is empty


async def find(cluster: EmbeddedCluster, kind: Kind, name: str) -> Object | None:
    """The object in the Argo CD namespace of one of our clusters; None if there is none."""
    try:
        return await cluster.get(kind.api, HOME, name)
    except NotFound:
        return None


async def expect(cluster: EmbeddedCluster, kind: Kind, name: str) -> Object:
    """The object, which must be there."""
    found = await find(cluster, kind, name)
    assert found is not None, f"expected {kind.name} {name}, found none"
    return found


async def make(cluster: EmbeddedCluster, kind: Kind, obj: Json) -> Object:
    """A user creates *obj*."""
    return await cluster.create(kind.api, fresh(decode_object(encode(obj)), namespace=HOME))


async def change(cluster: EmbeddedCluster, kind: Kind, name: str, changed: Callable[[Json], None]) -> Object:
    """A user changes the specification or the data of one."""
    held = await expect(cluster, kind, name)
    content = json.loads(held.fields[kind.compared[0]])
    changed(content)
    return await cluster.update(kind.api, held.with_fields({kind.compared[0]: encode(content)}))


async def remove(cluster: EmbeddedCluster, kind: Kind, name: str) -> None:
    """A user deletes one."""
    await cluster.delete(kind.api, HOME, name)


async def contents(cluster: EmbeddedCluster) -> Contents:
    """What there is of every kind but Applications, on one of our clusters."""
    return {
        kind.name: {
            obj.name: pruned(json.loads(obj.fields.get(kind.compared[0], b"{}")))
            for obj in (await cluster.list(kind.api, Scope(HOME))).items
            if _is_of(kind, obj)
        }
        for kind in KINDS
    }


async def whole(cluster: EmbeddedCluster) -> dict[str, dict[str, Json]]:
    """As `contents`, but the objects, as the scripts have them."""
    found: dict[str, dict[str, Json]] = {}
    for kind in KINDS:
        those = [obj for obj in (await cluster.list(kind.api, Scope(HOME))).items if _is_of(kind, obj)]
        field = kind.compared[0]
        found[kind.name] = {
            obj.name: {
                "metadata": {"name": obj.name, "labels": dict(obj.labels)},
                field: json.loads(obj.fields.get(field, b"{}")),
            }
            for obj in those
        }
    return found


def contents_of(objects: Mapping[str, Mapping[str, Json]]) -> Contents:
    """As `contents`, of a script's objects."""
    return {
        kind.name: {name: pruned(obj.get(kind.compared[0]) or {}) for name, obj in objects[kind.name].items()}
        for kind in KINDS
    }


def due(objects: Mapping[str, Mapping[str, Json]], agent: str) -> Contents:
    """What a managed *agent* is to have of a hub's *objects*, by the contract."""
    mine = {name: one for name, one in objects["AppProject"].items() if not is_hidden(one) and is_for(one, agent)}
    return contents_of(
        {
            "AppProject": {name: edition(one, agent) for name, one in mine.items()},
            "Repository": _seen((name, one) for name, one in objects["Repository"].items() if project_of(one) in mine),
            "GPGKey": _seen(objects["GPGKey"].items()),
        }
    )


def _seen(objects: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    return {name: one for name, one in objects if not is_hidden(one)}


def _is_of(kind: Kind, obj: Object) -> bool:
    if kind is REPOSITORY:
        return obj.labels.get(LABEL_SECRET_TYPE, SECRET_TYPE_CLUSTER) != SECRET_TYPE_CLUSTER
    return kind is not GPGKEY or obj.name == CONFIGMAP_GPG_KEYS
