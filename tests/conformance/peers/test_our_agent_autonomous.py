"""Our autonomous agent with a scripted Go v0.9 principal: whole conversations, and what each side has at the end.

What ours says is bounded: one event a change, nothing about what the hub's own writes echo, and at a connect two events
an object (it tells what it has, and answers about it) and two more.
"""

import random

import pytest

from argocd_agent.protocol.events import EventType, Target
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import ANNOTATION_REFRESH
from argocd_agent.resources.kinds import APPPROJECT
from tests.conformance.peers.everything import change, expect, find, make, remove
from tests.conformance.peers.go_mirroring import GoMirroringPrincipal
from tests.conformance.peers.go_objects import annotations_of, go_application, go_project, revision_of
from tests.conformance.peers.stage import Stage, our_agent
from tests.conformance.peers.with_autonomous import AGENT, HEALTHY, ROLES, due_there, edit, there, write
from tests.support.objects import an_application
from tests.support.world import HOME, passing

FINALIZER = "resources-finalizer.argocd.argoproj.io"


def a_project(name: str, **spec: object) -> dict[str, object]:
    return go_project(name, HOME, "u", 1, **spec)


async def filled(stage: Stage, *, echoes: bool = True) -> GoMirroringPrincipal:
    """A Go principal that is connected and shows an Application and two projects."""
    go = GoMirroringPrincipal(echoes=echoes)
    await make(stage.cluster, APPPROJECT, a_project("default"))
    await stage.connect(go)
    await stage.side.create(an_application("one"))
    await make(stage.cluster, APPPROJECT, a_project("mine", roles=ROLES, destinations=[{"name": "in-cluster"}]))
    await passing(2)
    return go


@pytest.mark.feature("A-51", "A-57")
async def test_what_is_made_here_is_shown_there() -> None:
    async with our_agent(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage)

        assert there(go) == await due_there(stage)
        assert go.projects["agent-1-mine"]["spec"]["roles"][0]["policies"] == [
            "p, proj:agent-1-mine:dev, applications, get, agent-1-mine/agent-1/*, allow"
        ]
        assert go.end.writer.is_idle


@pytest.mark.parametrize("echoes", [True, False])
@pytest.mark.feature("A-51", "A-57")
async def test_edits_states_and_deletions_follow_and_cost_one_event_each(echoes: bool) -> None:
    async with our_agent(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage, echoes=echoes)
        before = len(go.end.of_ours())

        await edit(stage, "one", lambda spec: spec["source"].update(targetRevision="v1"))
        await passing(2)
        await write(stage, "one", status=HEALTHY)
        await change(stage.cluster, APPPROJECT, "mine", lambda spec: spec.update(description="d"))
        await passing(600)

        assert there(go) == await due_there(stage)
        assert len(go.end.of_ours()) - before == 3
        await stage.side.delete("one")
        await remove(stage.cluster, APPPROJECT, "mine")
        await passing(600)
        assert there(go) == await due_there(stage)
        assert len(go.end.of_ours()) - before == 5


@pytest.mark.feature("A-53", "A-54")
async def test_a_refresh_an_operation_and_its_end_come_from_the_hub() -> None:
    async with our_agent(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage, echoes=False)

        go.edit("one", lambda app: app["metadata"]["annotations"].update({ANNOTATION_REFRESH: "hard"}))
        await passing(1)
        assert (await stage.side.expect("one")).annotations == {ANNOTATION_REFRESH: "hard"}
        await stage.side.update((await stage.side.expect("one")).with_annotations({ANNOTATION_REFRESH: None}))
        await passing(1)
        assert ANNOTATION_REFRESH not in annotations_of(go.apps["one"])

        go.edit("one", lambda app: app.update(operation={"sync": {"revision": "v1"}}))
        await passing(1)
        assert (await stage.side.expect("one")).look("operation") == {"sync": {"revision": "v1"}}
        running = {
            "operationState": {"phase": "Running", "operation": {"sync": {}}, "startedAt": "2026-01-01T00:00:00Z"}
        }
        await write(stage, "one", operation=None, status=running)
        await passing(1)
        assert "operation" not in go.apps["one"]

        go.edit("one", lambda app: app["status"]["operationState"].update(phase="Terminating"))
        await passing(1)
        assert (await stage.side.expect("one")).look("status")["operationState"]["phase"] == "Terminating"
        assert there(go) == await due_there(stage)


@pytest.mark.feature("A-52")
async def test_the_hubs_users_change_nothing_here() -> None:
    async with our_agent(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage)
        own = await stage.side.expect("one")

        go.edit("one", lambda app: app["spec"]["source"].update(targetRevision="theirs"))
        go.edit("one", lambda app: app["metadata"].update(labels={"theirs": "x"}))
        go.remove("one")
        go.edit_project("agent-1-mine", lambda project: project["spec"].update(description="theirs"))
        go.remove_project("agent-1-mine")
        await passing(2)

        assert await stage.side.expect("one") == own
        assert there(go) == await due_there(stage)


@pytest.mark.feature("A-52", "A-55")
async def test_what_no_hub_may_say_is_acked_and_changes_nothing() -> None:
    async with our_agent(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage)
        own, project = await stage.side.expect("one"), await expect(stage.cluster, APPPROJECT, "mine")
        before = len(go.end.of_ours())

        mirror = go.apps["one"]
        for kind in (EventType.CREATE, EventType.DELETE, EventType.STATUS_UPDATE):
            go.end.writer.add(go.end.about(kind, mirror, principal_uid=go.uid))
        go.end.writer.add(go.end.about(EventType.CREATE, go_application("new", AGENT, "u", 1)))
        for kind in (EventType.CREATE, EventType.SPEC_UPDATE, EventType.DELETE):
            other = a_project("mine", description=kind)
            go.end.writer.add(go.end.about(kind, other, Target.APPPROJECT))
            go.end.writer.add(go.end.about(kind, a_project(f"n{kind[-6:]}"), Target.APPPROJECT))
        await passing(2)

        assert await stage.side.expect("one") == own
        assert await expect(stage.cluster, APPPROJECT, "mine") == project
        assert (await stage.side.names(), len(go.end.of_ours()) - before) == ({"one"}, 0)
        assert go.end.writer.is_idle


async def test_a_cascade_here_is_followed_when_it_is_done() -> None:
    async with our_agent(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage)
        await stage.side.create(an_application("two", finalizers=(FINALIZER,)))
        await passing(1)

        await stage.side.delete("two")
        await passing(1)
        assert "two" in go.apps
        await stage.side.update((await stage.side.expect("two")).with_metadata(finalizers=None))
        await passing(1)

        assert there(go) == await due_there(stage)


async def test_a_project_keeps_its_destinations_when_the_principal_starts_again() -> None:
    async with our_agent(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage)

        go = go.again(seed=5)
        await stage.connect(go, seconds=5)

        assert go.projects["agent-1-mine"]["spec"]["destinations"] == [{"name": AGENT, "server": "*"}]
        assert there(go) == await due_there(stage)


@pytest.mark.feature("A-74", "A-77", "A-78", "C-66")
async def test_after_each_restart_and_cut_of_either_the_hub_shows_what_is_here_and_little_is_said() -> None:
    async with our_agent(mode=Mode.AUTONOMOUS) as stage:
        go = await filled(stage)
        await stage.side.create(an_application("two"))
        await passing(1)

        async def ours_restarts() -> None:
            await stage.stop()
            await edit(stage, "one", lambda spec: spec["source"].update(targetRevision="while down"))
            await change(stage.cluster, APPPROJECT, "mine", lambda spec: spec.update(description="while down"))
            await stage.side.delete("two")
            await stage.start()

        async def cut() -> None:
            await stage.hang_up()
            await stage.side.create(an_application("three"))
            await write(stage, "one", status=HEALTHY)
            await remove(stage.cluster, APPPROJECT, "mine")

        async def theirs_restarts() -> None:
            nonlocal go
            await stage.hang_up()
            await stage.side.delete("three")
            await edit(stage, "one", lambda spec: spec["source"].update(targetRevision="again"))
            go = go.again(seed=50)

        async def cut_and_nothing_else() -> None:
            await stage.hang_up()

        async def both_restart() -> None:
            nonlocal go
            await stage.stop()
            await stage.start()
            go = go.again(seed=60)

        for interruption in (ours_restarts, cut, theirs_restarts, cut_and_nothing_else, both_restart):
            await interruption()
            before = len(go.end.of_ours())
            await stage.connect(go, seconds=10)

            assert there(go) == await due_there(stage)
            held = len(go.apps) + len(go.mirrored_projects) + 1  # and one that is gone
            assert len(go.end.of_ours()) - before <= 2 * held + 2, interruption.__name__
            assert go.end.writer.is_idle


@pytest.mark.parametrize("seed", range(20))
async def test_the_hub_shows_what_is_here_at_the_end_of_a_random_conversation(seed: int) -> None:
    chance = random.Random(seed)
    async with our_agent(mode=Mode.AUTONOMOUS) as stage:
        go = GoMirroringPrincipal(seed=100 + seed, echoes=bool(seed % 2))
        await stage.connect(go)

        for turn in range(40):
            go = await _turn(stage, go, chance, turn)
            await passing(chance.choice([0.0, 0.05, 0.3, 2]))
        await stage.connect(go, seconds=300)
        for name in await stage.side.names():  # what a new process of theirs never heard of, it hears of now
            await write(stage, name, status={"health": {"status": "Healthy", "message": "last"}})
        await passing(300)

        assert there(go) == await due_there(stage)
        assert all(revision_of(app) != "drifted" for app in go.apps.values())
        assert go.end.writer.is_idle


async def _turn(stage: Stage, go: GoMirroringPrincipal, chance: random.Random, turn: int) -> GoMirroringPrincipal:
    name = chance.choice(["red", "green", "blue"])
    own, project = await stage.side.get(name), await find(stage.cluster, APPPROJECT, name)
    # A Go principal that starts again no longer knows of projects: their end, and news of old ones, must be heard.
    is_heard = stage.line is not None
    match chance.randrange(12):
        case 0 if own is None:
            await stage.side.create(an_application(name))
        case 1 if own is not None:
            await edit(stage, name, lambda spec: spec["source"].update(targetRevision=f"r{turn}"))
        case 2 if own is not None:
            await stage.side.delete(name)
        case 3 if own is not None:
            await write(stage, name, status={"health": {"status": "Healthy", "message": f"turn {turn}"}})
        case 4 if project is None:
            await make(stage.cluster, APPPROJECT, a_project(name))
        case 5 if project is not None:
            await change(stage.cluster, APPPROJECT, name, lambda spec: spec.update(description=f"r{turn}"))
        case 6 if project is not None and is_heard:
            await passing(30)
            await remove(stage.cluster, APPPROJECT, name)
            await passing(5)
        case 7 if name in go.apps:
            go.edit(name, lambda app: app["spec"]["source"].update(targetRevision="drifted"))
        case 8 if name in go.apps:
            go.remove(name)
        case 9:
            await stage.hang_up()
        case 10:
            await stage.stop()
            await stage.start()
            await stage.connect(go, seconds=chance.choice([0, 1]))
        case 11:
            go = go.again(seed=1000 + 100 * turn)
            await stage.connect(go, seconds=chance.choice([0, 1]))
        case _:
            if stage.line is None:
                await stage.connect(go, seconds=0.1)
    return go
