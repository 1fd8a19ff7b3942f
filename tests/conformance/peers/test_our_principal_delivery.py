"""Our principal with a scripted managed Go v0.9 agent when links, processes, acks and payloads fail."""

import json
from dataclasses import replace

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.events import Event, EventId, EventType, ResourceId, Target
from argocd_agent.protocol.names import (
    ANNOTATION_SOURCE_UID,
)
from argocd_agent.telemetry.exposition import Registry
from argocd_agent.telemetry.metrics import principal_metrics
from tests.conformance.peers.go_agent import GoAgent
from tests.conformance.peers.go_held import HOME
from tests.conformance.peers.go_objects import go_application, revision_of
from tests.conformance.peers.stage import Stage, our_principal
from tests.conformance.peers.with_go_agent import SYNCED, connected, set_revision, set_status
from tests.support.objects import an_application
from tests.support.world import HUB_UID, passing


async def test_a_cut_link_is_made_up_for() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one", "two", "three")

        await stage.hang_up()
        await set_revision(stage, "one", "while-cut")
        await stage.side.delete("two")
        await stage.side.create(an_application("four"))
        set_status(go, "three", dict(SYNCED))
        await stage.connect(go)

        assert set(go.apps) == {"one", "three", "four"}
        assert revision_of(go.apps["one"]) == "while-cut"
        assert (await stage.side.expect("three")).look("status") == SYNCED


async def with_metrics(stage: Stage) -> Registry:
    """Start our principal again, with metrics that are kept: where they are found."""
    await stage.stop()
    stage.world.metrics, registry = principal_metrics("1")
    await stage.start()
    return registry


@pytest.mark.feature("P-82", "C-66")
async def test_a_restart_of_ours_with_changes_meanwhile_is_made_up_for() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one", "two", "three")

        await stage.stop()
        await set_revision(stage, "one", "while-down")
        await stage.side.delete("two")
        await stage.side.create(an_application("late"))
        set_status(go, "three", dict(SYNCED))
        await stage.start()
        await stage.connect(go, seconds=3)

        assert set(go.apps) == {"one", "three", "late"}
        assert revision_of(go.apps["one"]) == "while-down"
        assert (await stage.side.expect("three")).look("status") == SYNCED
        assert len(go.end.of_ours(EventType.REQUEST_RESOURCE_RESYNC)) == 2
        assert go.end.writer.is_idle


@pytest.mark.feature("P-84")
async def test_a_restart_of_the_agent_with_changes_meanwhile_is_made_up_for() -> None:
    async with our_principal() as stage:
        old = await connected(stage, "one", "two", "three")

        await stage.hang_up()
        await set_revision(stage, "one", "agent-down")
        await stage.side.delete("two")
        await stage.side.create(an_application("late"))
        old.apps["three"]["spec"]["project"] = "drifted"
        go = GoAgent(old.apps, seed=2)
        await stage.connect(go, seconds=3)

        assert set(go.apps) == {"one", "three", "late"}
        assert revision_of(go.apps["one"]) == "agent-down"
        assert go.apps["three"]["spec"]["project"] == "default"
        listed = {json.loads(event.data)["name"] for event in go.end.of_ours(EventType.RESPONSE_SYNCED_RESOURCE)}
        assert listed == {"one", "three", "late"}


async def test_a_restart_of_both_is_made_up_for_by_the_two_resyncs_together() -> None:
    async with our_principal() as stage:
        old = await connected(stage, "one", "two", "three")

        await stage.stop()
        await set_revision(stage, "one", "both-down")
        await stage.side.delete("two")
        old.apps["three"]["spec"]["project"] = "drifted"
        await stage.start()
        go = GoAgent(old.apps, seed=2)
        await stage.connect(go, seconds=3)

        assert set(go.apps) == {"one", "three"}
        assert revision_of(go.apps["one"]) == "both-down"
        assert go.apps["three"]["spec"]["project"] == "default"


async def test_an_operation_asked_for_while_ours_was_down_runs_there() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")

        await stage.stop()
        asked = (await stage.side.expect("one")).with_fields({"operation": encode({"sync": {}})})
        await stage.side.update(asked)
        await stage.start()
        await stage.connect(go, seconds=3)

        assert go.apps["one"]["operation"] == {"sync": {}}
        assert (await stage.side.expect("one")).look("operation") == {"sync": {}}


@pytest.mark.feature("P-31")
async def test_an_unacked_create_comes_again_after_five_to_ten_seconds_with_the_same_ids() -> None:
    async with our_principal() as stage:
        go = await connected(stage)
        go.end.withholds = lambda event: event.type == EventType.CREATE

        await stage.side.create(an_application("one"))
        await passing(4.9)
        assert len(go.end.of_ours(EventType.CREATE)) == 1
        await passing(6)

        first, again, *_ = go.end.of_ours(EventType.CREATE)
        assert first == again


@pytest.mark.feature("C-67")
async def test_what_comes_again_is_counted() -> None:
    async with our_principal() as stage:
        registry = await with_metrics(stage)
        go = await connected(stage)
        go.end.withholds = lambda event: event.type == EventType.CREATE

        await stage.side.create(an_application("one"))
        await passing(11)

        again = len(go.end.of_ours(EventType.CREATE)) - 1
        line = f'argocd_principal_workqueue_retries_total{{queue="agent-1-send"}} {again}'
        assert line in registry.render().decode().splitlines()


@pytest.mark.feature("P-32")
async def test_newer_state_takes_the_place_of_what_the_agent_never_acks() -> None:
    async with our_principal() as stage:  # a Go agent acks nothing that its API server calls invalid
        go = await connected(stage, "one")
        go.end.withholds = lambda event: b"invalid" in event.data

        await set_revision(stage, "one", "invalid")
        await passing(1)
        await set_revision(stage, "one", "good")
        await passing(11)

        assert revision_of(go.apps["one"]) == "good"
        assert go.end.checker.unacked == 0


async def test_a_late_ack_is_ignored() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")
        go.end.withholds = lambda event: event.type == EventType.SPEC_UPDATE
        await set_revision(stage, "one", "v1")
        await passing(1)
        await set_revision(stage, "one", "v2")
        await passing(11)

        go.end.withholds = lambda event: False
        go.end.release()
        await passing(1)
        count = len(go.end.of_ours())
        await passing(600)

        assert revision_of(go.apps["one"]) == "v2"
        assert len(go.end.of_ours()) == count


@pytest.mark.feature("P-34")
async def test_one_silent_object_holds_up_no_other() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "silent", "one")
        go.end.withholds = lambda event: b'"silent"' in event.data

        await set_revision(stage, "silent", "v1")
        await set_revision(stage, "one", "v1")
        await passing(0.5)
        await set_revision(stage, "one", "v2")
        await passing(0.5)

        assert revision_of(go.apps["one"]) == "v2"


@pytest.mark.feature("P-35")
async def test_three_hundred_creations_stay_within_the_window_and_all_arrive() -> None:
    async with our_principal() as stage:
        go = await connected(stage)
        go.end.withholds = lambda event: event.type == EventType.CREATE

        for number in range(300):
            await stage.side.create(an_application(f"app-{number}"))
        await passing(1)
        assert go.end.checker.unacked == 128
        go.end.withholds = lambda event: False
        go.end.release()
        await passing(5)

        assert len(go.apps) == 300


@pytest.mark.feature("P-29", "P-86")
async def test_pings_and_statistics_are_acked_and_no_ping_goes_to_a_reference() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")

        info = {"applicationsCount": 0, "apisCount": 56, "resourcesCount": 243}
        go.end.writer.add(go.end.message(Target.HEARTBEAT, EventType.PING, None))
        go.end.writer.add(go.end.message(Target.CLUSTER_CACHE_INFO, EventType.CLUSTER_CACHE_INFO_UPDATE, info))
        await passing(100)

        assert go.end.checker.owed == []
        assert all(event.target is not Target.HEARTBEAT for event in go.end.heard)


@pytest.mark.feature("P-29")
async def test_duplicates_after_a_reconnect_are_acked_and_change_nothing() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")
        set_status(go, "one", dict(SYNCED))
        await passing(1)
        version = (await stage.side.expect("one")).version

        for event in [event for event in go.end.said if event.type == EventType.STATUS_UPDATE]:
            go.end.say(event)
        await passing(1)

        assert (await stage.side.expect("one")).version == version
        assert go.end.checker.owed == []


@pytest.mark.feature("P-61", "C-67")
@pytest.mark.parametrize(("kind", "status"), [(EventType.CREATE, "discarded"), (EventType.SPEC_UPDATE, "refused")])
async def test_what_an_agent_may_not_send_is_acked_and_counted(kind: str, status: str) -> None:
    async with our_principal() as stage:
        registry = await with_metrics(stage)
        go = await connected(stage, "one")
        before = await stage.side.expect("one")

        data = b'{"metadata":{"name":"one"},"spec":{}}'
        go.end.say(Event(Target.APPLICATION, kind, ResourceId("one_1"), EventId("one_1_1"), data))
        await passing(1)

        assert go.end.checker.owed == []
        assert await stage.side.expect("one") == before
        counts = [line for line in registry.render().decode().splitlines() if f'status="{status}"' in line]
        assert [line for line in counts if "_count{" in line and line.endswith(" 1")], counts


@pytest.mark.feature("P-61", "P-63")
@pytest.mark.parametrize(
    ("target", "kind", "data"),
    [
        (Target.APPLICATION, EventType.STATUS_UPDATE, b'{"metadata":{"name":7}}'),
        (Target.APPLICATION, EventType.STATUS_UPDATE, b'{"metadata":{}}'),
        (Target.APPLICATION, EventType.STATUS_UPDATE, b"not json"),
        (Target.APPLICATION, EventType.STATUS_UPDATE, b'{"metadata":{"name":"unheard-of"}}'),
        (Target.APPLICATION, EventType.CREATE, b'{"metadata":{"name":"one"},"spec":{}}'),
        (Target.APPLICATION, EventType.SPEC_UPDATE, b'{"metadata":{"name":"one"},"spec":{}}'),
        (Target.APPLICATION, EventType.DELETE, b'{"metadata":{"name":"one"}}'),
        (Target.APPLICATION, EventType.ERROR, b'{"resourceName":7}'),
        (Target.APPLICATION, EventType.ERROR, b'{"resourceName":"x","resourceNamespace":"y","message":"z"}'),
        (Target.RESYNC, EventType.REQUEST_UPDATE, b'{"name":"one"}'),
        (Target.RESYNC, EventType.REQUEST_UPDATE, b'{"name":"repo","uid":"u","kind":"Repository","checksum":null}'),
        (Target.RESYNC, EventType.RESPONSE_SYNCED_RESOURCE, b'{"name":"one","uid":"u","kind":"Application"}'),
        (Target.RESYNC, EventType.REQUEST_RESOURCE_RESYNC, b"{}"),
        (Target.APPPROJECT, EventType.CREATE, b'{"metadata":{"name":"team"}}'),
        (Target.RESOURCE, EventType.RESPONSE, b"{}"),
        (Target.REDIS, EventType.REDIS_RESPONSE, b"{}"),
        (Target.APPLICATIONSET, EventType.CREATE, b'{"metadata":{"name":"set"}}'),
    ],
)
async def test_what_cannot_be_carried_out_is_acked_and_the_session_lives(
    target: Target, kind: str, data: bytes
) -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")
        before = await stage.side.expect("one")

        go.end.say(Event(target, kind, ResourceId("strange_1"), EventId("strange_1_1"), data))
        await passing(1)

        assert go.end.checker.owed == []
        assert await stage.side.expect("one") == before
        await set_revision(stage, "one", "after")
        await passing(1)
        assert revision_of(go.apps["one"]) == "after"


@pytest.mark.feature("P-31")
async def test_a_second_stream_of_the_same_agent_takes_over_what_the_first_had_unacked() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")
        go.end.withholds = lambda event: event.type == EventType.SPEC_UPDATE
        await set_revision(stage, "one", "v1")
        await passing(0.5)
        first = go.end.of_ours(EventType.SPEC_UPDATE)

        await stage.connect(go)

        assert go.end.of_ours(EventType.SPEC_UPDATE) == [*first, *first]
        go.end.withholds = lambda event: False
        await set_revision(stage, "one", "v2")
        go.end.release()
        await passing(11)
        assert revision_of(go.apps["one"]) == "v2"


async def test_an_agent_that_lost_its_cluster_gets_everything_again() -> None:
    async with our_principal() as stage:
        await connected(stage, "one", "two")
        await stage.hang_up()

        go = GoAgent(seed=2)
        await stage.connect(go, seconds=3)

        assert set(go.apps) == {"one", "two"}


@pytest.mark.feature("P-85")
async def test_a_stub_deletion_carries_the_uid_that_was_asked_about() -> None:
    async with our_principal() as stage:
        go = await connected(stage)
        orphan = go_application("orphan", HOME, "local-1", 1, annotations={ANNOTATION_SOURCE_UID: "gone-1"})
        await stage.hang_up()

        go = GoAgent({"orphan": orphan}, seed=2)
        await stage.connect(go, seconds=3)

        (deletion,) = go.end.of_ours(EventType.DELETE)
        assert (deletion.resource_id, deletion.principal_uid) == ("orphan_gone-1", HUB_UID)
        assert go.apps == {}


@pytest.mark.feature("P-85")
async def test_an_answer_to_a_request_is_what_the_hub_has_now() -> None:
    async with our_principal() as stage:
        go = await connected(stage, "one")
        before = len(go.end.of_ours())
        request = {"name": "one", "namespace": "agent-1", "uid": "", "kind": "Application", "checksum": None}

        go.end.writer.add(go.end.message(Target.RESYNC, EventType.REQUEST_UPDATE, request))
        go.end.writer.add(replace(go.end.message(Target.RESYNC, EventType.REQUEST_UPDATE, request)))
        await passing(1)

        answers = go.end.of_ours()[before:]
        assert {event.type for event in answers} == {EventType.SPEC_UPDATE}
        assert {json.loads(event.data)["metadata"]["uid"] for event in answers} == {
            (await stage.side.expect("one")).uid
        }
