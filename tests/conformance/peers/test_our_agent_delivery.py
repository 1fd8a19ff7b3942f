"""Our managed agent with a scripted Go v0.9 principal when links, processes, acks and payloads fail."""

import json
from dataclasses import replace

import pytest

from argocd_agent.codec import encode
from argocd_agent.errors import Invalid, Unavailable
from argocd_agent.protocol.events import Event, EventId, EventType, ResourceId, Target
from argocd_agent.protocol.names import (
    ANNOTATION_PRINCIPAL_UID,
    ANNOTATION_SOURCE_UID,
)
from tests.conformance.peers.failing import FailingWrites
from tests.conformance.peers.go_objects import revision_of
from tests.conformance.peers.go_principal import GoPrincipal
from tests.conformance.peers.stage import Stage, our_agent
from tests.conformance.peers.with_go_principal import SYNCED, connected, revision, write_status
from tests.support.objects import an_application
from tests.support.world import passing


@pytest.mark.feature("A-16", "A-31")
async def test_a_cut_link_is_made_up_for_though_the_reference_resyncs_nothing_then() -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one", "two", "three", echoes=False)

        await stage.hang_up()
        go.set_revision("one", "while-cut")
        go.delete("two")
        go.create("four")
        await write_status(stage, "three", SYNCED)
        await stage.connect(go)

        assert await stage.side.names() == {"one", "three", "four"}
        assert revision(await stage.side.expect("one")) == "while-cut"
        assert {name: go.apps["three"]["status"][name] for name in SYNCED} == SYNCED


@pytest.mark.feature("A-28")
async def test_duplicates_after_a_reconnect_are_acked_and_change_nothing() -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one")
        version = (await stage.side.expect("one")).version

        for event in list(go.end.said):
            if event.target is Target.APPLICATION:
                go.end.say(event)
        await passing(1)

        assert (await stage.side.expect("one")).version == version
        assert go.end.checker.owed == []


@pytest.mark.feature("A-76")
async def test_a_restart_of_the_principal_with_changes_meanwhile_is_made_up_for() -> None:
    async with our_agent() as stage:
        old = await connected(stage, "one", "two", "three", echoes=False)

        await stage.hang_up()
        apps = old.apps
        apps["one"]["spec"]["source"]["targetRevision"] = "while-down"
        del apps["three"]
        go = GoPrincipal(apps, seed=2)
        go.create("late")
        await stage.connect(go, seconds=3)

        assert await stage.side.names() == {"one", "two", "late"}
        assert revision(await stage.side.expect("one")) == "while-down"
        asked = {json.loads(event.data)["name"] for event in go.end.of_ours(EventType.REQUEST_UPDATE)}
        assert {"one", "two", "three"} <= asked
        assert go.end.writer.is_idle


@pytest.mark.feature("A-73", "C-66")
async def test_a_restart_of_ours_with_changes_meanwhile_is_made_up_for() -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one", "two", "three", echoes=False)
        await passing(1)

        await stage.stop()
        go.set_revision("one", "agent-down")
        go.delete("two")
        go.create("late")
        three = await stage.side.expect("three")
        await stage.side.update(three.with_fields({"status": encode(SYNCED)}))
        await stage.start()
        await stage.connect(go, seconds=3)

        assert await stage.side.names() == {"one", "three", "late"}
        assert revision(await stage.side.expect("one")) == "agent-down"
        assert {name: go.apps["three"]["status"][name] for name in SYNCED} == SYNCED
        assert len(go.end.of_ours(EventType.REQUEST_SYNCED_RESOURCE_LIST)) == 2


@pytest.mark.feature("A-37", "C-66")
async def test_a_restart_of_both_is_made_up_for_by_the_two_resyncs_together() -> None:
    async with our_agent() as stage:
        old = await connected(stage, "one", "two", "three", echoes=False)

        await stage.stop()
        apps = old.apps
        apps["one"]["spec"]["source"]["targetRevision"] = "both-down"
        del apps["two"]
        drifted = await stage.side.expect("three")
        spec = drifted.look("spec") | {"project": "other"}
        await stage.side.update(drifted.with_fields({"spec": encode(spec)}))
        await stage.start()
        await stage.connect(GoPrincipal(apps, seed=2), seconds=3)

        assert await stage.side.names() == {"one", "three"}
        assert revision(await stage.side.expect("one")) == "both-down"
        assert (await stage.side.expect("three")).look("spec")["project"] == "default"


async def test_a_second_connect_resyncs_nothing() -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one")
        await stage.hang_up()
        before = len(go.end.of_ours())

        await stage.connect(go)

        assert go.end.of_ours()[before:] == []


@pytest.mark.feature("A-75")
async def test_a_resync_asks_for_what_is_missing_here() -> None:
    async with our_agent() as stage:
        go = GoPrincipal()
        go.create("one")
        go.end.writer.add(replace(go.end.about(EventType.DELETE, go.apps["one"])))  # its create is never sent
        await stage.connect(go, seconds=3)

        assert await stage.side.names() == {"one"}
        assert revision(await stage.side.expect("one")) == revision_of(go.apps["one"])


async def test_a_principal_whose_hub_was_emptied_takes_its_mirrors_away_and_nothing_else() -> None:
    async with our_agent() as stage:
        await connected(stage, "one", "two")
        await stage.side.create(an_application("local"))
        await stage.hang_up()

        go = GoPrincipal(seed=2)
        await stage.connect(go, seconds=3)

        stubs = [json.loads(event.data) for event in go.end.said if event.type == EventType.DELETE]
        assert {stub["metadata"]["name"] for stub in stubs} == {"one", "two"}
        assert await stage.side.names() == {"local"}
        assert go.end.writer.is_idle


async def test_what_a_user_was_deleting_when_ours_restarted_is_made_again() -> None:
    async with our_agent() as stage:
        go = await connected(stage)
        go.create("one", finalizers=["resources-finalizer.argocd.argoproj.io"])
        await passing(1)

        await stage.side.delete("one")
        await stage.stop()
        await stage.start()
        await stage.connect(go)
        await stage.side.update((await stage.side.expect("one")).with_metadata(finalizers=None))
        await passing(60)

        assert await stage.side.names() == {"one"} == set(go.apps)


@pytest.mark.feature("A-29")
async def test_what_cannot_be_written_now_is_acked_when_it_is_and_resends_meanwhile_do_no_harm() -> None:
    async with our_agent() as stage:
        cluster = await failing(stage)
        go = await connected(stage, "one")

        cluster.error = Unavailable("the API server is down")
        go.set_revision("one", "v1")
        go.create("two")
        await passing(60)
        owed = [event for event in go.end.said if event.event_id in go.end.checker.owed]
        assert len(owed) > len({event.event_id for event in owed}) == 2
        cluster.error = None
        await passing(40)

        assert revision(await stage.side.expect("one")) == "v1"
        assert await stage.side.names() == {"one", "two"}
        assert go.end.writer.is_idle


@pytest.mark.feature("A-30")
async def test_what_the_api_server_refuses_is_acked_and_not_sent_again() -> None:
    async with our_agent() as stage:
        cluster = await failing(stage)
        go = await connected(stage, "one")

        cluster.error = Invalid("spec.project: Required value")
        go.set_revision("one", "v1")
        await passing(1)
        cluster.error = None
        before = len(go.end.said)
        await passing(200)

        assert len(go.end.said) == before
        assert go.end.writer.is_idle
        go.set_revision("one", "v2")
        await passing(1)
        assert revision(await stage.side.expect("one")) == "v2"


async def failing(stage: Stage) -> FailingWrites:
    """Our agent again, on a cluster whose writes can fail."""
    await stage.stop()
    cluster = stage.world.spoke_clusters[stage.name] = FailingWrites(stage.world.spoke_clusters[stage.name])
    await stage.start()
    return cluster


@pytest.mark.feature("A-24")
async def test_an_ack_that_is_withheld_brings_the_event_again_with_the_same_ids() -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one", echoes=False)
        before = len(go.end.of_ours(EventType.STATUS_UPDATE))
        go.end.withholds = lambda event: event.type == EventType.STATUS_UPDATE

        await write_status(stage, "one", SYNCED)
        await passing(11)

        first, again, *_ = go.end.of_ours(EventType.STATUS_UPDATE)[before:]
        assert first == again
        go.end.withholds = lambda event: False
        go.end.release()
        await passing(1)
        count = len(go.end.of_ours(EventType.STATUS_UPDATE))
        await passing(600)
        assert len(go.end.of_ours(EventType.STATUS_UPDATE)) == count


@pytest.mark.feature("A-25", "A-26")
async def test_newer_status_follows_the_late_ack_of_the_older() -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one", echoes=False)
        before = len(go.end.of_ours(EventType.STATUS_UPDATE))
        go.end.withholds = lambda event: event.type == EventType.STATUS_UPDATE
        await write_status(stage, "one", {"health": {"status": "Progressing"}})
        await write_status(stage, "one", {"health": {"status": "Degraded"}})
        await write_status(stage, "one", SYNCED)
        assert len(go.end.of_ours(EventType.STATUS_UPDATE)) == before + 1

        go.end.withholds = lambda event: False
        go.end.release()
        await passing(1)

        assert len(go.end.of_ours(EventType.STATUS_UPDATE)) == before + 2
        assert {name: go.apps["one"]["status"][name] for name in SYNCED} == SYNCED


@pytest.mark.feature("A-19")
@pytest.mark.parametrize("interval", [0.0, 20.0])
async def test_pings_go_to_a_reference_only_if_they_are_asked_for(interval: float) -> None:
    async with our_agent(heartbeat_interval_seconds=interval) as stage:
        go = GoPrincipal()
        await stage.connect(go)
        await passing(100)

        pings = [event for event in go.end.heard if event.target is Target.HEARTBEAT]
        assert len(pings) == (6 if interval else 0)
        assert all((event.data, event.sent_at) == (b"", "") for event in pings)


@pytest.mark.parametrize(
    ("target", "kind", "data"),
    [
        (Target.APPLICATION, EventType.CREATE, b'{"metadata":{"name":7}}'),
        (Target.APPLICATION, EventType.CREATE, b'{"metadata":{}}'),
        (Target.APPLICATION, EventType.SPEC_UPDATE, b"not json"),
        (Target.APPLICATION, EventType.CREATE, b""),
        (Target.APPLICATION, "io.argoproj.argocd-agent.event.unheard-of", b'{"metadata":{"name":"one"}}'),
        (Target.RESYNC, EventType.RESPONSE_SYNCED_RESOURCE, b'{"name":1}'),
        (Target.RESYNC, EventType.REQUEST_UPDATE, b"{}"),
        (Target.APPPROJECT, EventType.CREATE, b'{"metadata":{"name":"team"}}'),
        (Target.REPOSITORY, EventType.DELETE, b'{"metadata":{"name":"repo"}}'),
        (Target.GPGKEY, EventType.SPEC_UPDATE, b'{"metadata":{"name":"argocd-gpg-keys-cm"}}'),
        (Target.RESOURCE, "GET", b"{}"),
        (Target.REDIS, EventType.REDIS_REQUEST, b"{}"),
        (Target.CONTAINER_LOG, "GET", b"{}"),
        (Target.TERMINAL, EventType.TERMINAL_REQUEST, b"{}"),
        (Target.CLUSTER_CACHE_INFO, EventType.CLUSTER_CACHE_INFO_UPDATE, b"{}"),
    ],
)
async def test_what_cannot_be_carried_out_is_acked_and_the_session_lives(
    target: Target, kind: str, data: bytes
) -> None:
    async with our_agent() as stage:
        go = await connected(stage, "one")

        event = Event(target, kind, ResourceId("strange_1"), EventId("strange_1_1"), data)
        go.end.say(event)
        await passing(1)

        assert go.end.checker.owed == []
        go.set_revision("one", "after")
        await passing(1)
        assert revision(await stage.side.expect("one")) == "after"


@pytest.mark.feature("A-45", "A-104")
async def test_another_principal_takes_over_what_the_first_one_wrote() -> None:
    async with our_agent() as stage:
        await connected(stage, "one")

        other = GoPrincipal(uid="another-principal", seed=3)
        other.create("one", "others")
        await stage.connect(other, seconds=3)

        mirror = await stage.side.expect("one")
        assert (revision(mirror), mirror.annotations[ANNOTATION_PRINCIPAL_UID]) == ("others", "another-principal")
        assert mirror.annotations[ANNOTATION_SOURCE_UID] == other.apps["one"]["metadata"]["uid"]


@pytest.mark.feature("A-31")
async def test_three_hundred_statuses_stay_within_the_window() -> None:
    async with our_agent() as stage:
        names = [f"app-{number}" for number in range(300)]
        go = await connected(stage, *names, echoes=False)
        go.end.withholds = lambda event: event.type == EventType.STATUS_UPDATE

        for name in names:
            await stage.side.update((await stage.side.expect(name)).with_fields({"status": encode(SYNCED)}))
        await passing(1)
        assert go.end.checker.unacked == 128
        go.end.withholds = lambda event: False
        go.end.release()
        await passing(5)

        assert {name for name in names if go.apps[name]["status"].get("health") == SYNCED["health"]} == set(names)
