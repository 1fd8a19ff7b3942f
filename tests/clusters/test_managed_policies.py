"""What becomes of a mirror that was deleted, made anew, or there before: the policies of a managed agent."""

import pytest

from argocd_agent.protocol.names import (
    ANNOTATION_ADOPTION_POLICY,
    ANNOTATION_MISMATCH_POLICY,
    ANNOTATION_PRINCIPAL_UID,
    ANNOTATION_SOURCE_UID,
    CONDITION_AGENT_ERROR,
)
from argocd_agent.resources.objects import Object
from tests.support.applications import FINALIZER, Claim, conditions_of, source_of, status_of, with_status
from tests.support.clusters import RealClusters
from tests.support.objects import path_of
from tests.support.pairs import a_pair
from tests.support.sites import a_name

OPERATION_STATE = {"phase": "Succeeded", "operation": {"sync": {}}, "startedAt": "2026-01-01T00:00:00Z"}


@pytest.mark.feature("A-38", "A-39", "C-6")
@pytest.mark.parametrize(
    ("policy", "has_state", "has_operation"),
    [("ignore", True, False), ("clear-status", False, False), ("resync", True, True)],
)
async def test_a_mirror_deleted_on_the_spoke_is_made_again_as_the_policy_says(
    clusters: RealClusters, policy: str, has_state: bool, has_operation: bool
) -> None:
    name, flags = a_name("app"), [f"--on-application-recreate={policy}"]
    async with (
        a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig, agent=flags) as pair,
        pair.open() as (hub, spoke),
    ):
        source = await hub.create(name, path="p", labels={"tier": "web"})
        await spoke.until_there(name)
        before = await spoke.change(name, with_status(operationState=OPERATION_STATE))
        await hub.until(name, lambda obj: "operationState" in status_of(obj), "the operation's state")

        await spoke.delete(name)
        again = await spoke.until(name, lambda obj: obj.uid != before.uid, "made again")

        assert await hub.is_there(name)
    assert (path_of(again), again.labels, source_of(again)) == ("p", {"tier": "web"}, source.uid)
    assert ("operationState" in status_of(again)) is has_state
    assert ("operation" in again.fields) is has_operation


@pytest.mark.feature("A-42")
@pytest.mark.parametrize("policy", ["recreate", "upsert"])
async def test_an_application_made_anew_at_once_ends_as_the_new_one(clusters: RealClusters, policy: str) -> None:
    name, flags = a_name("app"), [f"--source-uid-mismatch-policy={policy}"]
    async with (
        a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig, agent=flags) as pair,
        pair.open() as (hub, spoke),
    ):
        for round_number in range(5):
            await hub.create(name, path=f"old-{round_number}")
            await spoke.until_there(name)

            await hub.delete(name)
            new = await hub.create(name, path=f"new-{round_number}")
            mirror = await spoke.until(name, _mirrors(new), "the mirror of the new source")

            assert path_of(mirror) == f"new-{round_number}"
            await hub.delete(name)
            await spoke.until_gone(name)


@pytest.mark.feature("A-42", "C-10")
@pytest.mark.parametrize("policy", ["recreate", "upsert"])
async def test_an_application_made_anew_while_the_principal_was_away_ends_as_the_new_one(
    clusters: RealClusters, policy: str
) -> None:
    name, flags = a_name("app"), [f"--source-uid-mismatch-policy={policy}"]
    async with (
        a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig, agent=flags) as pair,
        pair.open() as (hub, spoke),
    ):
        await hub.create(name, path="old")
        before = await spoke.until_there(name)
        pair.principal.stop()

        await hub.delete(name)
        new = await hub.create(name, path="new")
        pair.start_principal()
        mirror = await spoke.until(name, _mirrors(new), "the mirror of the new source")

    assert path_of(mirror) == "new"
    assert (mirror.uid == before.uid) is (policy == "upsert")


@pytest.mark.feature("A-43", "C-10")
async def test_the_annotation_on_the_new_application_goes_before_the_flag_if_it_is_a_policy(
    clusters: RealClusters,
) -> None:
    values = {a_name("app"): "upsert", a_name("app"): "nonsense"}
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        for name in values:
            await hub.create(name)
        before = [await spoke.until_there(name) for name in values]
        pair.principal.stop()

        for name in values:
            await hub.delete(name)
        new = [await hub.create(name, annotations={ANNOTATION_MISMATCH_POLICY: values[name]}) for name in values]
        pair.start_principal()
        after = [await spoke.until(source.name, _mirrors(source), "the mirror of the new source") for source in new]

    assert [old.uid == mirror.uid for old, mirror in zip(before, after, strict=True)] == [True, False]


@pytest.mark.feature("A-42")
async def test_an_application_made_anew_waits_for_the_finalizers_of_the_old_mirror(clusters: RealClusters) -> None:
    name = a_name("app")
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await hub.create(name, path="old", finalizers=(FINALIZER,))
        old = await spoke.until_there(name)

        await hub.finish(name)  # as --cascade=orphan does: nobody waits for the spoke
        await hub.delete(name)
        new = await hub.create(name, path="new", finalizers=(FINALIZER,))
        ending = await spoke.until(name, lambda obj: obj.is_deleting or obj.uid != old.uid, "the old one goes")
        if ending.uid == old.uid:
            await spoke.finish(name)
        mirror = await spoke.until(name, _mirrors(new), "the mirror of the new source")

    assert (path_of(mirror), mirror.metadata.finalizers) == ("new", (FINALIZER,))
    assert mirror.uid != old.uid


@pytest.mark.feature("A-44", "C-8")
async def test_an_application_that_was_there_before_is_adopted(clusters: RealClusters) -> None:
    name = a_name("app")
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        theirs = await spoke.create(name, path="theirs")

        source = await hub.create(name, path="ours")
        adopted = await spoke.until(name, lambda obj: source_of(obj) == source.uid, "the source's UID")

    assert (adopted.uid, path_of(adopted)) == (theirs.uid, "ours")


@pytest.mark.feature("P-60", "A-44", "C-8")
async def test_an_application_that_may_not_be_adopted_stays_and_the_hub_says_so(clusters: RealClusters) -> None:
    name, flags = a_name("app"), ["--adoption-policy=never"]
    async with (
        a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig, agent=flags) as pair,
        pair.open() as (hub, spoke),
    ):
        theirs = await spoke.create(name, path="theirs")

        await hub.create(name, path="ours")
        told = await hub.until(name, lambda obj: CONDITION_AGENT_ERROR in conditions_of(obj), "the condition")

        assert await spoke.get(name) == theirs
    assert status_of(told)["health"]["status"] == "Degraded"
    assert f"Application {name} exists on the spoke without a source UID" in conditions_of(told)[CONDITION_AGENT_ERROR]
    assert pair.spoke.agent in conditions_of(told)[CONDITION_AGENT_ERROR]


@pytest.mark.feature("A-44", "C-8")
@pytest.mark.parametrize(("flag", "annotation"), [("always", "never"), ("never", "always")])
async def test_the_annotation_on_the_spokes_application_decides_about_adoption(
    clusters: RealClusters, flag: str, annotation: str
) -> None:
    name, flags = a_name("app"), [f"--adoption-policy={flag}"]
    async with (
        a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig, agent=flags) as pair,
        pair.open() as (hub, spoke),
    ):
        await spoke.create(name, path="theirs", annotations={ANNOTATION_ADOPTION_POLICY: annotation})

        source = await hub.create(name, path="ours")
        if annotation == "always":
            held = await spoke.until(name, lambda obj: source_of(obj) == source.uid, "the source's UID")
        else:
            await hub.until(name, lambda obj: CONDITION_AGENT_ERROR in conditions_of(obj), "the condition")
            held = await spoke.get(name)

    assert path_of(held) == ("ours" if annotation == "always" else "theirs")


@pytest.mark.feature("A-66", "C-9")
async def test_applications_that_were_there_before_are_not_reported_deleted_or_changed(clusters: RealClusters) -> None:
    theirs, ours = a_name("theirs"), a_name("ours")
    async with (
        a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig, agent=["--ignore-unmanaged-apps"]) as pair,
        pair.open() as (hub, spoke),
    ):
        before = await spoke.create(theirs)
        pair.agent.stop()
        pair.start_agent()

        await hub.create(ours)
        await spoke.until_there(ours)

        assert await spoke.get(theirs) == before
        assert not await hub.is_there(theirs)


@pytest.mark.feature("A-46")
async def test_a_source_whose_annotations_and_labels_are_wiped_keeps_its_mirror(clusters: RealClusters) -> None:
    name, wiped = a_name("app"), {"labels": {"tier": "web"}, "annotations": {"team": "a"}}
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        source = await hub.create(name, **wiped)
        before = await spoke.until_there(name)

        await hub.change(name, lambda obj: obj.with_metadata(labels=None, annotations=None))
        after = await spoke.until(name, lambda obj: not obj.labels, "the wipe")

    assert (after.uid, source_of(after)) == (before.uid, source.uid)
    assert before.annotations["team"] == "a"
    assert after.annotations == {key: value for key, value in before.annotations.items() if key != "team"}


@pytest.mark.feature("A-47")
async def test_a_mirror_that_names_no_principal_is_taken_over_in_place(clusters: RealClusters) -> None:
    name = a_name("app")
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        pair.agent.stop()
        theirs = await spoke.create(name, path="old", annotations={ANNOTATION_SOURCE_UID: "of-another-time"})
        source = await hub.create(name, path="new")

        pair.start_agent()
        taken = await spoke.until(name, lambda obj: source_of(obj) == source.uid, "the source's UID")

    assert (taken.uid, path_of(taken)) == (theirs.uid, "new")
    assert taken.annotations[ANNOTATION_PRINCIPAL_UID]


def _mirrors(source: Object) -> Claim:
    return lambda obj: source_of(obj) == source.uid and not obj.is_deleting
