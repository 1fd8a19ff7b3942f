"""Repositories and credential templates: they go where their project goes, and the spoke keeps them."""

import pytest

from argocd_agent.protocol.names import (
    ANNOTATION_ADOPTION_POLICY,
    ANNOTATION_REFUSED,
    ANNOTATION_SOURCE_UID,
    LABEL_IGNORE_SYNC,
    LABEL_SECRET_TYPE,
    SECRET_TYPE_REPO_CREDS,
    SECRET_TYPE_REPOSITORY,
)
from argocd_agent.resources.kinds import APPPROJECTS, SECRETS
from tests.component.kinds.test_projects import for_agents
from tests.support.shared import a_repository, text_of, with_text
from tests.support.world import Side, World, a_world, passing

BOTH = ("agent-1", "agent-2")


async def names(world: World, agent: str = "agent-1") -> set[str]:
    return await world.spoke_side(agent, SECRETS).names()


async def a_team(world: World, *agents: str) -> Side:
    await world.hub_home(APPPROJECTS).create(for_agents(*(agents or ("agent-1",))))
    return world.hub_home(SECRETS)


@pytest.mark.feature("P-77", "A-58", "C-29", "C-30")
@pytest.mark.parametrize("kind", [SECRET_TYPE_REPOSITORY, SECRET_TYPE_REPO_CREDS])
async def test_a_repository_follows_its_project(kind: str) -> None:
    async with a_world(*BOTH) as world:
        hub = await a_team(world)
        made = await hub.create(a_repository(kind=kind))
        await passing(0.5)
        mirror = await world.spoke_side(api=SECRETS).expect("repo")
        assert (text_of(mirror, "password"), mirror.labels[LABEL_SECRET_TYPE]) == ("hunter2", kind)
        assert mirror.annotations[ANNOTATION_SOURCE_UID] == made.uid
        assert await names(world, "agent-2") == set()

        made = await hub.update(with_text(made, password="new"))
        await passing(0.5)
        assert text_of(await world.spoke_side(api=SECRETS).expect("repo"), "password") == "new"

        await hub.delete("repo")
        await passing(0.5)
        assert await names(world) == set()


@pytest.mark.feature("P-77")
async def test_a_project_that_comes_late_changes_or_goes_takes_its_repositories_along() -> None:
    async with a_world(*BOTH) as world:
        hub = world.hub_home(SECRETS)
        await hub.create(a_repository())
        await passing(0.5)
        assert await names(world) == set()

        project = await world.hub_home(APPPROJECTS).create(for_agents("agent-1"))
        await passing(0.5)
        assert (await names(world), await names(world, "agent-2")) == ({"repo"}, set())

        project = await world.hub_home(APPPROJECTS).update(
            project.with_fields({"spec": for_agents("agent-2").fields["spec"]})
        )
        await passing(0.5)
        assert (await names(world), await names(world, "agent-2")) == (set(), {"repo"})

        await world.hub_home(APPPROJECTS).delete("team")
        await passing(0.5)
        assert (await names(world), await names(world, "agent-2")) == (set(), set())


@pytest.mark.feature("P-77")
async def test_a_repository_that_changes_its_project_moves() -> None:
    async with a_world(*BOTH) as world:
        hub = await a_team(world)
        await world.hub_home(APPPROJECTS).create(for_agents("agent-2", name="other"))
        made = await hub.create(a_repository())
        await passing(0.5)

        await hub.update(with_text(made, project="other"))
        await passing(0.5)

        assert (await names(world), await names(world, "agent-2")) == (set(), {"repo"})


@pytest.mark.feature("P-78")
@pytest.mark.parametrize("project", [None, "", "nobody"])
async def test_a_repository_of_no_project_is_not_sent(project: str | None) -> None:
    async with a_world() as world:
        hub = await a_team(world)

        await hub.create(a_repository(project=project))
        await passing(0.5)

        assert await names(world) == set()


@pytest.mark.feature("A-58", "A-60", "C-31")
@pytest.mark.parametrize("drift", ["data", "label", "project", "deletion", "ignored"])
async def test_what_somebody_does_to_it_on_the_spoke_is_undone(drift: str) -> None:
    async with a_world() as world:
        hub = await a_team(world)
        await hub.create(a_repository())
        await passing(0.5)
        spoke = world.spoke_side(api=SECRETS)
        mirror = await spoke.expect("repo")

        match drift:
            case "data":
                await spoke.update(with_text(mirror, password="stolen"))
            case "label":
                await spoke.update(mirror.with_metadata(labels={}))
            case "project":
                await spoke.update(with_text(mirror, project=None))
            case "deletion":
                await spoke.delete("repo")
            case "ignored":
                await spoke.update(mirror.with_metadata(labels={**mirror.labels, LABEL_IGNORE_SYNC: "true"}))
        await passing(2.0)

        again = await spoke.expect("repo")
        assert (text_of(again, "password"), text_of(again, "project")) == ("hunter2", "team")
        assert again.labels == {LABEL_SECRET_TYPE: SECRET_TYPE_REPOSITORY}


@pytest.mark.feature("A-58")
async def test_a_secret_that_was_there_before_is_left_alone_and_its_owner_told_until_it_may_be_taken() -> None:
    async with a_world(principal={"anti_entropy_interval_seconds": 10.0}) as world:
        hub, spoke = await a_team(world), world.spoke_side(api=SECRETS)
        own = await spoke.create(a_repository(url="https://mine"))

        await hub.create(a_repository())
        await passing(1.0)

        assert text_of(await spoke.expect("repo"), "url") == "https://mine"
        assert "was on the spoke before" in (await hub.expect("repo")).annotations[ANNOTATION_REFUSED]

        await spoke.update(own.with_annotations({ANNOTATION_ADOPTION_POLICY: "always"}))
        await passing(30.0)

        assert text_of(await spoke.expect("repo"), "url") == "https://git.example/repo"
        assert ANNOTATION_REFUSED not in (await hub.expect("repo")).annotations


@pytest.mark.feature("P-50", "C-15")
async def test_a_label_keeps_a_repository_at_home_and_lets_it_go_again() -> None:
    async with a_world() as world:
        hub = await a_team(world)
        made = await hub.create(a_repository())
        await passing(0.5)

        hidden = await hub.update(made.with_metadata(labels={**made.labels, LABEL_IGNORE_SYNC: "true"}))
        await passing(0.5)
        assert await names(world) == set()

        await hub.update(hidden.with_metadata(labels=made.labels))
        await passing(0.5)
        assert await names(world) == {"repo"}


@pytest.mark.feature("A-63")
async def test_an_autonomous_agent_gets_none() -> None:
    async with a_world(autonomous=("agent-1",)) as world:
        hub = await a_team(world)
        await hub.create(a_repository())
        await passing(1.0)

        assert await names(world) == set()


@pytest.mark.feature("P-77", "C-66")
@pytest.mark.parametrize("who", ["principal", "agent-1"])
async def test_what_changed_while_one_side_was_down_is_put_right(who: str) -> None:
    async with a_world() as world:
        hub = await a_team(world)
        for name in ("goes", "changes"):
            await hub.create(a_repository(name))
        await passing(0.5)
        await world.stop(who)
        await world.cut()
        await hub.delete("goes")
        await hub.update(with_text(await hub.expect("changes"), password="new"))
        await hub.create(a_repository("comes"))

        await (world.start_principal() if who == "principal" else world.start_agent())
        await world.connect()
        await passing(2.0)

        assert await names(world) == {"changes", "comes"}
        assert text_of(await world.spoke_side(api=SECRETS).expect("changes"), "password") == "new"


@pytest.mark.feature("A-104")
async def test_another_hub_takes_over_without_making_anything_anew() -> None:
    async with a_world() as world:
        hub = await a_team(world)
        await hub.create(a_repository())
        await passing(0.5)
        uids = [
            (await world.spoke_side(api=api).expect(name)).uid
            for api, name in ((SECRETS, "repo"), (APPPROJECTS, "team"))
        ]
        await world.stop("principal")
        await world.cut()
        for side, name in ((hub, "repo"), (world.hub_home(APPPROJECTS), "team")):
            held = await side.expect(name)
            await side.delete(name)
            await side.create(held)

        await world.start_principal("hub-2")
        await world.connect()
        await passing(2.0)

        assert [
            (await world.spoke_side(api=api).expect(name)).uid
            for api, name in ((SECRETS, "repo"), (APPPROJECTS, "team"))
        ] == uids
