"""Our managed agent with a scripted Go v0.9 principal: whole conversations, and what each side has at the end."""

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.events import EventType, Target
from argocd_agent.protocol.names import (
    ANNOTATION_ADOPTION_POLICY,
    ANNOTATION_PRINCIPAL_UID,
    ANNOTATION_REFRESH,
    ANNOTATION_SOURCE_UID,
)
from tests.conformance.peers.go_objects import annotations_of
from tests.conformance.peers.go_principal import PRINCIPAL_UID, GoPrincipal
from tests.conformance.peers.stage import our_agent
from tests.conformance.peers.with_go_principal import SYNCED, connected, ran, revision, write_status
from tests.support.objects import an_application
from tests.support.world import passing


@pytest.mark.feature("A-32")
async def test_what_is_created_there_is_here_and_says_whose_it_is() -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one")

        mirror = await stage.side.expect("one")
        assert mirror.annotations == {
            ANNOTATION_SOURCE_UID: go.apps["one"]["metadata"]["uid"],
            ANNOTATION_PRINCIPAL_UID: PRINCIPAL_UID,
        }
        assert mirror.look("spec")["destination"] == {"name": "in-cluster", "namespace": "one"}
        assert go.end.writer.is_idle


@pytest.mark.feature("A-33")
async def test_updates_labels_and_annotations_arrive() -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one")

        go.change("one", lambda app: app["metadata"].update(labels={"tier": "gold"}, annotations={"note": "x"}))
        go.set_revision("one", "v1")
        await passing(1)

        mirror = await stage.side.expect("one")
        assert (revision(mirror), mirror.labels, mirror.annotations["note"]) == ("v1", {"tier": "gold"}, "x")


@pytest.mark.feature("A-35")
@pytest.mark.parametrize("echoes", [True, False])
async def test_a_status_arrives_and_its_echo_ends_the_matter(echoes: bool) -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one", echoes=echoes)
        await write_status(stage, "one", SYNCED)

        before = len(go.end.of_ours())
        await passing(600)

        assert {name: go.apps["one"]["status"][name] for name in SYNCED} == SYNCED
        assert len(go.end.of_ours()) == before
        assert go.end.writer.is_idle


async def test_a_refresh_is_asked_for_and_done() -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one")

        go.change("one", lambda app: app["metadata"].update(annotations={ANNOTATION_REFRESH: "normal"}))
        await passing(1)
        mirror = await stage.side.expect("one")
        assert mirror.annotations[ANNOTATION_REFRESH] == "normal"
        await stage.side.update(mirror.with_annotations({ANNOTATION_REFRESH: None}))
        await passing(1)

        assert annotations_of(go.apps["one"]) == {}
        assert ANNOTATION_REFRESH not in (await stage.side.expect("one")).annotations


async def test_an_operation_with_the_ids_of_an_update_is_carried_out_too() -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one", echoes=False)

        go.change("one", lambda app: app.update(operation={"sync": {"revision": "v1"}}))
        await passing(1)

        update, operation = [event for event in go.end.said if event.target is Target.APPLICATION][-2:]
        assert (update.resource_id, update.event_id) == (operation.resource_id, operation.event_id)
        assert (await stage.side.expect("one")).look("operation") == {"sync": {"revision": "v1"}}


@pytest.mark.feature("A-49")
async def test_an_operation_is_ended_and_its_end_is_told() -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one", echoes=False)
        await write_status(stage, "one", ran("Running"))

        go.change("one", lambda app: app["status"]["operationState"].update(phase="Terminating"))
        await passing(1)

        assert (await stage.side.expect("one")).look("status")["operationState"]["phase"] == "Terminating"
        await write_status(stage, "one", ran("Failed"))
        assert go.apps["one"]["status"]["operationState"]["phase"] == "Failed"


@pytest.mark.feature("A-40")
async def test_a_plain_deletion_deletes_and_is_not_reported() -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one", "two")

        go.delete("one")
        await passing(1)

        assert await stage.side.names() == {"two"}
        assert go.end.of_ours(EventType.DELETE) == []


@pytest.mark.feature("A-41")
async def test_a_cascade_is_reported_when_it_is_done_here() -> None:
    async with our_agent() as stage:
        go = await connected(stage)
        go.create("one", finalizers=["resources-finalizer.argocd.argoproj.io"])
        await passing(1)

        go.delete("one")
        await passing(1)
        dying = await stage.side.expect("one")
        assert dying.is_deleting
        assert "one" in go.apps
        await stage.side.update(dying.with_metadata(finalizers=None))
        await passing(1)

        assert "one" not in go.apps
        assert await stage.side.names() == set()
        assert go.end.writer.is_idle


@pytest.mark.feature("A-42")
async def test_what_is_deleted_and_made_anew_at_once_is_the_new_one_whatever_comes_first() -> None:
    for seed in range(1, 8):  # the reference sends the deletion and the creation in either order
        async with our_agent() as stage:
            go = GoPrincipal(seed=seed)
            await stage.connect(go)
            go.create("one")
            await passing(1)

            go.delete("one")
            again = go.create("one", "again")
            await passing(1)

            mirror = await stage.side.expect("one")
            assert (revision(mirror), mirror.annotations[ANNOTATION_SOURCE_UID]) == ("again", again["metadata"]["uid"])
            assert go.end.writer.is_idle


@pytest.mark.feature("A-44")
async def test_what_was_here_before_is_adopted() -> None:
    async with our_agent() as stage:
        before = await stage.side.create(an_application("one"))

        go = await connected(stage, "one")

        mirror = await stage.side.expect("one")
        assert mirror.uid == before.uid
        assert mirror.annotations[ANNOTATION_SOURCE_UID] == go.apps["one"]["metadata"]["uid"]


@pytest.mark.feature("A-44")
async def test_what_may_not_be_adopted_stays_and_the_principal_shows_why() -> None:
    async with our_agent() as stage:
        await stage.side.create(an_application("one", annotations={ANNOTATION_ADOPTION_POLICY: "never"}))

        go = await connected(stage, "one")

        assert (await stage.side.expect("one")).annotations == {ANNOTATION_ADOPTION_POLICY: "never"}
        assert go.apps["one"]["status"]["health"] == {"status": "Degraded"}
        assert [condition["type"] for condition in go.apps["one"]["status"]["conditions"]] == ["AgentError"]


@pytest.mark.feature("A-36", "A-38")
async def test_drift_is_put_right_with_and_without_the_link() -> None:
    async with our_agent() as stage:
        await connected(stage, "one", "two")

        for _ in range(2):
            drifted = await stage.side.expect("one")
            spec = drifted.look("spec") | {"project": "other"}
            await stage.side.update(drifted.with_fields({"spec": encode(spec)}))
            await stage.side.delete("two")
            await passing(1)

            assert (await stage.side.expect("one")).look("spec")["project"] == "default"
            assert await stage.side.names() == {"one", "two"}
            await stage.hang_up()


async def test_deletions_of_another_uid_are_refused_and_acked() -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one", "two")
        local = await stage.side.create(an_application("local"))

        for name, uid in (("one", "another"), ("two", ""), ("local", ""), ("local", local.uid), ("none", "u")):
            stub = {"metadata": {"name": name, "namespace": "agent-1", "uid": uid}, "spec": {}, "status": {}}
            go.end.writer.add(go.end.about(EventType.DELETE, stub, principal_uid=PRINCIPAL_UID))
        await passing(1)

        assert await stage.side.names() == {"one", "two", "local"}
        assert go.end.writer.is_idle
