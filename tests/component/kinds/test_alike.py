"""What holds for projects, repositories and keys alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.names import ANNOTATION_SOURCE_UID, CONFIGMAP_GPG_KEYS
from argocd_agent.resources.kinds import APPPROJECTS, CONFIGMAPS, SECRETS, Api
from argocd_agent.resources.objects import Object, OwnerReference
from tests.component.kinds.test_projects import for_agents, with_spec
from tests.support.objects import a_project
from tests.support.shared import a_repository, text_of, the_keys, with_text
from tests.support.world import World, a_world, passing

OWNER = OwnerReference(api_version="v1", kind="ConfigMap", name="parent", uid="u")


@dataclass(frozen=True)
class Shared:
    """An object of one kind that the hub sends to agent-1, and a change of it."""

    api: Api
    make: Callable[[], Object]
    changed: Callable[[Object], Object]

    @property
    def name(self) -> str:
        return self.make().name


def _with_key(obj: Object) -> Object:
    return obj.with_fields({"data": encode({"B": "other"})})


KINDS = [
    Shared(APPPROJECTS, lambda: for_agents("agent-1"), lambda obj: with_spec(obj, description="new")),
    Shared(SECRETS, a_repository, lambda obj: with_text(obj, password="new")),
    Shared(CONFIGMAPS, lambda: the_keys(A="key"), _with_key),
]
of_each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.api.kind)


async def a_source(world: World, kind: Shared) -> Object:
    """An object of *kind* on the hub, with its project where it needs one."""
    if kind.api is SECRETS:
        await world.hub_home(APPPROJECTS).create(for_agents("agent-1"))
    return await world.hub_home(kind.api).create(kind.make())


def what_counts(obj: Object) -> Any:
    return (obj.look("spec") or {}).get("description"), obj.look("data")


@pytest.mark.feature("A-50")
@of_each_kind
async def test_owners_stay_on_the_hub(kind: Shared) -> None:
    async with a_world() as world:
        made = await a_source(world, kind)
        await world.hub_home(kind.api).update(kind.changed(made).with_metadata(owner_references=(OWNER,)))
        await passing(1.0)

        mirror = await world.spoke_side(api=kind.api).expect(kind.name)
        assert mirror.metadata.owner_references is None


@pytest.mark.feature("P-82", "C-66")
@of_each_kind
@pytest.mark.parametrize("who", ["principal", "agent-1"])
async def test_a_change_while_one_side_was_down_arrives(kind: Shared, who: str) -> None:
    async with a_world() as world:
        made = await a_source(world, kind)
        await passing(1.0)
        await world.stop(who)
        await world.cut()
        changed = await world.hub_home(kind.api).update(kind.changed(made))

        await (world.start_principal() if who == "principal" else world.start_agent())
        await world.connect()
        await passing(2.0)

        assert what_counts(await world.spoke_side(api=kind.api).expect(kind.name)) == what_counts(changed)


@pytest.mark.feature("C-28", "C-31", "C-32")
@of_each_kind
async def test_what_was_edited_while_the_agent_was_down_is_put_right(kind: Shared) -> None:
    async with a_world() as world:
        made = await a_source(world, kind)
        await passing(1.0)
        spoke = world.spoke_side(api=kind.api)
        await world.stop("agent-1")
        await world.cut()
        await spoke.update(kind.changed(await spoke.expect(kind.name)))

        await world.start_agent()
        await world.connect()
        await passing(2.0)

        assert what_counts(await spoke.expect(kind.name)) == what_counts(made)


@pytest.mark.feature("A-104")
@of_each_kind
async def test_another_hub_takes_over_in_place(kind: Shared) -> None:
    async with a_world() as world:
        await a_source(world, kind)
        await passing(1.0)
        before = await world.spoke_side(api=kind.api).expect(kind.name)
        await world.stop("principal")
        await world.cut()
        hub = world.hub_home(kind.api)
        held = await hub.expect(kind.name)
        await hub.delete(kind.name)
        anew = await hub.create(held)

        await world.start_principal("hub-2")
        await world.connect()
        await passing(2.0)

        after = await world.spoke_side(api=kind.api).expect(kind.name)
        assert (after.uid, after.annotations[ANNOTATION_SOURCE_UID]) == (before.uid, anew.uid)


@pytest.mark.feature("A-59")
async def test_a_repository_of_the_spokes_own_without_a_project_is_left_alone() -> None:
    async with a_world() as world:
        own = await world.spoke_side(api=SECRETS).create(a_repository("own", project=None))
        await world.stop("agent-1")
        await world.cut()

        await world.start_agent()
        await world.connect()
        await passing(700.0)

        assert await world.spoke_side(api=SECRETS).expect("own") == own
        assert "own" not in await world.hub_home(SECRETS).names()


@pytest.mark.feature("A-61")
async def test_with_upsert_the_data_of_a_repository_made_anew_stays() -> None:
    async with a_world(agent={"source_uid_mismatch_policy": "upsert"}) as world:
        hub, spoke = world.hub_home(SECRETS), world.spoke_side(api=SECRETS)
        await a_source(world, KINDS[1])
        await passing(1.0)
        before = await spoke.expect("repo")
        await world.stop("principal")
        await world.cut()
        await hub.delete("repo")
        anew = await hub.create(with_text(a_repository(), password="new"))

        await world.start_principal()
        await world.connect()
        await passing(700.0)

        after = await spoke.expect("repo")
        assert text_of(after, "password") == "new"
        assert (after.uid, after.annotations[ANNOTATION_SOURCE_UID]) == (before.uid, anew.uid)


@pytest.mark.feature("A-63")
async def test_an_autonomous_agent_publishes_neither_repositories_nor_keys() -> None:
    async with a_world(autonomous=("agent-1",)) as world:
        await world.spoke_side(api=APPPROJECTS).create(a_project())
        await world.spoke_side(api=SECRETS).create(a_repository())
        await world.spoke_side(api=CONFIGMAPS).create(the_keys(A="key"))
        await passing(2.0)

        assert await world.hub_home(APPPROJECTS).names() == {"agent-1-team"}
        assert "repo" not in await world.hub_home(SECRETS).names()
        assert CONFIGMAP_GPG_KEYS not in await world.hub_home(CONFIGMAPS).names()


@pytest.mark.feature("C-66", "C-28")
@pytest.mark.parametrize("who", ["principal", "agent-1"])
async def test_projects_of_an_autonomous_agent_are_equal_again_after_a_restart(who: str) -> None:
    async with a_world(autonomous=("agent-1",)) as world:
        spoke, hub = world.spoke_side(api=APPPROJECTS), world.hub_home(APPPROJECTS)
        for name in ("goes", "changes", "edited"):
            await spoke.create(a_project(name))
        await passing(1.0)
        await world.stop(who)
        await world.cut()
        await spoke.delete("goes")
        await spoke.update(with_spec(await spoke.expect("changes"), description="new"))
        await spoke.create(a_project("comes"))
        await hub.update(with_spec(await hub.expect("agent-1-edited"), description="wrong"))

        await (world.start_principal() if who == "principal" else world.start_agent())
        await world.connect()
        await passing(2.0)

        assert await hub.names() == {"agent-1-changes", "agent-1-comes", "agent-1-edited"}
        assert (await hub.expect("agent-1-changes")).look("spec")["description"] == "new"
        assert "description" not in (await hub.expect("agent-1-edited")).look("spec")
