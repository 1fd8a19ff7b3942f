"""Our principal with a scripted managed Go v0.9 agent: projects, repositories, keys, and mapping by destination.

What ours says is bounded: one event for each object that a change concerns (a project, and its repositories when the
agent joins or leaves it), and at a connect two for each object that the agent is to have (told, and answered) and one.
"""

import random
from collections.abc import Callable

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.names import (
    ANNOTATION_MISMATCH_POLICY,
    ANNOTATION_NAMESPACE_REMAPPED,
    CONFIGMAP_GPG_KEYS,
    LABEL_IGNORE_SYNC,
    SECRET_TYPE_REPO_CREDS,
)
from argocd_agent.resources.kinds import APPLICATIONS, APPPROJECT, GPGKEY, REPOSITORY
from tests.conformance.peers.everything import (
    KINDS,
    Contents,
    change,
    contents_of,
    due,
    expect,
    find,
    make,
    remove,
    whole,
)
from tests.conformance.peers.go_agent import GoAgent
from tests.conformance.peers.go_held import HOME as SPOKE
from tests.conformance.peers.go_objects import (
    HUB,
    Json,
    go_keys,
    go_project,
    go_repository,
    in_base64,
    source_uid_of,
)
from tests.conformance.peers.stage import Stage, our_principal
from tests.support.objects import an_application
from tests.support.world import HOME, passing

AGENT = "agent-1"
OTHERS = [{"name": "agent-2", "namespace": "*"}]
MINE = [{"name": AGENT, "namespace": "x"}, *OTHERS]


def a_project(name: str, **spec: object) -> Json:
    return go_project(name, HUB, "u", 1, **{"destinations": MINE, **spec})


def a_repository(name: str, project: str, **data: str) -> Json:
    return go_repository(name, HUB, "u", 1, project=project, **data)


def _for(destinations: list[dict[str, str]]) -> Callable[[Json], None]:
    return lambda spec: spec.update(destinations=destinations)


async def filled(stage: Stage, go: GoAgent | None = None) -> GoAgent:
    """A Go agent that is connected, and one object of every kind on our hub."""
    await make(stage.cluster, APPPROJECT, go_project("default", HUB, "u", 1))
    go = go or GoAgent()
    await stage.connect(go)
    await stage.side.create(an_application("one"))
    await make(stage.cluster, APPPROJECT, a_project("team", roles=[{"name": "dev", "policies": []}]))
    await make(stage.cluster, REPOSITORY, a_repository("repo", "team", username="u", password="secret"))
    await make(stage.cluster, REPOSITORY, a_repository("creds", "team", sort=SECRET_TYPE_REPO_CREDS))
    await make(stage.cluster, GPGKEY, go_keys(HUB, "u", 1, key="text"))
    await passing(2)
    return go


def there(go: GoAgent) -> Contents:
    """What the agent has of the hub's."""
    held = {
        "AppProject": go.projects.objects,
        "Repository": go.repositories.objects,
        "GPGKey": go.keys.objects,
    }
    return contents_of(
        {kind: {n: one for n, one in those.items() if source_uid_of(one)} for kind, those in held.items()}
    )


async def due_there(stage: Stage) -> Contents:
    """What it is to have."""
    return due(await whole(stage.cluster), AGENT)


@pytest.mark.feature("P-72", "P-77", "P-79")
async def test_every_kind_arrives_as_this_agents_edition() -> None:
    async with our_principal() as stage:
        go = await filled(stage)

        assert there(go) == await due_there(stage)
        for kind, held in ((APPPROJECT, go.projects), (REPOSITORY, go.repositories), (GPGKEY, go.keys)):
            for name, obj in held.objects.items():
                assert source_uid_of(obj) == (await expect(stage.cluster, kind, name)).uid
        assert go.projects.objects["team"]["spec"].get("roles") is None
        assert go.end.writer.is_idle


@pytest.mark.feature("P-71", "P-77", "P-79")
async def test_changes_and_deletions_of_every_kind_follow_and_cost_one_event_each() -> None:
    async with our_principal() as stage:
        go = await filled(stage)
        before = len(go.end.of_ours())

        await change(stage.cluster, APPPROJECT, "team", lambda spec: spec.update(description="d"))
        await change(stage.cluster, REPOSITORY, "repo", lambda data: data.update(username=in_base64("v")))
        await change(stage.cluster, GPGKEY, CONFIGMAP_GPG_KEYS, lambda data: data.update(more="x"))
        await passing(600)
        assert there(go) == await due_there(stage)
        assert len(go.end.of_ours()) - before == 3

        await remove(stage.cluster, GPGKEY, CONFIGMAP_GPG_KEYS)
        await remove(stage.cluster, REPOSITORY, "creds")
        await remove(stage.cluster, APPPROJECT, "team")
        await passing(600)
        assert there(go) == await due_there(stage)
        assert go.repositories.objects == {}
        assert len(go.end.of_ours()) - before == 3 + 4


@pytest.mark.feature("P-73", "P-77")
async def test_an_agent_that_leaves_a_project_loses_what_belongs_to_it_and_gets_it_back() -> None:
    async with our_principal() as stage:
        go = await filled(stage)

        for to in (OTHERS, MINE, [*MINE, {"name": "!agent-*"}], MINE):
            before = len(go.end.of_ours())
            await change(stage.cluster, APPPROJECT, "team", _for(to))
            await passing(2)

            assert there(go) == await due_there(stage)
            assert len(go.end.of_ours()) - before == 3


@pytest.mark.feature("P-71", "P-77", "P-78")
async def test_only_what_is_of_a_project_of_the_agent_travels() -> None:
    async with our_principal() as stage:
        go = await filled(stage)

        await make(stage.cluster, APPPROJECT, a_project("theirs", destinations=OTHERS))
        await make(stage.cluster, APPPROJECT, a_project("elsewhere", sourceNamespaces=["other-*"]))
        await make(stage.cluster, REPOSITORY, a_repository("their-repo", "theirs"))
        await make(stage.cluster, REPOSITORY, a_repository("of-nobody", ""))
        await make(stage.cluster, REPOSITORY, a_repository("early", "late"))
        await passing(2)
        assert there(go) == await due_there(stage)

        await make(stage.cluster, APPPROJECT, a_project("late", sourceNamespaces=["/^agent-[0-9]$/"]))
        await change(stage.cluster, REPOSITORY, "repo", lambda data: data.update(project=in_base64("theirs")))
        await passing(2)
        assert there(go) == await due_there(stage)
        assert set(go.repositories.objects) == {"creds", "early"}


@pytest.mark.feature("P-50")
async def test_the_label_hides_every_kind_and_its_removal_shows_it() -> None:
    async with our_principal() as stage:
        go = await filled(stage)

        for labels in ({LABEL_IGNORE_SYNC: "true"}, None):
            for kind, name in ((APPPROJECT, "team"), (GPGKEY, CONFIGMAP_GPG_KEYS)):
                held = await expect(stage.cluster, kind, name)
                await stage.cluster.update(kind.api, held.with_metadata(labels=labels))
            await passing(2)
            assert there(go) == await due_there(stage)


async def test_what_is_made_anew_at_once_is_the_new_one() -> None:
    for seed in range(1, 8):
        async with our_principal() as stage:
            go = await filled(stage, GoAgent(seed=seed))

            await remove(stage.cluster, REPOSITORY, "repo")
            await make(stage.cluster, REPOSITORY, a_repository("repo", "team", username="again"))
            await remove(stage.cluster, APPPROJECT, "team")
            await make(stage.cluster, APPPROJECT, a_project("team", description="again"))
            await passing(5)

            assert there(go) == await due_there(stage)
            assert source_uid_of(go.projects.objects["team"]) == (await expect(stage.cluster, APPPROJECT, "team")).uid


async def test_an_agent_that_lets_a_strangers_secret_block_ours_is_not_told_again_and_again() -> None:
    async with our_principal() as stage:
        go = GoAgent()
        go.repositories.add(go_repository("repo", SPOKE, "own", 1, project="team", password="theirs"))
        await filled(stage, go)
        before = len(go.end.of_ours())

        await passing(600)

        assert source_uid_of(go.repositories.objects["repo"]) == ""
        assert len(go.end.of_ours()) == before


async def test_an_upsert_that_does_not_stick_is_not_tried_again_and_again() -> None:
    async with our_principal() as stage:
        go = await filled(stage, GoAgent(mismatch="upsert"))

        await remove(stage.cluster, REPOSITORY, "repo")
        await stage.stop()
        anew = a_repository("repo", "team", username="again")
        anew["metadata"]["annotations"] = {ANNOTATION_MISMATCH_POLICY: "upsert"}
        await make(stage.cluster, REPOSITORY, anew)
        await stage.start()
        await stage.connect(go, seconds=5)
        before = len(go.end.of_ours())
        await passing(600)

        assert len(go.end.of_ours()) == before


@pytest.mark.feature("C-66")
async def test_after_each_restart_and_cut_of_either_every_kind_is_equal_and_little_is_said() -> None:
    async with our_principal() as stage:
        go = await filled(stage)

        async def ours_restarts() -> None:
            await stage.stop()
            await change(stage.cluster, APPPROJECT, "team", lambda spec: spec.update(description="while down"))
            await remove(stage.cluster, REPOSITORY, "creds")
            await remove(stage.cluster, GPGKEY, CONFIGMAP_GPG_KEYS)
            await stage.start()

        async def theirs_restarts() -> None:
            nonlocal go
            await stage.hang_up()
            await change(stage.cluster, REPOSITORY, "repo", lambda data: data.update(username=in_base64("w")))
            await make(stage.cluster, GPGKEY, go_keys(HUB, "u", 1, key="again"))
            go = go.again(seed=50)

        async def cut() -> None:
            await stage.hang_up()
            await change(stage.cluster, APPPROJECT, "team", lambda spec: spec.update(destinations=OTHERS))

        async def cut_and_nothing_else() -> None:
            await stage.hang_up()

        async def both_restart() -> None:
            nonlocal go
            await stage.stop()
            await change(stage.cluster, APPPROJECT, "team", lambda spec: spec.update(destinations=MINE))
            await stage.start()
            go = go.again(seed=60)

        for interruption in (ours_restarts, theirs_restarts, cut, cut_and_nothing_else, both_restart):
            await interruption()
            before = len(go.end.of_ours())
            await stage.connect(go, seconds=10)

            expected = await due_there(stage)
            assert there(go) == expected, interruption.__name__
            concerned = sum(map(len, expected.values())) + len(go.apps) + 3  # and what the agent loses
            assert len(go.end.of_ours()) - before <= 3 * concerned + 1, interruption.__name__
            assert go.end.writer.is_idle


@pytest.mark.feature("P-52", "P-53", "P-55")
async def test_by_destination_namespaces_are_kept_and_an_application_moves_between_agents() -> None:
    async with our_principal(
        destination_based_mapping=True, allowed_namespaces=("team-*",), spaces=("team-a",)
    ) as stage:
        go = GoAgent(hub_namespace=HOME)
        await stage.connect(go)
        for namespace, name in ((HOME, "one"), ("team-a", "two")):
            app = an_application(name, namespace, destination={"name": AGENT, "namespace": "x"})
            await stage.cluster.create(APPLICATIONS, app.with_metadata(uid="", resource_version=""))
        await passing(2)

        assert set(go.apps) == {f"{SPOKE}/one", "team-a/two"}
        assert ANNOTATION_NAMESPACE_REMAPPED in go.apps[f"{SPOKE}/one"]["metadata"]["annotations"]
        for key in go.apps:
            go.change(key, lambda app: app.update(status={"health": {"status": "Healthy"}}))
        await passing(2)
        for namespace, name in ((HOME, "one"), ("team-a", "two")):
            told = await stage.cluster.get(APPLICATIONS, namespace, name)
            assert told.look("status") == {"health": {"status": "Healthy"}}

        for agent, keys in (("agent-2", {f"{SPOKE}/one"}), (AGENT, {f"{SPOKE}/one", "team-a/two"})):
            held = await stage.cluster.get(APPLICATIONS, "team-a", "two")
            spec = {**held.look("spec"), "destination": {"name": agent, "namespace": "x"}}
            await stage.cluster.update(APPLICATIONS, held.with_fields({"spec": encode(spec)}))
            await passing(2)
            assert set(go.apps) == keys


@pytest.mark.parametrize("seed", range(20))
async def test_every_kind_agrees_at_the_end_of_a_random_conversation(seed: int) -> None:
    chance = random.Random(seed)
    async with our_principal() as stage:
        await make(stage.cluster, APPPROJECT, go_project("default", HUB, "u", 1))
        go = GoAgent(seed=100 + seed)
        await stage.connect(go)

        for turn in range(40):
            go = await _turn(stage, go, chance, turn)
            await passing(chance.choice([0.0, 0.05, 0.3, 2]))
        await stage.connect(go, seconds=600)

        assert there(go) == await due_there(stage)
        assert go.end.writer.is_idle


async def _turn(stage: Stage, go: GoAgent, chance: random.Random, turn: int) -> GoAgent:
    kind, name = chance.choice(KINDS), chance.choice(["red", "green"])
    name = CONFIGMAP_GPG_KEYS if kind is GPGKEY else name
    held = await find(stage.cluster, kind, name)
    match chance.randrange(8):
        case 0 | 1 if held is None:
            made = {
                APPPROJECT: a_project(name, description=f"r{turn}"),
                REPOSITORY: a_repository(name, chance.choice(["red", "green", "default"]), username=f"r{turn}"),
                GPGKEY: go_keys(HUB, "u", 1, key=f"r{turn}"),
            }
            await make(stage.cluster, kind, made[kind])
        case 2 if held is not None and kind is APPPROJECT:
            to = chance.choice([MINE, OTHERS])
            await change(stage.cluster, kind, name, lambda spec: spec.update(destinations=to))
        case 2 if held is not None and kind is REPOSITORY:
            to_project = in_base64(chance.choice(["red", "green", "default"]))
            await change(stage.cluster, kind, name, lambda data: data.update(project=to_project))
        case 3 if held is not None and kind is not APPPROJECT:
            await change(stage.cluster, kind, name, lambda data: data.update(key=in_base64(f"r{turn}")))
        case 4 if held is not None:
            await remove(stage.cluster, kind, name)
        case 5:
            await stage.hang_up()
        case 6:
            await stage.stop()
            await stage.start()
            await stage.connect(go, seconds=chance.choice([0, 1]))
        case 7:
            go = go.again(seed=1000 + 100 * turn)
            await stage.connect(go, seconds=chance.choice([0, 1]))
        case _:
            if stage.line is None:
                await stage.connect(go, seconds=0.1)
    return go
