"""Our principal with a scripted managed Go v0.9 agent: whole conversations, and what each side has at the end."""

import json

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.events import EventType
from argocd_agent.protocol.names import (
    ANNOTATION_ADOPTION_POLICY,
    ANNOTATION_PRINCIPAL_UID,
    ANNOTATION_REFRESH,
    ANNOTATION_SOURCE_UID,
    CONDITION_AGENT_ERROR,
    LABEL_IGNORE_SYNC,
)
from tests.conformance.peers.go_agent import GoAgent
from tests.conformance.peers.go_held import HOME
from tests.conformance.peers.go_objects import Json, annotations_of, go_application, revision_of, source_uid_of
from tests.conformance.peers.stage import our_principal
from tests.conformance.peers.with_go_agent import SYNCED, connected, ran, set_revision, set_status
from tests.support.objects import an_application
from tests.support.world import HUB_UID, passing


@pytest.mark.feature("P-7", "P-51")
async def test_what_is_created_here_is_there_and_says_whose_it_is() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")

        created = await stage.side.expect("one")
        notes = {ANNOTATION_SOURCE_UID: created.uid, ANNOTATION_PRINCIPAL_UID: HUB_UID}
        assert annotations_of(go.apps["one"]) == notes
        assert [event.type for event in go.end.of_ours(EventType.CREATE)] == [EventType.CREATE]


@pytest.mark.feature("P-51")
async def test_updates_labels_and_annotations_arrive() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")

        labelled = (await stage.side.expect("one")).with_metadata(labels={"tier": "gold"}, annotations={"note": "x"})
        await stage.side.update(labelled)
        await set_revision(stage, "one", "v1")
        await passing(1)

        assert revision_of(go.apps["one"]) == "v1"
        assert (go.apps["one"]["metadata"]["labels"], annotations_of(go.apps["one"])["note"]) == ({"tier": "gold"}, "x")


@pytest.mark.feature("P-56")
async def test_a_status_arrives_and_says_nothing_to_the_agent() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")
        before = len(go.end.of_ours())

        set_status(go, "one", dict(SYNCED))
        await passing(600)

        assert (await stage.side.expect("one")).look("status") == SYNCED
        assert go.end.of_ours()[before:] == []
        assert go.end.writer.is_idle


@pytest.mark.feature("P-57")
async def test_a_refresh_is_asked_for_and_done() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")

        await stage.side.update((await stage.side.expect("one")).with_annotations({ANNOTATION_REFRESH: "hard"}))
        await passing(1)
        assert annotations_of(go.apps["one"])[ANNOTATION_REFRESH] == "hard"
        go.change("one", lambda app: app["metadata"]["annotations"].pop(ANNOTATION_REFRESH))
        await passing(1)

        assert ANNOTATION_REFRESH not in (await stage.side.expect("one")).annotations
        assert ANNOTATION_REFRESH not in annotations_of(go.apps["one"])


@pytest.mark.feature("P-56", "P-58", "P-59")
async def test_an_operation_is_carried_out_and_ended_there() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")

        asked = (await stage.side.expect("one")).with_fields({"operation": encode({"sync": {"revision": "v1"}})})
        await stage.side.update(asked)
        await passing(1)
        assert go.apps["one"]["operation"] == {"sync": {"revision": "v1"}}

        def began(app: Json) -> None:
            del app["operation"]
            app["status"] = ran("Running")

        go.change("one", began)
        await passing(1)
        running = await stage.side.expect("one")
        assert ("operation" in running.fields, running.look("status")) == (False, ran("Running"))
        await stage.side.update(running.with_fields({"status": encode(ran("Terminating"))}))
        await passing(1)
        assert go.apps["one"]["status"]["operationState"]["phase"] == "Terminating"


async def test_a_status_that_left_before_the_operation_came_does_not_take_it_away() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")
        go.end.withholds = lambda event: event.type == EventType.SET_OPERATION

        asked = (await stage.side.expect("one")).with_fields({"operation": encode({"sync": {}})})
        stale = json.loads(json.dumps(go.apps["one"]))
        await stage.side.update(asked)
        go.end.writer.add(go.end.about(EventType.STATUS_UPDATE, {**stale, "status": dict(SYNCED)}))
        await passing(1)

        held = await stage.side.expect("one")
        assert (held.look("operation"), held.look("status")) == ({"sync": {}}, SYNCED)


@pytest.mark.feature("P-51")
async def test_a_plain_deletion_is_done_there() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one", "two")

        await stage.side.delete("one")
        await passing(1)

        assert set(go.apps) == {"two"}
        assert go.end.writer.is_idle


@pytest.mark.feature("P-62")
async def test_a_cascade_runs_there_before_it_is_let_go_here() -> None:
    async with our_principal() as stage:
        go = await connected(stage)
        await stage.side.create(an_application("one", finalizers=("resources-finalizer.argocd.argoproj.io",)))
        await passing(1)

        await stage.side.delete("one")
        await passing(1)
        assert go.apps["one"]["metadata"]["deletionTimestamp"]
        assert await stage.side.get("one") is not None
        go.finalized("one")
        await passing(1)

        assert await stage.side.get("one") is None
        assert go.end.writer.is_idle


async def test_what_is_deleted_and_made_anew_at_once_is_the_new_one_there() -> None:
    for seed in range(1, 8):
        async with our_principal() as stage:
            go = GoAgent(seed=seed)
            await stage.connect(go)
            await stage.side.create(an_application("one"))
            await passing(1)

            await stage.side.delete("one")
            again = await stage.side.create(an_application("one", path="again"))
            await passing(1)

            assert source_uid_of(go.apps["one"]) == again.uid
            assert go.apps["one"]["spec"]["source"]["path"] == "again"


@pytest.mark.feature("P-33")
async def test_a_deletion_does_not_wait_for_the_ack_of_an_update() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")
        go.end.withholds = lambda event: event.type == EventType.SPEC_UPDATE

        await set_revision(stage, "one", "never acked")
        await stage.side.delete("one")
        await passing(0.5)

        assert go.apps == {}
        assert [event.type for event in go.end.of_ours()][-1] == EventType.DELETE


@pytest.mark.feature("P-50")
async def test_the_label_ignore_sync_takes_it_away_there_and_gives_it_back() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")

        hidden = (await stage.side.expect("one")).with_metadata(labels={LABEL_IGNORE_SYNC: "true"})
        hidden = await stage.side.update(hidden)
        await passing(1)
        assert go.apps == {}
        await stage.side.update(hidden.with_metadata(labels=None))
        await passing(1)

        assert set(go.apps) == {"one"}


async def test_what_was_there_before_is_adopted() -> None:
    async with our_principal() as stage:
        go = await connected(stage)
        go.add(go_application("one", HOME, "local-1", 1))

        created = await stage.side.create(an_application("one", path="hub"))
        await passing(1)

        assert (go.apps["one"]["metadata"]["uid"], source_uid_of(go.apps["one"])) == ("local-1", created.uid)


@pytest.mark.feature("P-60")
async def test_what_may_not_be_adopted_there_is_shown_here() -> None:
    async with our_principal() as stage:
        go = await connected(stage)
        go.add(go_application("one", HOME, "local-1", 1, annotations={ANNOTATION_ADOPTION_POLICY: "never"}))

        await stage.side.create(an_application("one"))
        await passing(1)

        status = (await stage.side.expect("one")).look("status")
        assert status["health"] == {"status": "Degraded"}
        assert [condition["type"] for condition in status["conditions"]] == [CONDITION_AGENT_ERROR]
        assert "agent-1" in status["conditions"][0]["message"]
