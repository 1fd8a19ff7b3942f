"""The two scripts with each other: they come to rest, equal but for what the reference is known to leave behind."""

import random

import pytest

from argocd_agent.protocol.events import EventType, Target
from argocd_agent.protocol.names import (
    ANNOTATION_NAMESPACE_REMAPPED,
    ANNOTATION_REFRESH,
    ANNOTATION_SOURCE_UID,
    CONFIGMAP_GPG_KEYS,
)
from tests.conformance.peers.go_agent import GoAgent
from tests.conformance.peers.go_autonomous import PROJECT, GoAutonomousAgent
from tests.conformance.peers.go_held import HOME
from tests.conformance.peers.go_mirroring import GoMirroringPrincipal
from tests.conformance.peers.go_objects import HUB, annotations_of, go_repository, revision_of, source_uid_of
from tests.conformance.peers.go_pair import a_pair
from tests.conformance.peers.go_principal import GoPrincipal
from tests.conformance.peers.go_shared import KEYS, REPOSITORY
from tests.support.world import passing

AGENT = "agent-1"
TO_AGENT = [{"name": AGENT, "namespace": "*"}]


async def test_every_kind_of_the_hub_arrives_and_goes() -> None:
    hub, spoke = GoPrincipal(seed=1), GoAgent(seed=2)
    async with a_pair() as pair:
        await pair.connect(hub, spoke)
        hub.create("one")
        hub.shared.project("team", roles=[{"name": "dev"}], destinations=TO_AGENT)
        hub.shared.repository("repo", "team", username="u")
        hub.shared.key(key="text")
        await passing(2)

        team = spoke.projects.objects["team"]
        assert team["spec"].get("roles") is None
        assert team["spec"]["destinations"] == [
            {"name": "in-cluster", "server": "https://kubernetes.default.svc", "namespace": "*"}
        ]
        assert spoke.repositories.objects["repo"]["data"] == hub.shared.objects[REPOSITORY]["repo"]["data"]
        assert spoke.keys.objects[CONFIGMAP_GPG_KEYS]["data"] == {"key": "text"}

        hub.shared.take(PROJECT, "team")
        hub.shared.take(KEYS, CONFIGMAP_GPG_KEYS)
        await passing(2)

        assert (set(spoke.projects.objects), spoke.repositories.objects, spoke.keys.objects) == ({"default"}, {}, {})
        assert (hub.end.writer.is_idle, spoke.end.writer.is_idle) == (True, True)


async def test_an_agent_that_leaves_a_project_loses_it_and_its_repositories() -> None:
    hub, spoke = GoPrincipal(seed=1), GoAgent(seed=2)
    async with a_pair() as pair:
        await pair.connect(hub, spoke)
        hub.shared.repository("repo", "team")  # before its project
        hub.shared.project("team", destinations=TO_AGENT)
        await passing(2)
        assert (set(spoke.projects.objects), set(spoke.repositories.objects)) == ({"default", "team"}, {"repo"})

        hub.shared.change(PROJECT, "team", lambda obj: obj["spec"].update(destinations=[{"name": "!agent-*"}]))
        await passing(2)

        assert (set(spoke.projects.objects), set(spoke.repositories.objects)) == ({"default"}, set())


async def test_a_repository_that_was_there_before_blocks_the_hubs_and_a_deletion_while_down_is_forgotten() -> None:
    hub, spoke = GoPrincipal(seed=1), GoAgent(seed=2)
    spoke.repositories.add(go_repository("repo", HOME, "own-repo", 1, project="default", username="mine"))
    async with a_pair() as pair:
        await pair.connect(hub, spoke)
        hub.shared.repository("repo", "default", username="theirs")
        hub.shared.repository("other", "default")
        await passing(2)
        assert source_uid_of(spoke.repositories.objects["repo"]) == ""

        await pair.cut()
        del hub.shared.objects[REPOSITORY]["other"]
        await pair.connect(hub.again(seed=3), spoke)

        assert set(spoke.repositories.objects) == {"repo", "other"}


async def test_an_unmanaged_project_is_adopted_in_place_and_unmanaged_keys_are_made_anew() -> None:
    hub, spoke = GoPrincipal(seed=1), GoAgent(seed=2)
    hub.shared.key(key="text")
    keys = {"metadata": {"name": CONFIGMAP_GPG_KEYS, "namespace": HOME, "uid": "own-keys"}, "data": {"mine": "x"}}
    spoke.keys.add(keys)
    async with a_pair() as pair:
        await pair.connect(hub, spoke)

    project, held = spoke.projects.objects["default"], spoke.keys.objects[CONFIGMAP_GPG_KEYS]
    assert (project["metadata"]["uid"], source_uid_of(project)) == ("a-project-uid", "project-1")
    assert held["metadata"]["uid"] != "own-keys"
    assert held["data"] == {"key": "text"}


async def test_by_destination_namespaces_are_kept_but_for_the_principals_own() -> None:
    hub = GoPrincipal(by_destination=True, agent_namespace=HOME, echoes=False, seed=1)
    spoke = GoAgent(hub_namespace=HUB, seed=2)
    async with a_pair() as pair:
        await pair.connect(hub, spoke)
        hub.create("one")
        hub.create("two", namespace="team-a")
        await passing(2)
        assert set(spoke.apps) == {f"{HOME}/one", "team-a/two"}
        assert annotations_of(spoke.apps[f"{HOME}/one"])[ANNOTATION_NAMESPACE_REMAPPED] == "true"
        assert ANNOTATION_NAMESPACE_REMAPPED not in annotations_of(spoke.apps["team-a/two"])

        for key in spoke.apps:
            spoke.change(key, lambda app: app.update(status={"health": {"status": "Healthy"}}))
        hub.move("team-a/two", "agent-2")
        await passing(2)

        assert hub.apps[f"{HUB}/one"]["status"]["health"] == {"status": "Healthy"}
        assert set(spoke.apps) == {f"{HOME}/one"}
        hub.move("team-a/two", AGENT)
        await passing(2)
        assert set(spoke.apps) == {f"{HOME}/one", "team-a/two"}


async def test_what_an_autonomous_agent_has_is_mirrored_and_renamed() -> None:
    hub, spoke = GoMirroringPrincipal(seed=1), GoAutonomousAgent(seed=2)
    async with a_pair() as pair:
        await pair.connect(hub, spoke)
        policies = [
            "p, proj:mine:dev, applications, get, mine/*, allow",
            "p, proj:other:dev, logs, get, other/a, allow",
        ]
        spoke.project("mine", roles=[{"name": "dev", "policies": policies}])
        app = spoke.create("solo")
        await passing(2)

        project, mirror = hub.projects["agent-1-mine"]["spec"], hub.apps["solo"]
        assert (project["sourceNamespaces"], project["destinations"]) == (
            [AGENT],
            [{"name": AGENT, "server": "*", "namespace": "*"}],
        )
        assert project["roles"][0]["policies"] == [
            "p, proj:agent-1-mine:dev, applications, get, agent-1-mine/agent-1/*, allow",
            policies[1],
        ]
        assert mirror["metadata"]["namespace"] == AGENT
        assert annotations_of(mirror)[ANNOTATION_SOURCE_UID] == app["metadata"]["uid"]
        assert (mirror["spec"]["project"], mirror["spec"]["destination"]) == (
            "agent-1-default",
            {"name": AGENT, "namespace": "solo"},
        )


async def test_an_autonomous_agent_takes_operations_from_the_hub_and_its_users_edits_are_put_right() -> None:
    hub, spoke = GoMirroringPrincipal(echoes=False, seed=1), GoAutonomousAgent(seed=2)
    async with a_pair() as pair:
        await pair.connect(hub, spoke)
        spoke.create("solo", annotations={"note": "x"})
        await passing(2)

        hub.edit("solo", lambda app: app["spec"]["source"].update(targetRevision="drifted"))
        hub.edit("solo", lambda app: app["metadata"]["annotations"].update({ANNOTATION_REFRESH: "hard"}))
        hub.edit("solo", lambda app: app.update(operation={"sync": {}}))
        await passing(2)

        assert revision_of(hub.apps["solo"]) == "v0"
        assert spoke.apps["solo"]["operation"] == {"sync": {}}
        assert annotations_of(spoke.apps["solo"])[ANNOTATION_REFRESH] == "hard"
        hub.remove("solo")
        assert set(hub.apps) == {"solo"}
        said = {(event.target, event.type) for event in hub.end.said if event.target is Target.APPLICATION}
        assert not said & {(Target.APPLICATION, kind) for kind in (EventType.CREATE, EventType.DELETE)}


async def test_a_refresh_for_an_application_without_annotations_is_never_acked() -> None:
    hub, spoke = GoMirroringPrincipal(echoes=False, seed=1), GoAutonomousAgent(seed=2)
    async with a_pair() as pair:
        await pair.connect(hub, spoke)
        spoke.create("solo")
        await passing(2)

        hub.edit("solo", lambda app: app["metadata"]["annotations"].update({ANNOTATION_REFRESH: "hard"}))
        hub.edit("solo", lambda app: app.update(operation={"sync": {}}))
        await passing(1000)

        assert "operation" not in spoke.apps["solo"]
        assert not hub.end.writer.is_idle


async def test_the_answer_to_a_resync_loses_the_destinations_of_a_project_until_its_next_edit() -> None:
    hub, spoke = GoMirroringPrincipal(seed=1), GoAutonomousAgent(seed=2)
    async with a_pair() as pair:
        await pair.connect(hub, spoke)
        kept = [{"name": AGENT, "server": "*", "namespace": "x"}]
        spoke.project("mine", destinations=[{"name": "in-cluster", "server": "", "namespace": "x"}])
        await passing(2)
        assert hub.projects["agent-1-mine"]["spec"]["destinations"] == kept

        hub = hub.again(seed=3)
        await pair.connect(hub, spoke)

        assert "destinations" not in hub.projects["agent-1-mine"]["spec"]
        spoke.change("mine", lambda obj: obj["spec"].update(description="d"), PROJECT)
        await passing(2)
        assert hub.projects["agent-1-mine"]["spec"]["destinations"] == kept


@pytest.mark.parametrize("seed", range(20))
async def test_an_autonomous_pair_is_equal_after_cuts_and_restarts(seed: int) -> None:
    chance = random.Random(seed)
    hub, spoke = GoMirroringPrincipal(seed=100 + seed, echoes=bool(seed % 2)), GoAutonomousAgent(seed=200 + seed)
    async with a_pair() as pair:
        await pair.connect(hub, spoke)
        for turn in range(30):
            name, turn_is = chance.choice(["one", "two", "three"]), chance.randrange(8)
            match turn_is:
                case 0 if name not in spoke.apps:
                    spoke.create(name, f"r{turn}")
                case 1 if name in spoke.apps:
                    spoke.set_revision(name, f"r{turn}")
                case 2 if name in spoke.apps:
                    spoke.delete(name)
                case 3 if name not in spoke.projects:
                    spoke.project(name)
                case 4 if name in spoke.projects:
                    spoke.delete(name, PROJECT)
                case 5:
                    await pair.cut()
                case 6:
                    hub = hub.again(seed=1000 + turn)
                    await pair.connect(hub, spoke, 0.2)
                case 7:
                    spoke = spoke.again(seed=2000 + turn)
                    await pair.connect(hub, spoke, 0.2)
            await passing(chance.choice([0.0, 0.3, 2]))
        await pair.connect(hub, spoke, 300)
        for seed_of_last in (9000, 9001):  # what a restart of one end left behind, one of the other finds
            hub, spoke = hub.again(seed=seed_of_last), spoke.again(seed=seed_of_last + 100)
            await pair.connect(hub, spoke, 300)

    assert {name: revision_of(app) for name, app in hub.apps.items()} == {
        name: revision_of(app) for name, app in spoke.apps.items()
    }
    assert set(spoke.projects) <= set(hub.mirrored_projects)
    assert (hub.end.writer.is_idle, spoke.end.writer.is_idle) == (True, True)
