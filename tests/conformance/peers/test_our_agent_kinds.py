"""Our managed agent with a scripted Go v0.9 principal: projects, repositories, keys, and mapping by destination.

What ours says is bounded: of these kinds one ack an event and nothing else; at a connect one list and, for each object
of the hub's that it holds, one request-update, and once more when the principal asks for them.
"""

import random
from collections.abc import Callable

import pytest

from argocd_agent.protocol.events import EventType, Target
from argocd_agent.protocol.names import (
    ANNOTATION_NAMESPACE_REMAPPED,
    ANNOTATION_SOURCE_UID,
    CONFIGMAP_GPG_KEYS,
    LABEL_IGNORE_SYNC,
)
from argocd_agent.resources.kinds import APPPROJECT, GPGKEY, KINDS, REPOSITORY
from tests.conformance.peers.everything import change, contents, due, expect, find, make, remove
from tests.conformance.peers.go_objects import Json, go_keys, go_project, go_repository
from tests.conformance.peers.go_principal import GoPrincipal
from tests.conformance.peers.go_shared import KEYS, PROJECT
from tests.conformance.peers.go_shared import REPOSITORY as REPOSITORIES
from tests.conformance.peers.stage import Stage, our_agent
from tests.support.world import HOME, passing

AGENT = "agent-1"
OTHERS = [{"name": "agent-2", "namespace": "*"}]
MINE = [{"name": AGENT, "namespace": "x"}, *OTHERS]


async def filled(stage: Stage) -> GoPrincipal:
    """A Go principal that is connected, with one object of every kind."""
    go = GoPrincipal()
    await stage.connect(go)
    go.create("one")
    go.shared.project("team", destinations=MINE, roles=[{"name": "dev", "policies": []}])
    go.shared.repository("repo", "team", username="u", password="secret")
    go.shared.repository("creds", "team", sort="repo-creds")
    go.shared.key(key="text")
    await passing(2)
    return go


async def agrees(stage: Stage, go: GoPrincipal) -> None:
    """Assert that every kind is as the hub has it for this agent, and that it says whose it is."""
    assert await contents(stage.cluster) == due(go.shared.objects, AGENT)
    assert await stage.side.names() == set(go.apps)
    for kind in (APPPROJECT, REPOSITORY, GPGKEY):
        for name in await _names(stage, kind.name):
            uid = go.shared.objects[kind.name][name]["metadata"]["uid"]
            assert (await expect(stage.cluster, kind, name)).annotations[ANNOTATION_SOURCE_UID] == uid


async def _names(stage: Stage, kind: str) -> set[str]:
    return set((await contents(stage.cluster))[kind])


def _for(destinations: list[dict[str, str]]) -> Callable[[Json], None]:
    return lambda obj: obj["spec"].update(destinations=destinations)


def _labelled(labels: dict[str, str]) -> Callable[[Json], None]:
    return lambda obj: obj["metadata"].update(labels=labels)


def bound(held: int) -> int:
    """How many events ours may say at a connect when it holds *held* objects of the hub's."""
    return 1 + 2 * held


@pytest.mark.feature("A-56", "A-58", "C-25")
async def test_every_kind_arrives_as_this_agents_edition() -> None:
    async with our_agent() as stage:
        go = await filled(stage)

        await agrees(stage, go)
        team = (await expect(stage.cluster, APPPROJECT, "team")).look("spec")
        here = {"name": "in-cluster", "server": "https://kubernetes.default.svc", "namespace": "x"}
        assert (team["destinations"], team.get("roles")) == ([here], None)
        assert {event.target for event in go.end.of_ours()} <= {Target.RESYNC, Target.APPLICATION}


@pytest.mark.feature("A-56", "A-58", "A-62")
async def test_changes_and_deletions_of_every_kind_follow() -> None:
    async with our_agent() as stage:
        go = await filled(stage)

        go.shared.change(PROJECT, "team", lambda obj: obj["spec"].update(description="d"))
        go.shared.change(REPOSITORIES, "repo", lambda obj: obj["data"].update(username="dg=="))
        go.shared.key(key="text", other="more")
        await passing(2)
        await agrees(stage, go)

        go.shared.take(KEYS, CONFIGMAP_GPG_KEYS)
        go.shared.take(REPOSITORIES, "creds")
        go.shared.take(PROJECT, "team")
        await passing(2)
        await agrees(stage, go)
        assert await _names(stage, REPOSITORIES) == set()


async def test_an_agent_that_leaves_a_project_loses_what_belongs_to_it_and_gets_it_back() -> None:
    async with our_agent() as stage:
        go = await filled(stage)

        for destinations in (OTHERS, MINE, [{"name": "!agent-*"}], MINE):
            go.shared.change(PROJECT, "team", _for(destinations))
            await passing(2)
            await agrees(stage, go)


@pytest.mark.feature("C-15")
async def test_the_label_hides_every_kind_and_its_removal_shows_it() -> None:
    async with our_agent() as stage:
        go = await filled(stage)

        for labels in ({LABEL_IGNORE_SYNC: "true"}, {}):
            for kind, name in ((PROJECT, "team"), (KEYS, CONFIGMAP_GPG_KEYS)):
                go.shared.change(kind, name, _labelled(labels))
            await passing(2)
            await agrees(stage, go)


@pytest.mark.feature("A-56", "A-58", "A-62", "C-31")
async def test_drift_of_every_kind_is_put_right_without_a_word() -> None:
    async with our_agent() as stage:
        go = await filled(stage)
        before = len(go.end.of_ours())

        await change(stage.cluster, APPPROJECT, "team", lambda spec: spec.update(description="drifted"))
        await change(stage.cluster, REPOSITORY, "repo", lambda data: data.update(username="ZHJpZnQ="))
        await change(stage.cluster, GPGKEY, CONFIGMAP_GPG_KEYS, lambda data: data.clear())
        await passing(2)
        await agrees(stage, go)
        for kind, name in ((APPPROJECT, "team"), (REPOSITORY, "repo"), (GPGKEY, CONFIGMAP_GPG_KEYS)):
            await remove(stage.cluster, kind, name)
        await passing(600)

        await agrees(stage, go)
        assert len(go.end.of_ours()) == before


@pytest.mark.feature("A-62")
async def test_what_argo_cd_makes_itself_is_adopted_in_place_and_a_strangers_secret_is_left_alone() -> None:
    async with our_agent() as stage:
        default = await make(stage.cluster, APPPROJECT, go_project("default", HOME, "u", 1, description="stock"))
        keys = await make(stage.cluster, GPGKEY, go_keys(HOME, "u", 1, mine="x"))
        theirs = await make(
            stage.cluster, REPOSITORY, go_repository("repo", HOME, "u", 1, project="team", password="p")
        )

        await filled(stage)

        assert (await expect(stage.cluster, APPPROJECT, "default")).uid == default.uid
        adopted = await expect(stage.cluster, GPGKEY, CONFIGMAP_GPG_KEYS)
        assert (adopted.uid, adopted.look("data")) == (keys.uid, {"key": "text"})
        assert await find(stage.cluster, REPOSITORY, "repo") == theirs


async def test_what_is_made_anew_at_once_is_the_new_one_whatever_comes_first() -> None:
    for seed in range(1, 8):  # the reference sends the deletion and the creation in either order
        async with our_agent() as stage:
            go = GoPrincipal(seed=seed)
            await stage.connect(go)
            go.shared.project("team", destinations=MINE)
            await passing(1)

            go.shared.take(PROJECT, "team")
            go.shared.project("team", destinations=MINE, description="again")
            await passing(2)

            await agrees(stage, go)
            assert go.end.writer.is_idle


@pytest.mark.feature("A-76", "C-66")
async def test_after_each_restart_and_cut_of_either_every_kind_is_equal_and_little_is_said() -> None:
    async with our_agent() as stage:
        go = await filled(stage)

        async def ours_restarts() -> None:
            await stage.stop()
            await change(stage.cluster, APPPROJECT, "team", lambda spec: spec.update(description="edited while down"))
            await remove(stage.cluster, GPGKEY, CONFIGMAP_GPG_KEYS)
            await stage.start()

        async def theirs_restarts() -> None:
            nonlocal go
            await stage.hang_up()
            spec = go.shared.objects[PROJECT]["team"]["spec"]
            spec["description"] = "changed while down"
            del go.shared.objects[KEYS][CONFIGMAP_GPG_KEYS]
            go = go.again(seed=50)

        async def cut() -> None:
            await stage.hang_up()
            go.shared.key(key="while cut")
            go.shared.take(REPOSITORIES, "creds")

        async def cut_and_nothing_else() -> None:
            await stage.hang_up()

        async def ours_restarts_and_nothing_else() -> None:
            await stage.stop()
            await stage.start()

        turns = (ours_restarts, cut, theirs_restarts, cut_and_nothing_else, ours_restarts_and_nothing_else)
        for interruption in turns:
            await interruption()
            before = len(go.end.of_ours())
            await stage.connect(go, seconds=10)

            await agrees(stage, go)
            held = len(go.apps) + sum(map(len, (await contents(stage.cluster)).values()))
            assert len(go.end.of_ours()) - before <= bound(held), interruption.__name__
            assert go.end.writer.is_idle


@pytest.mark.feature("A-67")
async def test_by_destination_namespaces_are_kept_but_for_the_principals_own() -> None:
    async with our_agent(destination_based_mapping=True, allowed_namespaces=("team-*",), spaces=("team-a",)) as stage:
        go = GoPrincipal(by_destination=True, agent_namespace=HOME, echoes=False)
        await stage.connect(go)
        go.create("one")
        go.create("two", namespace="team-a")
        go.create("three", namespace="elsewhere")
        await passing(2)

        mirror = await stage.side.expect("one")
        assert mirror.annotations[ANNOTATION_NAMESPACE_REMAPPED] == "true"
        kept = await stage.cluster.get(KINDS[0].api, "team-a", "two")
        assert ANNOTATION_NAMESPACE_REMAPPED not in kept.annotations
        await stage.side.update(mirror.with_fields({"status": b'{"health": {"status": "Healthy"}}'}))
        await passing(1)
        assert go.apps["argocd-principal/one"]["status"]["health"] == {"status": "Healthy"}

        go.move("argocd-principal/one", "agent-2")
        await passing(1)
        assert await stage.side.names() == set()
        go.move("argocd-principal/one", AGENT)
        await passing(1)
        assert await stage.side.names() == {"one"}


SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_kind_agrees_at_the_end_of_a_random_conversation(seed: int) -> None:
    chance = random.Random(seed)
    async with our_agent() as stage:
        go = GoPrincipal(seed=100 + seed, echoes=bool(seed % 2))
        await stage.connect(go)

        for turn in range(40):
            go = await _turn(stage, go, chance, turn)
            await passing(chance.choice([0.0, 0.05, 0.3, 2]))
        await stage.connect(go, seconds=300)

        await agrees(stage, go)
        assert go.end.writer.is_idle


async def _turn(stage: Stage, go: GoPrincipal, chance: random.Random, turn: int) -> GoPrincipal:
    shared, name = go.shared, chance.choice(["red", "green"])
    held: dict[str, dict[str, Json]] = shared.objects
    # A Go principal forgets the deletion of a repository when it restarts: it must be heard before that.
    is_heard = stage.line is not None
    match chance.randrange(12):
        case 0 if name not in held[PROJECT]:
            shared.project(name, destinations=chance.choice([MINE, OTHERS]), description=f"r{turn}")
        case 1 if name in held[PROJECT]:
            shared.change(PROJECT, name, lambda obj: obj["spec"].update(description=f"r{turn}"))
        case 2 if name in held[PROJECT] and is_heard:
            to = chance.choice([MINE, OTHERS])
            shared.change(PROJECT, name, lambda obj: obj["spec"].update(destinations=to))
            await passing(5)
        case 3 if name in held[PROJECT] and is_heard:
            shared.take(PROJECT, name)
            await passing(5)
        case 4 if name not in held[REPOSITORIES]:
            shared.repository(name, chance.choice(["red", "green", "default"]), username=f"r{turn}")
        case 5 if name in held[REPOSITORIES]:
            shared.change(REPOSITORIES, name, lambda obj: obj["data"].update(password="cHc="))
        case 6 if name in held[REPOSITORIES] and is_heard:
            shared.take(REPOSITORIES, name)
            await passing(5)
        case 7:
            shared.key(key=f"r{turn}")
        case 8 if CONFIGMAP_GPG_KEYS in held[KEYS]:
            shared.take(KEYS, CONFIGMAP_GPG_KEYS)
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


async def test_the_types_of_every_kind_that_ours_does_not_take_are_acked_and_change_nothing() -> None:
    async with our_agent() as stage:
        go = await filled(stage)
        before = await contents(stage.cluster)

        for kind in KINDS[1:]:
            obj = next(iter(go.shared.objects[kind.name].values()))
            for event in (EventType.STATUS_UPDATE, EventType.SET_OPERATION):
                go.end.writer.add(go.end.about(event, obj, kind.target))
        await passing(2)

        assert await contents(stage.cluster) == before
        assert go.end.writer.is_idle
