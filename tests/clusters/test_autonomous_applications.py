"""Applications of an autonomous agent, shown on the hub. One principal and one agent serve all tests here."""

from collections.abc import Iterator

import pytest

from argocd_agent.backends.ports import Propagation
from argocd_agent.codec import encode
from argocd_agent.protocol.names import (
    ANNOTATION_LAST_UPDATED,
    ANNOTATION_NOTIFIED,
    ANNOTATION_REFRESH,
    ANNOTATION_SOURCE_UID,
    LABEL_IGNORE_SYNC,
)
from argocd_agent.resources.kinds import APPLICATIONS
from argocd_agent.resources.objects import Object, OwnerReference
from tests.support.applications import (
    FINALIZER,
    revision_of,
    source_of,
    status_of,
    synced,
    unborn,
    with_path,
    with_status,
)
from tests.support.clusters import RealClusters
from tests.support.objects import an_application, path_of
from tests.support.pairs import AUTONOMOUS, Pair, shared_pair
from tests.support.sites import a_name

RUNNING = {"phase": "Running", "operation": {"sync": {}}, "startedAt": "2026-01-01T00:00:00Z"}


@pytest.fixture(scope="module")
def pair(clusters: RealClusters) -> Iterator[Pair]:
    """A principal and an autonomous agent, connected."""
    with shared_pair(clusters[0].kubeconfig, clusters[1].kubeconfig, agent=AUTONOMOUS) as running:
        yield running


@pytest.fixture
def name() -> str:
    """Of the Application that the test is about."""
    return a_name("app")


@pytest.mark.feature("P-64", "A-51", "C-11")
async def test_an_application_of_the_spoke_appears_on_the_hub_as_the_hubs_own(pair: Pair, name: str) -> None:
    owner = OwnerReference(api_version="argoproj.io/v1alpha1", kind="ApplicationSet", name="set", uid="1-2-3")
    async with pair.open() as (hub, spoke):
        given = an_application(name, spoke.namespace, path="shop", labels={"tier": "web"}, annotations={"team": "shop"})
        own = await spoke.cluster.create(APPLICATIONS, unborn(given.with_metadata(owner_references=(owner,))))

        shown = await hub.until_there(name)

    agent = pair.spoke.agent
    destination = {"name": agent, "namespace": "default"}
    assert shown.look("spec") == {**own.look("spec"), "project": f"{agent}-default", "destination": destination}
    assert (shown.labels, shown.annotations["team"]) == (own.labels, "shop")
    assert source_of(shown) == own.uid
    assert ANNOTATION_LAST_UPDATED in shown.annotations
    assert shown.metadata.owner_references is None


@pytest.mark.feature("P-65", "A-51", "C-11")
async def test_specification_and_status_follow_the_spoke(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await spoke.create(name, path="one")
        before = await hub.until_there(name)

        await spoke.change(name, with_path("two"))
        await hub.until(name, lambda obj: path_of(obj) == "two", "the new path")
        await spoke.change(name, synced("r1"))
        after = await hub.until(name, lambda obj: revision_of(obj) == "r1", "the status")

    assert after.uid == before.uid
    assert status_of(after)["health"] == {"status": "Healthy"}


@pytest.mark.feature("P-65", "A-51")
async def test_labels_annotations_and_finalizers_follow_the_spoke_and_go_with_it(pair: Pair, name: str) -> None:
    def dressed(obj: Object) -> Object:
        return obj.with_metadata(labels={"tier": "web"}, annotations={"team": "shop"}, finalizers=(FINALIZER,))

    def is_dressed(obj: Object) -> bool:
        return obj.labels == {"tier": "web"} and obj.annotations.get("team") == "shop"

    async with pair.open() as (hub, spoke):
        await spoke.create(name)
        await hub.until_there(name)

        await spoke.change(name, dressed)
        with_all = await hub.until(name, is_dressed, "label and annotation")
        await spoke.change(name, lambda obj: obj.with_metadata(labels=None, annotations=None, finalizers=None))
        bare = await hub.until(name, lambda obj: not obj.labels, "no label")

    assert with_all.metadata.finalizers == (FINALIZER,)
    assert bare.metadata.finalizers is None
    assert "team" not in bare.annotations
    assert source_of(bare) == source_of(with_all)


@pytest.mark.feature("P-66", "A-51")
async def test_child_applications_are_where_the_hub_shows_them(pair: Pair, name: str) -> None:
    child = {"group": "argoproj.io", "version": "v1alpha1", "kind": "Application", "name": "child", "status": "Synced"}
    service = {"version": "v1", "kind": "Service", "namespace": "web", "name": "web", "status": "Synced"}
    async with pair.open() as (hub, spoke):
        await spoke.create(name)
        await hub.until_there(name)

        await spoke.change(name, with_status(resources=[{**child, "namespace": spoke.namespace}, service]))
        shown = await hub.until(name, lambda obj: "resources" in status_of(obj), "the resources")

    assert status_of(shown)["resources"] == [{**child, "namespace": pair.spoke.agent}, service]


@pytest.mark.feature("P-65", "A-51")
async def test_an_operation_begun_on_the_spoke_is_seen_on_the_hub_to_begin_and_to_end(pair: Pair, name: str) -> None:
    operation = {"sync": {"revision": "r7"}, "initiatedBy": {"username": "bob"}}
    async with pair.open() as (hub, spoke):
        await spoke.create(name)
        await hub.until_there(name)

        await spoke.change(name, lambda obj: obj.with_fields({"operation": encode(operation)}))
        begun = await hub.until(name, lambda obj: "operation" in obj.fields, "the operation")
        await spoke.change(name, lambda obj: with_status(operationState=RUNNING)(obj.with_fields({"operation": None})))
        ended = await hub.until(name, lambda obj: "operationState" in status_of(obj), "its state")

        own = await spoke.get(name)
    assert begun.look("operation") == operation
    assert "operation" not in ended.fields
    assert "operation" not in own.fields


@pytest.mark.feature("P-67", "A-51", "C-14")
@pytest.mark.parametrize("finalizers", [None, (FINALIZER,)])
async def test_a_deletion_on_the_spoke_is_followed(pair: Pair, name: str, finalizers: tuple[str, ...] | None) -> None:
    async with pair.open() as (hub, spoke):
        await spoke.create(name, finalizers=finalizers)
        await hub.until_there(name)

        await spoke.delete(name)
        if finalizers:
            await spoke.change(name, synced("last"))
            await hub.until(name, lambda obj: revision_of(obj) == "last", "the last status")
            await spoke.finish(name)
        await hub.until_gone(name)

        assert not await spoke.is_there(name)


@pytest.mark.feature("P-67")
async def test_a_finalizer_that_somebody_put_on_the_copy_holds_nothing_up(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await spoke.create(name)
        await hub.until_there(name)

        await hub.change(name, lambda obj: obj.with_metadata(finalizers=(FINALIZER,)))
        await spoke.delete(name)

        await hub.until_gone(name)


@pytest.mark.feature("P-65", "A-51")
async def test_an_application_made_anew_on_the_spoke_is_shown_as_the_new_one(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await spoke.create(name, path="one")
        await hub.until_there(name)

        await spoke.delete(name)
        again = await spoke.create(name, path="two")
        shown = await hub.until(name, lambda obj: source_of(obj) == again.uid, "the new one")

    assert path_of(shown) == "two"


@pytest.mark.feature("A-52", "P-64", "C-11")
async def test_an_object_of_the_hub_that_is_in_the_way_becomes_the_copy(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        theirs = await hub.create(name, path="theirs", labels={"theirs": "yes"})
        later = a_name("later")
        await spoke.create(later)
        await hub.until_there(later)
        await hub.change(later, lambda obj: obj.with_annotations({ANNOTATION_REFRESH: "normal"}))
        await spoke.until(later, lambda obj: ANNOTATION_REFRESH in obj.annotations, "a later wish of the hub")

        assert not await spoke.is_there(name)

        own = await spoke.create(name, path="own")
        shown = await hub.until(name, lambda obj: source_of(obj) == own.uid, "the copy")

    assert shown.uid == theirs.uid
    assert (path_of(shown), shown.labels) == ("own", {})


@pytest.mark.feature("P-68", "A-52", "C-12")
async def test_an_edit_on_the_hub_is_undone_and_the_spoke_never_sees_it(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await spoke.create(name, path="right")
        shown = await hub.until_there(name)
        own = await spoke.get(name)

        edited = await hub.change(name, with_path("wrong"))
        mended = await hub.until(name, lambda obj: path_of(obj) == "right", "the path of the spoke")
        await hub.change(name, lambda obj: obj.with_fields({"spec": own.fields["spec"]}))
        again = await hub.until(name, lambda obj: obj.look("spec") == shown.look("spec"), "project and destination")

        assert await spoke.get(name) == own
    assert {mended.uid, again.uid} == {edited.uid}


@pytest.mark.feature("P-68", "C-12")
async def test_a_source_annotation_taken_off_on_the_hub_is_put_back(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        own = await spoke.create(name)
        await hub.until_there(name)

        await hub.change(name, lambda obj: obj.with_annotations({ANNOTATION_SOURCE_UID: None}))
        await hub.until(name, lambda obj: source_of(obj) == own.uid, "the source again")


@pytest.mark.feature("P-69", "A-55", "C-12")
@pytest.mark.parametrize("how", list(Propagation))
@pytest.mark.parametrize("finalizers", [None, (FINALIZER,)])
async def test_a_deletion_on_the_hub_is_undone(
    pair: Pair, name: str, finalizers: tuple[str, ...] | None, how: Propagation
) -> None:
    async with pair.open() as (hub, spoke):
        await spoke.create(name, finalizers=finalizers, path="right")
        await spoke.change(name, synced("r1"))
        before = await hub.until(name, lambda obj: revision_of(obj) == "r1", "the status")
        own = await spoke.get(name)

        await hub.delete(name, how)
        again = await hub.until(name, lambda obj: obj.uid != before.uid, "made again")

        assert await spoke.get(name) == own
    assert not again.is_deleting
    assert again.look("spec") == before.look("spec")
    assert (source_of(again), revision_of(again)) == (own.uid, "r1")
    assert again.metadata.finalizers == finalizers


@pytest.mark.feature("A-53", "P-57", "C-13")
@pytest.mark.parametrize("annotations", [None, {"team": "shop"}])
async def test_a_refresh_goes_to_the_spoke_and_leaves_the_hub_when_it_is_done(
    pair: Pair, name: str, annotations: dict[str, str] | None
) -> None:
    async with pair.open() as (hub, spoke):
        await spoke.create(name, annotations=annotations)
        await hub.until_there(name)

        await hub.change(name, lambda obj: obj.with_annotations({ANNOTATION_REFRESH: "hard"}))
        asked = await spoke.until(name, lambda obj: ANNOTATION_REFRESH in obj.annotations, "the refresh")
        await spoke.change(name, lambda obj: obj.with_annotations({ANNOTATION_REFRESH: None}))
        done = await hub.until(name, lambda obj: ANNOTATION_REFRESH not in obj.annotations, "no refresh")

    assert asked.annotations == {**(annotations or {}), ANNOTATION_REFRESH: "hard"}
    assert source_of(done) == asked.uid


@pytest.mark.feature("A-54", "C-13")
async def test_a_sync_asked_for_on_the_hub_runs_on_the_spoke_and_is_seen_to_end(pair: Pair, name: str) -> None:
    operation = {"sync": {"revision": "r7"}, "initiatedBy": {"username": "alice"}}
    state = {**RUNNING, "phase": "Succeeded", "operation": operation}
    async with pair.open() as (hub, spoke):
        await spoke.create(name)
        await hub.until_there(name)

        await hub.change(name, lambda obj: obj.with_fields({"operation": encode(operation)}))
        asked = await spoke.until(name, lambda obj: "operation" in obj.fields, "the operation")
        await spoke.change(name, lambda obj: with_status(operationState=state)(obj.with_fields({"operation": None})))
        done = await hub.until(name, lambda obj: "operation" not in obj.fields, "the operation taken away")

        assert "operation" not in (await spoke.get(name)).fields
    assert asked.look("operation") == operation
    assert status_of(done)["operationState"]["phase"] == "Succeeded"


@pytest.mark.feature("A-54", "C-13")
async def test_a_running_operation_is_terminated_from_the_hub(pair: Pair, name: str) -> None:
    def phase(obj: Object) -> str:
        return str(status_of(obj).get("operationState", {}).get("phase", ""))

    async with pair.open() as (hub, spoke):
        await spoke.create(name)
        await spoke.change(name, with_status(operationState=RUNNING))
        await hub.until(name, lambda obj: phase(obj) == "Running", "it runs")

        await hub.change(name, with_status(operationState={**RUNNING, "phase": "Terminating"}))
        ending = await spoke.until(name, lambda obj: phase(obj) == "Terminating", "asked to end")

    assert status_of(ending)["operationState"]["startedAt"] == RUNNING["startedAt"]


@pytest.mark.feature("P-81")
async def test_what_notifications_keep_on_the_copy_survives_a_hundred_updates(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await spoke.create(name)
        await hub.until_there(name)
        await hub.change(name, lambda obj: obj.with_annotations({ANNOTATION_NOTIFIED: '{"sent":1}'}))

        for number in range(100):
            await spoke.change(name, synced(f"r{number}"))
        shown = await hub.until(name, lambda obj: revision_of(obj) == "r99", "the last status")

    assert shown.annotations[ANNOTATION_NOTIFIED] == '{"sent":1}'


@pytest.mark.feature("A-64", "C-15")
async def test_what_is_labelled_ignore_sync_is_not_shown_for_as_long_as_it_is(pair: Pair, name: str) -> None:
    def labelled(value: str) -> dict[str, str]:
        return {LABEL_IGNORE_SYNC: value}

    async with pair.open() as (hub, spoke):
        own = await spoke.create(name, labels=labelled("true"))
        await spoke.create(f"{name}-false", labels=labelled("false"))
        await spoke.create(f"{name}-capital", labels=labelled("True"))
        await hub.until_there(f"{name}-false")
        await hub.until_there(f"{name}-capital")

        assert not await hub.is_there(name)

        await spoke.change(name, lambda obj: obj.with_metadata(labels=None))
        await hub.until_there(name)
        await spoke.change(name, lambda obj: obj.with_metadata(labels=labelled("true")))
        await hub.until_gone(name)

        assert (await spoke.get(name)).uid == own.uid


@pytest.mark.feature("C-12", "A-52")
async def test_the_label_on_the_hubs_copy_hides_it_from_nobody(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        own = await spoke.create(name)
        await hub.until_there(name)

        await hub.change(name, lambda obj: obj.with_metadata(labels={LABEL_IGNORE_SYNC: "true"}))
        await hub.until(name, lambda obj: not obj.labels, "the label taken off")

        assert await spoke.get(name) == own
