"""Patches: merge (RFC 7386), JSON (RFC 6902), and strategic merge for built-in kinds."""

import asyncio

import pytest

from argocd_agent.backends.ports import PatchType
from argocd_agent.codec import encode
from argocd_agent.errors import BadRequest, ClusterError, Conflict, Invalid, NotFound
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS, Api
from argocd_agent.resources.objects import Object
from tests.conformance.cluster_contract.case import Place, case


async def _patch(
    place: Place, api: Api, patch: object, kind: PatchType = PatchType.MERGE, subresource: str = ""
) -> Object:
    name = "guestbook" if api is APPLICATIONS else "settings"
    return await place.cluster.patch(api, place.namespace, name, encode(patch), kind, subresource=subresource)


@case
async def a_merge_patch_sets_removes_and_leaves_alone(place: Place) -> None:
    created = await place.cluster.create(
        CONFIGMAPS, place.configmap(data={"keep": "1", "change": "2", "drop": "3"}, labels={"a": "b"})
    )

    patched = await _patch(place, CONFIGMAPS, {"data": {"change": "two", "drop": None, "new": "4", "never": None}})

    assert patched.look("data") == {"keep": "1", "change": "two", "new": "4"}
    assert patched.labels == {"a": "b"}
    assert patched.version != created.version
    assert patched.uid == created.uid


@case
async def a_merge_patch_replaces_arrays(place: Place) -> None:
    await place.cluster.create(APPLICATIONS, place.application(finalizers=("example.com/a", "example.com/b")))

    patched = await _patch(place, APPLICATIONS, {"metadata": {"finalizers": ["example.com/c"]}})

    assert patched.metadata.finalizers == ("example.com/c",)


@case
async def a_merge_patch_can_remove_a_whole_field(place: Place) -> None:
    operation = {"sync": {"revision": "main"}}
    await place.cluster.create(APPLICATIONS, place.application().with_fields({"operation": encode(operation)}))

    patched = await _patch(place, APPLICATIONS, {"operation": None})

    assert patched.look("operation") is None


@case
async def a_patch_without_a_change_keeps_the_version(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application(labels={"a": "b"}))

    patched = await _patch(place, APPLICATIONS, {"metadata": {"labels": {"a": "b"}}})

    assert patched.version == created.version


@case
async def a_patch_may_name_the_version_it_is_for(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application())
    mine = {"metadata": {"resourceVersion": created.version, "annotations": {"by": "us"}}}

    patched = await _patch(place, APPLICATIONS, mine)
    with pytest.raises(Conflict, match="guestbook"):
        await _patch(place, APPLICATIONS, mine | {"spec": {"project": "other"}})

    got = await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")
    assert got.version == patched.version


@case
async def a_patch_may_name_the_uid_it_is_for(place: Place) -> None:
    created = await place.cluster.create(CONFIGMAPS, place.configmap())

    with pytest.raises(ClusterError):
        await _patch(
            place, CONFIGMAPS, {"metadata": {"uid": "11111111-2222-3333-4444-555555555555"}, "data": {"a": "1"}}
        )

    assert (await place.cluster.get(CONFIGMAPS, place.namespace, "settings")).version == created.version


@case
async def patches_of_different_fields_all_count(place: Place) -> None:
    await place.cluster.create(CONFIGMAPS, place.configmap(data={}))

    await asyncio.gather(*(_patch(place, CONFIGMAPS, {"data": {f"key-{number}": "1"}}) for number in range(5)))

    data = (await place.cluster.get(CONFIGMAPS, place.namespace, "settings")).look("data")
    assert sorted(data) == [f"key-{number}" for number in range(5)]


@case
async def a_patch_against_the_schema_is_invalid(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application())

    with pytest.raises(Invalid, match=r"spec\.project"):
        await _patch(place, APPLICATIONS, {"spec": {"project": 5}})

    assert (await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")).version == created.version


@case
async def a_patch_cannot_rename(place: Place) -> None:
    await place.cluster.create(CONFIGMAPS, place.configmap())

    with pytest.raises(ClusterError):
        await _patch(place, CONFIGMAPS, {"metadata": {"name": "other"}})


@case
async def a_patch_of_a_missing_object_is_not_found(place: Place) -> None:
    with pytest.raises(NotFound, match=f"{place.namespace}/guestbook"):
        await _patch(place, APPLICATIONS, {"metadata": {"labels": {"a": "b"}}})


@case
async def a_patch_of_a_missing_subresource_is_not_found(place: Place) -> None:
    await place.cluster.create(APPLICATIONS, place.application())

    with pytest.raises(NotFound):
        await _patch(place, APPLICATIONS, {"status": {}}, subresource="status")


@case
async def a_patch_that_is_no_json_is_refused(place: Place) -> None:
    await place.cluster.create(APPLICATIONS, place.application())

    for kind in (PatchType.MERGE, PatchType.JSON):
        with pytest.raises(BadRequest):
            await place.cluster.patch(APPLICATIONS, place.namespace, "guestbook", b"{nonsense", kind)


@case
async def a_json_patch_runs_its_operations_in_order(place: Place) -> None:
    annotations = {"e.com/note": "2"}
    await place.cluster.create(
        CONFIGMAPS, place.configmap(data={"a": "1"}, annotations=annotations, finalizers=("e.com/x", "e.com/z"))
    )

    patched = await _patch(
        place,
        CONFIGMAPS,
        [
            {"op": "test", "path": "/data/a", "value": "1"},
            {"op": "replace", "path": "/data/a", "value": "one"},
            {"op": "move", "from": "/metadata/annotations/e.com~1note", "path": "/data/moved"},
            {"op": "copy", "from": "/data/a", "path": "/data/copied"},
            {"op": "add", "path": "/metadata/labels", "value": {"team": "a"}},
            {"op": "add", "path": "/metadata/finalizers/1", "value": "e.com/y"},
            {"op": "add", "path": "/metadata/finalizers/-", "value": "e.com/last"},
            {"op": "remove", "path": "/metadata/finalizers/0"},
        ],
        PatchType.JSON,
    )

    assert patched.look("data") == {"a": "one", "moved": "2", "copied": "one"}
    assert patched.labels == {"team": "a"}
    assert patched.metadata.finalizers == ("e.com/y", "e.com/z", "e.com/last")


@case
async def a_json_patch_is_done_whole_or_not_at_all(place: Place) -> None:
    created = await place.cluster.create(CONFIGMAPS, place.configmap(data={"a": "1"}))
    impossible = (
        {"op": "test", "path": "/data/a", "value": "2"},
        {"op": "remove", "path": "/data/absent"},
        {"op": "replace", "path": "/nothing/here", "value": 1},
    )

    for operation in impossible:
        with pytest.raises(Invalid):
            await _patch(place, CONFIGMAPS, [{"op": "add", "path": "/data/b", "value": "2"}, operation], PatchType.JSON)

    assert (await place.cluster.get(CONFIGMAPS, place.namespace, "settings")).version == created.version


@case
async def a_strategic_patch_merges_built_in_kinds(place: Place) -> None:
    await place.cluster.create(CONFIGMAPS, place.configmap(data={"a": "1", "b": "2"}, finalizers=("e.com/x",)))

    patched = await _patch(
        place,
        CONFIGMAPS,
        {"data": {"a": None, "c": "3"}, "metadata": {"finalizers": ["e.com/y"]}},
        PatchType.STRATEGIC,
    )

    assert patched.look("data") == {"b": "2", "c": "3"}
    assert set(patched.metadata.finalizers or ()) == {"e.com/x", "e.com/y"}


@case
async def a_strategic_patch_of_a_custom_resource_is_refused(place: Place) -> None:
    await place.cluster.create(APPLICATIONS, place.application())

    with pytest.raises(BadRequest):
        await _patch(place, APPLICATIONS, {"metadata": {"labels": {"a": "b"}}}, PatchType.STRATEGIC)


@case
async def the_last_finalizer_may_go_by_patch(place: Place) -> None:
    await place.cluster.create(APPLICATIONS, place.application(finalizers=("example.com/a",)))
    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")

    await _patch(place, APPLICATIONS, {"metadata": {"finalizers": None}})

    with pytest.raises(NotFound):
        await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")
