"""AppProjects of the hub: who gets one, which edition, and that the spoke keeps it."""

from typing import Any

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.names import ANNOTATION_SOURCE_UID, LABEL_IGNORE_SYNC
from argocd_agent.resources.kinds import APPPROJECTS
from argocd_agent.resources.objects import Object
from tests.support.objects import a_project
from tests.support.world import World, a_world, passing

BOTH = ("agent-1", "agent-2")


def for_agents(*names: str, **more: Any) -> Object:
    destinations = [{"name": name, "namespace": "apps", "server": ""} for name in names]
    spec = {"destinations": destinations, "sourceNamespaces": list(names), "sourceRepos": ["*"]}
    return a_project(spec={**spec, **more.pop("spec", {})}, **more)


def with_spec(obj: Object, **changes: Any) -> Object:
    return obj.with_fields({"spec": encode({**obj.look("spec"), **changes})})


async def names(world: World, agent: str = "agent-1") -> set[str]:
    return await world.spoke_side(agent, APPPROJECTS).names()


@pytest.mark.feature("P-71", "P-72", "A-56", "C-24", "C-25")
async def test_a_project_goes_to_the_agents_that_it_names_each_in_its_own_edition() -> None:
    async with a_world(*BOTH, "agent-3") as world:
        made = await world.hub_home(APPPROJECTS).create(
            for_agents("agent-1", "agent-2", spec={"roles": [{"name": "dev"}]}, labels={"a": "b"})
        )
        await passing(0.5)

        for agent in BOTH:
            mirror = await world.spoke_side(agent, APPPROJECTS).expect("team")
            spec = mirror.look("spec")
            assert spec["destinations"] == [
                {"name": "in-cluster", "namespace": "apps", "server": "https://kubernetes.default.svc"}
            ]
            assert not {"sourceNamespaces", "roles"} & {key for key, value in spec.items() if value}
            assert mirror.labels == {"a": "b"}
            assert mirror.annotations[ANNOTATION_SOURCE_UID] == made.uid
        assert await names(world, "agent-3") == set()


@pytest.mark.feature("P-73", "C-26")
async def test_agents_that_join_or_leave_a_project_follow() -> None:
    async with a_world(*BOTH) as world:
        made = await world.hub_home(APPPROJECTS).create(for_agents("agent-1"))
        await passing(0.5)
        assert (await names(world), await names(world, "agent-2")) == ({"team"}, set())

        wanted = for_agents("agent-2").look("spec")
        await world.hub_home(APPPROJECTS).update(made.with_fields({"spec": encode(wanted)}))
        await passing(0.5)

        assert (await names(world), await names(world, "agent-2")) == (set(), {"team"})


@pytest.mark.feature("P-73", "C-26", "A-56")
async def test_changes_and_deletions_arrive_also_after_a_time_apart() -> None:
    async with a_world() as world:
        hub, spoke = world.hub_home(APPPROJECTS), world.spoke_side(api=APPPROJECTS)
        made = await hub.create(for_agents("agent-1"))
        await hub.create(for_agents("agent-1", name="other"))
        await passing(0.5)
        await world.stop("agent-1")
        await world.cut()
        await hub.update(with_spec(made, description="new"))
        await hub.delete("other")

        await world.start_agent()
        await world.connect()
        await passing(2.0)

        assert await spoke.names() == {"team"}
        assert (await spoke.expect("team")).look("spec")["description"] == "new"


@pytest.mark.feature("A-56", "C-28")
@pytest.mark.parametrize("is_connected", [True, False])
async def test_the_spokes_edits_and_deletions_are_undone(is_connected: bool) -> None:
    async with a_world() as world:
        hub, spoke = world.hub_home(APPPROJECTS), world.spoke_side(api=APPPROJECTS)
        for name in ("edited", "deleted"):
            await hub.create(for_agents("agent-1", name=name))
        await passing(0.5)
        if not is_connected:
            await world.cut()

        await spoke.update(with_spec(await spoke.expect("edited"), sourceRepos=["https://elsewhere"]))
        await spoke.delete("deleted")
        await passing(0.5)

        assert (await spoke.expect("edited")).look("spec")["sourceRepos"] == ["*"]
        assert await spoke.names() == {"edited", "deleted"}


@pytest.mark.feature("A-56")
async def test_the_default_project_of_the_spoke_is_adopted_in_place() -> None:
    async with a_world() as world:
        own = await world.spoke_side(api=APPPROJECTS).create(a_project("default"))

        await world.hub_home(APPPROJECTS).create(for_agents("agent-1", name="default"))
        await passing(0.5)

        mirror = await world.spoke_side(api=APPPROJECTS).expect("default")
        assert mirror.uid == own.uid
        assert mirror.look("spec")["destinations"][0]["name"] == "in-cluster"


@pytest.mark.feature("P-74")
async def test_finalizers_of_a_project_are_stripped_on_the_hub() -> None:
    async with a_world() as world:
        hub = world.hub_home(APPPROJECTS)
        await hub.create(for_agents("agent-1", finalizers=("resources-finalizer.argocd.argoproj.io",)))
        await passing(0.5)
        assert not (await hub.expect("team")).metadata.finalizers

        await hub.delete("team")
        await passing(0.5)

        assert await names(world) == set()


@pytest.mark.feature("P-50", "C-15")
async def test_a_label_keeps_a_project_at_home_and_lets_it_go_again() -> None:
    async with a_world() as world:
        hub = world.hub_home(APPPROJECTS)
        made = await hub.create(for_agents("agent-1", labels={LABEL_IGNORE_SYNC: "true"}))
        await passing(0.5)
        assert await names(world) == set()

        for labels in ({LABEL_IGNORE_SYNC: "True"}, {LABEL_IGNORE_SYNC: "false"}, None):
            made = await hub.update(made.with_metadata(labels=labels))
            await passing(0.5)
            assert await names(world) == {"team"}

        await hub.update(made.with_metadata(labels={LABEL_IGNORE_SYNC: "true"}))
        await passing(0.5)
        assert await names(world) == set()


@pytest.mark.feature("P-75", "A-57", "C-27")
async def test_a_project_of_an_autonomous_agent_is_on_the_hub_under_its_name() -> None:
    async with a_world(autonomous=("agent-1",)) as world:
        policy = "p, proj:team:dev, applications, get, team/*, allow"
        made = await world.spoke_side(api=APPPROJECTS).create(
            a_project(
                spec={
                    "destinations": [{"server": "*", "namespace": "x"}],
                    "roles": [{"name": "dev", "policies": [policy]}],
                }
            )
        )
        await passing(0.5)

        shown = await world.hub_home(APPPROJECTS).expect("agent-1-team")
        spec = shown.look("spec")
        assert spec["destinations"] == [{"name": "agent-1", "namespace": "x", "server": "*"}]
        assert spec["sourceNamespaces"] == ["agent-1"]
        assert spec["roles"][0]["policies"] == [
            "p, proj:agent-1-team:dev, applications, get, agent-1-team/agent-1/*, allow"
        ]
        assert shown.annotations[ANNOTATION_SOURCE_UID] == made.uid

        await world.spoke_side(api=APPPROJECTS).update(with_spec(made, description="new"))
        await passing(0.5)
        assert (await world.hub_home(APPPROJECTS).expect("agent-1-team")).look("spec")["description"] == "new"
        await world.spoke_side(api=APPPROJECTS).delete("team")
        await passing(0.5)
        assert await world.hub_home(APPPROJECTS).names() == set()


@pytest.mark.feature("P-76", "C-28")
@pytest.mark.parametrize("finalizers", [None, ("a/b",)])
async def test_edits_and_deletions_of_such_a_project_on_the_hub_are_undone(finalizers: tuple[str, ...] | None) -> None:
    async with a_world(autonomous=("agent-1",)) as world:
        hub = world.hub_home(APPPROJECTS)
        for name in ("edited", "deleted"):
            await world.spoke_side(api=APPPROJECTS).create(a_project(name, finalizers=finalizers))
        await passing(0.5)

        await hub.update(with_spec(await hub.expect("agent-1-edited"), description="wrong"))
        await hub.delete("agent-1-deleted")
        await passing(1.0)

        assert "description" not in (await hub.expect("agent-1-edited")).look("spec")
        assert await hub.names() == {"agent-1-edited", "agent-1-deleted"}


async def test_projects_of_an_autonomous_agent_go_to_no_managed_one() -> None:
    async with a_world("agent-1", "agent-2", autonomous=("agent-1",)) as world:
        await world.spoke_side("agent-1", APPPROJECTS).create(a_project())
        await passing(1.0)

        assert await world.hub_home(APPPROJECTS).names() == {"agent-1-team"}
        assert await names(world, "agent-2") == set()


async def test_an_agent_that_comes_later_gets_the_projects_that_are_there() -> None:
    async with a_world(is_up=False) as world:
        await world.hub_home(APPPROJECTS).create(for_agents("agent-1"))
        await world.start_principal()
        await world.start_agent()

        await world.connect()

        assert await names(world) == {"team"}


async def test_at_rest_nothing_is_written_for_projects() -> None:
    async with a_world("agent-1", "agent-2", autonomous=("agent-2",)) as world:
        await world.hub_home(APPPROJECTS).create(for_agents("agent-1"))
        await world.spoke_side("agent-2", APPPROJECTS).create(a_project("own"))
        await passing(5.0)
        sides = [
            (world.hub_home(APPPROJECTS), "team"),
            (world.hub_home(APPPROJECTS), "agent-2-own"),
            (world.spoke_side("agent-1", APPPROJECTS), "team"),
            (world.spoke_side("agent-2", APPPROJECTS), "own"),
        ]
        before = [(await side.expect(name)).version for side, name in sides]

        for agent in BOTH:
            await world.cut(agent)
            await world.connect(agent)
        await passing(1000.0)

        assert [(await side.expect(name)).version for side, name in sides] == before
