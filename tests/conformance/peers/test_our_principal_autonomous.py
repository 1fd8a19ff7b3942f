"""Our principal with a scripted autonomous Go v0.9 agent: whole conversations, and what each side has at the end.

What ours says is bounded: nothing about what the agent says; one event for a user's refresh, operation or its end; at a
connect two questions an object (it asks about its mirrors, and about what the agent lists) and one more.
"""

import random

import pytest

from argocd_agent.protocol.events import EventType, Target
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import ANNOTATION_LAST_UPDATED, ANNOTATION_REFRESH
from argocd_agent.resources.kinds import APPPROJECT
from tests.conformance.peers.everything import change, contents, find, make, remove
from tests.conformance.peers.go_autonomous import PROJECT, GoAutonomousAgent
from tests.conformance.peers.go_objects import HUB, annotations_of, go_project, revision_of
from tests.conformance.peers.stage import Stage, our_principal
from tests.conformance.peers.with_autonomous import (
    AGENT,
    HEALTHY,
    ROLES,
    due_here,
    edit,
    here,
    without_destinations,
    write,
)
from tests.support.world import passing

FINALIZER = "resources-finalizer.argocd.argoproj.io"
NOTED = {"note": "x"}


async def filled(stage: Stage, *, noted: bool = True) -> GoAutonomousAgent:
    """A Go agent that is connected, with an Application and two projects. Our hub has a `default` of its own."""
    await make(stage.cluster, APPPROJECT, go_project("default", HUB, "u", 1, description="the hub's"))
    go = GoAutonomousAgent()
    await stage.connect(go)
    go.create("one", annotations=NOTED if noted else None)
    go.project("mine", roles=ROLES, destinations=[{"name": "in-cluster", "server": "", "namespace": "x"}])
    await passing(2)
    return go


@pytest.mark.feature("P-64", "P-75")
async def test_what_is_made_there_is_shown_here() -> None:
    async with our_principal(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage)

        assert await here(stage) == due_here(go)
        assert set((await contents(stage.cluster))["AppProject"]) == {"default", "agent-1-default", "agent-1-mine"}
        mirror = await stage.side.expect("one")
        assert mirror.annotations["note"] == "x"
        assert ANNOTATION_LAST_UPDATED in mirror.annotations
        assert {event.type for event in go.end.of_ours()} <= {
            EventType.REQUEST_UPDATE,
            EventType.REQUEST_SYNCED_RESOURCE_LIST,
        }
        assert go.end.writer.is_idle


@pytest.mark.feature("P-65", "P-67")
async def test_edits_states_and_deletions_are_followed_without_a_word() -> None:
    async with our_principal(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage)
        before = len(go.end.of_ours())

        go.set_revision("one", "v1")
        go.change("one", lambda app: app.update(status=HEALTHY))
        go.change("mine", lambda project: project["spec"].update(description="d"), PROJECT)
        await passing(600)
        assert await here(stage) == due_here(go)
        go.delete("one")
        go.delete("mine", PROJECT)
        await passing(600)

        assert await here(stage) == due_here(go)
        assert len(go.end.of_ours()) == before


async def test_a_refresh_an_operation_and_its_end_go_to_the_agent() -> None:
    async with our_principal(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage)

        await stage.side.update((await stage.side.expect("one")).with_annotations({ANNOTATION_REFRESH: "hard"}))
        await passing(1)
        assert annotations_of(go.apps["one"]) == {**NOTED, ANNOTATION_REFRESH: "hard"}
        go.change("one", lambda app: app["metadata"].update(annotations=NOTED))
        await passing(1)
        assert ANNOTATION_REFRESH not in (await stage.side.expect("one")).annotations

        await write(stage, "one", operation={"sync": {"revision": "v1"}})
        await passing(1)
        assert go.apps["one"]["operation"] == {"sync": {"revision": "v1"}}
        running = {
            "operationState": {"phase": "Running", "operation": {"sync": {}}, "startedAt": "2026-01-01T00:00:00Z"}
        }
        go.change("one", lambda app: app.update(operation=None, status=running))
        await passing(1)
        assert not (await stage.side.expect("one")).look("operation")

        ending = {"operationState": {**running["operationState"], "phase": "Terminating"}}
        await write(stage, "one", status=ending)
        await passing(1)
        assert go.apps["one"]["status"]["operationState"]["phase"] == "Terminating"
        assert await here(stage) == due_here(go)


async def test_a_refresh_that_the_agent_cannot_write_does_not_hold_up_an_operation_for_ever() -> None:
    async with our_principal(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage, noted=False)
        await stage.side.update((await stage.side.expect("one")).with_annotations({ANNOTATION_REFRESH: "hard"}))
        await passing(1)

        await write(stage, "one", operation={"sync": {"revision": "v1"}})
        await passing(60)

        assert go.apps["one"]["operation"] == {"sync": {"revision": "v1"}}


@pytest.mark.feature("P-68", "P-69", "P-76")
async def test_what_the_hubs_users_change_is_put_right() -> None:
    async with our_principal(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage)
        own = dict(go.apps)

        for _ in range(2):  # with and without the link
            await edit(stage, "one", lambda spec: spec["source"].update(targetRevision="theirs"))
            await change(stage.cluster, APPPROJECT, "agent-1-mine", lambda spec: spec.update(description="theirs"))
            await passing(1)
            assert await here(stage) == due_here(go)
            await stage.side.delete("one")
            await remove(stage.cluster, APPPROJECT, "agent-1-mine")
            await passing(1)
            assert await here(stage) == due_here(go)
            await stage.hang_up()
        await stage.connect(go, seconds=5)
        assert go.apps == own


@pytest.mark.feature("P-69")
async def test_a_mirror_with_finalizers_that_a_user_deletes_comes_back() -> None:
    async with our_principal(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage)
        go.create("two", finalizers=[FINALIZER])
        await passing(1)

        await stage.side.delete("two")
        await passing(30)

        mirror = await stage.side.expect("two")
        assert not mirror.is_deleting
        assert await here(stage) == due_here(go)


@pytest.mark.feature("P-67")
async def test_a_cascade_there_is_followed_when_it_is_done() -> None:
    async with our_principal(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage)
        go.create("two", finalizers=[FINALIZER])
        await passing(1)

        go.delete("two")
        await passing(1)
        assert await stage.side.names() == {"one", "two"}
        go.finalized("two")
        await passing(1)

        assert await stage.side.names() == {"one"}


async def test_what_a_managed_agent_would_say_is_acked_and_changes_nothing() -> None:
    async with our_principal(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage)
        before = await here(stage)

        told = {**go.apps["one"], "status": {"health": {"status": "Degraded"}}}
        go.end.writer.add(go.end.about(EventType.STATUS_UPDATE, told))
        error = {"resourceName": "one", "resourceNamespace": "argocd", "message": "no"}
        go.end.writer.add(go.end.message(Target.APPLICATION, EventType.ERROR, error))
        for kind in (EventType.REQUEST_UPDATE, EventType.REQUEST_SYNCED_RESOURCE_LIST):
            asked = {"name": "one", "namespace": "argocd", "uid": "u", "kind": "Application", "checksum": None}
            go.end.writer.add(go.end.message(Target.RESYNC, kind, asked))
        await passing(2)

        assert await here(stage) == before
        assert go.end.writer.is_idle


@pytest.mark.feature("P-83", "C-66")
async def test_after_each_restart_and_cut_of_either_the_hub_shows_what_is_there_and_little_is_said() -> None:
    async with our_principal(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage)
        go.create("two")
        await passing(1)

        async def theirs_restarts() -> None:
            nonlocal go
            await stage.hang_up()
            go.apps["one"]["spec"]["source"]["targetRevision"] = "while down"
            del go.apps["two"]
            del go.projects["mine"]
            go = go.again(seed=50)

        async def cut() -> None:
            await stage.hang_up()
            go.create("three")
            go.change("one", lambda app: app.update(status=HEALTHY))
            go.project("more")

        async def ours_restarts() -> None:
            await stage.stop()
            go.delete("three")
            go.set_revision("one", "again")
            await edit(stage, "one", lambda spec: spec["source"].update(targetRevision="theirs"))
            await stage.start()

        async def cut_and_nothing_else() -> None:
            await stage.hang_up()

        async def both_restart() -> None:
            nonlocal go
            await stage.stop()
            await stage.start()
            go = go.again(seed=60)

        for interruption in (theirs_restarts, cut, ours_restarts, cut_and_nothing_else, both_restart):
            await interruption()
            before = len(go.end.of_ours())
            await stage.connect(go, seconds=10)

            # The answers of a Go agent may have lost destinations of projects.
            assert without_destinations(await here(stage)) == without_destinations(due_here(go)), interruption.__name__
            concerned = len(go.apps) + len(go.projects) + 2  # and what is gone
            assert len(go.end.of_ours()) - before <= 3 * concerned + 1, interruption.__name__
            assert go.end.writer.is_idle
        go.change("more", lambda project: project["spec"].update(description="d"), PROJECT)
        go.change("default", lambda project: project["spec"].update(description="d"), PROJECT)
        await passing(2)
        assert await here(stage) == due_here(go)


@pytest.mark.parametrize("seed", range(20))
async def test_the_hub_shows_what_is_there_at_the_end_of_a_random_conversation(seed: int) -> None:
    chance = random.Random(seed)
    async with our_principal(mode=Mode.AUTONOMOUS) as stage:
        go = GoAutonomousAgent(seed=100 + seed)
        await stage.connect(go)

        for turn in range(40):
            go = await _turn(stage, go, chance, turn)
            await passing(chance.choice([0.0, 0.05, 0.3, 2]))
        await stage.connect(go, seconds=600)
        for name in go.projects:  # what an answer of theirs has lost comes with the next edit
            go.change(name, lambda project: project["spec"].update(description="last"), PROJECT)
        await passing(30)

        assert await here(stage) == due_here(go)
        assert all(revision_of(app) != "drifted" for app in go.apps.values())
        assert go.end.writer.is_idle


async def _turn(stage: Stage, go: GoAutonomousAgent, chance: random.Random, turn: int) -> GoAutonomousAgent:
    name = chance.choice(["red", "green", "blue"])
    mirror = await stage.side.get(name)
    match chance.randrange(13):
        case 0 if name not in go.apps:
            go.create(name, f"r{turn}")
        case 1 if name in go.apps:
            go.set_revision(name, f"r{turn}")
        case 2 if name in go.apps:
            go.delete(name)
        case 3 if name in go.apps:
            go.change(name, lambda app: app.update(status={"health": {"status": "Healthy", "message": f"r{turn}"}}))
        case 4 if name not in go.projects:
            go.project(name)
        case 5 if name in go.projects:
            go.change(name, lambda project: project["spec"].update(description=f"r{turn}"), PROJECT)
        case 6 if name in go.projects:
            go.delete(name, PROJECT)
        case 7 if mirror is not None and not mirror.is_deleting:
            await edit(stage, name, lambda spec: spec["source"].update(targetRevision="drifted"))
        case 8 if mirror is not None and not mirror.is_deleting:
            await stage.side.delete(name)
        case 9 if await find(stage.cluster, APPPROJECT, f"{AGENT}-{name}") is not None:
            await remove(stage.cluster, APPPROJECT, f"{AGENT}-{name}")
        case 10:
            await stage.hang_up()
        case 11:
            await stage.stop()
            await stage.start()
            await stage.connect(go, seconds=chance.choice([0, 1]))
        case 12:
            go = go.again(seed=1000 + 100 * turn)
            await stage.connect(go, seconds=chance.choice([0, 1]))
        case _:
            if stage.line is None:
                await stage.connect(go, seconds=0.1)
    return go
