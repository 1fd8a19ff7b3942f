"""Applications of a managed agent, there and back. One principal and one agent serve all tests here."""

from collections.abc import Iterator

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.names import (
    ANNOTATION_LAST_APPLIED,
    ANNOTATION_PRINCIPAL_UID,
    ANNOTATION_REFRESH,
    CONFIGMAP_IDENTITY,
    CONFIGMAP_IDENTITY_KEY,
)
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS
from argocd_agent.resources.objects import Object, OwnerReference
from tests.support.applications import (
    FINALIZER,
    conditions_of,
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
from tests.support.pairs import Pair, shared_pair
from tests.support.sites import a_name

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def pair(clusters: RealClusters) -> Iterator[Pair]:
    """A principal and an agent, connected."""
    with shared_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as running:
        yield running


@pytest.fixture
def name() -> str:
    """Of the Application that the test is about."""
    return a_name("app")


@pytest.mark.feature("P-7", "P-51", "A-32", "C-1")
async def test_a_created_application_is_mirrored_for_the_cluster_that_it_is_in(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        source = await hub.create(name, path="shop", destination={"name": pair.spoke.agent, "namespace": "web"})

        mirror = await spoke.until_there(name)

        identity = await hub.cluster.get(CONFIGMAPS, pair.hub.namespace, CONFIGMAP_IDENTITY)
    assert mirror.look("spec") == {**source.look("spec"), "destination": {"name": "in-cluster", "namespace": "web"}}
    assert source_of(mirror) == source.uid
    assert mirror.annotations[ANNOTATION_PRINCIPAL_UID] == identity.look("data")[CONFIGMAP_IDENTITY_KEY]


@pytest.mark.feature("A-32")
async def test_a_destination_by_server_becomes_the_cluster_itself(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await hub.create(name, destination={"server": "https://10.0.0.1", "namespace": "web"})

        mirror = await spoke.until_there(name)

    assert mirror.look("spec")["destination"] == {"name": "in-cluster", "namespace": "web"}


@pytest.mark.feature("A-32", "A-50")
async def test_what_belongs_to_the_hub_alone_stays_there(pair: Pair, name: str) -> None:
    owner = OwnerReference(api_version="argoproj.io/v1alpha1", kind="ApplicationSet", name="set", uid="1-2-3")
    async with pair.open() as (hub, spoke):
        given = an_application(name, hub.namespace, annotations={ANNOTATION_LAST_APPLIED: "{}", "team": "shop"})
        source = unborn(given.with_metadata(owner_references=(owner,)))
        await hub.cluster.create(APPLICATIONS, source)

        mirror = await spoke.until_there(name)

    assert mirror.metadata.owner_references is None
    assert ANNOTATION_LAST_APPLIED not in mirror.annotations
    assert mirror.annotations["team"] == "shop"


@pytest.mark.feature("P-51", "A-33", "C-2")
async def test_a_changed_specification_arrives(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await hub.create(name, path="one")
        before = await spoke.until_there(name)

        await hub.change(name, with_path("two"))
        after = await spoke.until(name, lambda obj: path_of(obj) == "two", "the new path")

    assert after.uid == before.uid


@pytest.mark.feature("P-51", "A-33")
async def test_labels_annotations_and_finalizers_follow_the_hub_and_go_with_it(pair: Pair, name: str) -> None:
    def dressed(obj: Object) -> Object:
        return obj.with_metadata(labels={"tier": "web"}, annotations={"team": "shop"}, finalizers=(FINALIZER,))

    def is_dressed(obj: Object) -> bool:
        return obj.labels == {"tier": "web"} and obj.annotations.get("team") == "shop"

    async with pair.open() as (hub, spoke):
        await hub.create(name)
        await spoke.until_there(name)

        await hub.change(name, dressed)
        with_all = await spoke.until(name, is_dressed, "label and annotation")
        await hub.change(name, lambda obj: obj.with_metadata(labels=None, annotations=None, finalizers=None))
        bare = await spoke.until(name, lambda obj: not obj.labels, "no label")

    assert with_all.metadata.finalizers == (FINALIZER,)
    assert bare.metadata.finalizers is None
    assert "team" not in bare.annotations
    assert source_of(bare) == source_of(with_all)


@pytest.mark.feature("P-56", "A-35", "C-4")
async def test_status_comes_back_and_touches_nothing_else(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        source = await hub.create(name, labels={"tier": "web"}, destination={"name": pair.spoke.agent})
        await spoke.until_there(name)

        await spoke.change(name, synced("r1"))
        known = await hub.until(name, lambda obj: revision_of(obj) == "r1", "the status")

    assert status_of(known)["health"] == {"status": "Healthy"}
    assert known.look("spec") == source.look("spec")
    assert (known.labels, known.annotations, known.uid) == (source.labels, source.annotations, source.uid)


async def test_status_that_goes_on_the_spoke_goes_on_the_hub(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await hub.create(name)
        await spoke.until_there(name)
        await spoke.change(name, synced("r1"))
        await hub.until(name, lambda obj: revision_of(obj) == "r1", "the status")

        await spoke.change(name, with_status(health={"status": "Missing"}))
        worse = await hub.until(name, lambda obj: status_of(obj)["health"] == {"status": "Missing"}, "worse health")

    assert revision_of(worse) == "r1"


async def test_conditions_of_the_controller_come_and_go_on_the_hub(pair: Pair, name: str) -> None:
    condition = {"type": "ComparisonError", "message": "no such path", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    async with pair.open() as (hub, spoke):
        await hub.create(name)
        await spoke.until_there(name)

        await spoke.change(name, with_status(conditions=[condition]))
        await hub.until(name, lambda obj: "ComparisonError" in conditions_of(obj), "the condition")
        await spoke.change(name, with_status(conditions=[]))
        clean = await hub.until(name, lambda obj: not conditions_of(obj), "no condition")

    assert conditions_of(clean) == {}


@pytest.mark.feature("P-56", "P-58", "A-48", "C-7")
async def test_a_sync_asked_for_on_the_hub_runs_on_the_spoke_and_is_seen_to_end(pair: Pair, name: str) -> None:
    operation = {"sync": {"revision": "r7"}, "initiatedBy": {"username": "alice"}}
    state = {"phase": "Succeeded", "operation": operation, "startedAt": "2026-01-01T00:00:00Z"}
    async with pair.open() as (hub, spoke):
        await hub.create(name)
        await spoke.until_there(name)

        await hub.change(name, lambda obj: obj.with_fields({"operation": encode(operation)}))
        asked = await spoke.until(name, lambda obj: "operation" in obj.fields, "the operation")
        await spoke.change(name, lambda obj: with_status(operationState=state)(obj.with_fields({"operation": None})))
        done = await hub.until(name, lambda obj: "operation" not in obj.fields, "the operation taken away")

    assert asked.look("operation") == operation
    assert status_of(done)["operationState"]["phase"] == "Succeeded"


@pytest.mark.feature("P-59", "A-49", "C-7")
async def test_a_running_operation_is_terminated_from_the_hub(pair: Pair, name: str) -> None:
    state = {"phase": "Running", "operation": {"sync": {}}, "startedAt": "2026-01-01T00:00:00Z"}

    def phase(obj: Object) -> str:
        return str(status_of(obj).get("operationState", {}).get("phase", ""))

    async with pair.open() as (hub, spoke):
        await hub.create(name)
        await spoke.until_there(name)
        await spoke.change(name, with_status(operationState=state))
        await hub.until(name, lambda obj: phase(obj) == "Running", "it runs")

        await hub.change(name, with_status(operationState={**state, "phase": "Terminating"}))
        ending = await spoke.until(name, lambda obj: phase(obj) == "Terminating", "asked to end")

    assert status_of(ending)["operationState"]["startedAt"] == state["startedAt"]


@pytest.mark.feature("P-57", "C-7")
async def test_a_refresh_goes_to_the_spoke_and_leaves_the_hub_when_it_is_done(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await hub.create(name)
        await spoke.until_there(name)

        await hub.change(name, lambda obj: obj.with_annotations({ANNOTATION_REFRESH: "hard"}))
        asked = await spoke.until(name, lambda obj: ANNOTATION_REFRESH in obj.annotations, "the refresh")
        await spoke.change(name, lambda obj: obj.with_annotations({ANNOTATION_REFRESH: None}))
        done = await hub.until(name, lambda obj: ANNOTATION_REFRESH not in obj.annotations, "no refresh")

    assert asked.annotations[ANNOTATION_REFRESH] == "hard"
    assert ANNOTATION_REFRESH not in done.annotations


@pytest.mark.feature("P-51", "A-40", "C-3")
async def test_a_deletion_on_the_hub_deletes_the_mirror(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await hub.create(name)
        await spoke.until_there(name)

        await hub.delete(name)
        await spoke.until_gone(name)

        assert not await hub.is_there(name)


@pytest.mark.feature("P-62", "A-41", "C-3")
async def test_a_cascade_stays_on_the_hub_until_the_spoke_has_finished(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await hub.create(name, finalizers=(FINALIZER,))
        await spoke.until_there(name)

        await hub.delete(name)
        deleting = await spoke.until(name, lambda obj: obj.is_deleting, "the deletion")
        source = await hub.get(name)
        await spoke.finish(name)
        await hub.until_gone(name)

        assert not await spoke.is_there(name)
    assert FINALIZER in (deleting.metadata.finalizers or ())
    assert source.is_deleting


async def test_status_is_reported_while_a_cascade_deletes(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await hub.create(name, finalizers=(FINALIZER,))
        await spoke.until_there(name)
        await hub.delete(name)
        await spoke.until(name, lambda obj: obj.is_deleting, "the deletion")

        await spoke.change(name, synced("last"))
        seen = await hub.until(name, lambda obj: revision_of(obj) == "last", "the last status")
        await spoke.finish(name)
        await hub.until_gone(name)

    assert seen.is_deleting


@pytest.mark.feature("A-36", "C-5")
async def test_a_specification_changed_on_the_spoke_is_put_right(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await hub.create(name, path="right")
        await spoke.until_there(name)

        drifted = await spoke.change(name, with_path("wrong"))
        mended = await spoke.until(name, lambda obj: path_of(obj) == "right", "the path of the hub")

        source = await hub.get(name)
    assert (mended.uid, path_of(source)) == (drifted.uid, "right")


async def test_a_source_annotation_taken_off_on_the_spoke_is_put_back(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        source = await hub.create(name)
        await spoke.until_there(name)

        bare = await spoke.change(name, lambda obj: obj.with_metadata(annotations=None))
        mended = await spoke.until(name, lambda obj: source_of(obj) == source.uid, "the source again")

    assert mended.uid == bare.uid


@pytest.mark.feature("C-9")
async def test_an_application_that_somebody_wrote_on_the_spoke_is_left_alone(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        theirs = await spoke.create(name, path="theirs")
        await hub.create(f"{name}-later")
        await spoke.until_there(f"{name}-later")
        await spoke.delete(f"{name}-later")
        await spoke.until(f"{name}-later", lambda obj: bool(source_of(obj)), "put back: the agent has seen it all")

        untouched = await spoke.get(name)
        assert not await hub.is_there(name)
    assert untouched == theirs


async def test_an_application_of_one_mebibyte_passes_both_ways(pair: Pair, name: str) -> None:
    large = {"info": [{"name": "text", "value": "x" * (MIB - 4096)}]}
    async with pair.open() as (hub, spoke):
        await hub.create(name, spec=large)

        mirror = await spoke.until_there(name)
        await spoke.change(name, synced("r1"))
        await hub.until(name, lambda obj: revision_of(obj) == "r1", "the status")

    assert mirror.look("spec")["info"] == large["info"]


async def test_text_of_every_script_survives_the_way(pair: Pair, name: str) -> None:
    words = 'Größe 尺寸 גודל 🚀 "quoted" \\ \u2028 \x7f'
    async with pair.open() as (hub, spoke):
        await hub.create(name, annotations={"words": words}, spec={"info": [{"name": "words", "value": words}]})

        mirror = await spoke.until_there(name)

    assert mirror.annotations["words"] == words
    assert mirror.look("spec")["info"][0]["value"] == words
