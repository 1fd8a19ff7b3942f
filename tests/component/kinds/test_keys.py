"""GPG keys: one ConfigMap, for every managed agent."""

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.names import CONFIGMAP_GPG_KEYS, LABEL_IGNORE_SYNC
from argocd_agent.resources.kinds import CONFIGMAPS
from tests.support.shared import the_keys
from tests.support.world import World, a_world, passing


async def held(world: World, agent: str = "agent-1") -> dict[str, str] | None:
    found = await world.spoke_side(agent, CONFIGMAPS).get(CONFIGMAP_GPG_KEYS)
    return None if found is None else found.look("data")


@pytest.mark.feature("P-79", "A-62", "C-32", "C-68")
async def test_keys_go_to_managed_agents_only_and_follow() -> None:
    async with a_world("agent-1", "agent-2", "agent-3", autonomous=("agent-3",)) as world:
        hub = world.hub_home(CONFIGMAPS)
        made = await hub.create(the_keys(A="key"))
        await passing(0.5)
        assert [await held(world, agent) for agent in ("agent-1", "agent-2", "agent-3")] == [{"A": "key"}] * 2 + [None]

        await hub.update(made.with_fields({"data": encode({"B": "key"})}))
        await passing(0.5)
        assert await held(world) == {"B": "key"}

        await hub.delete(CONFIGMAP_GPG_KEYS)
        await passing(0.5)
        assert await held(world) is None


@pytest.mark.feature("A-62")
@pytest.mark.parametrize("policy", ["recreate", "upsert"])
async def test_the_one_that_argo_cd_ships_becomes_the_hubs(policy: str) -> None:
    async with a_world(agent={"source_uid_mismatch_policy": policy}) as world:
        own = await world.spoke_side(api=CONFIGMAPS).create(the_keys(OLD="key"))

        await world.hub_home(CONFIGMAPS).create(the_keys(A="key"))
        await passing(0.5)

        assert await held(world) == {"A": "key"}
        assert (await world.spoke_side(api=CONFIGMAPS).expect(CONFIGMAP_GPG_KEYS)).uid == own.uid


@pytest.mark.feature("A-62", "C-32")
@pytest.mark.parametrize("is_deleted", [True, False])
async def test_what_somebody_does_to_them_on_the_spoke_is_undone(is_deleted: bool) -> None:
    async with a_world() as world:
        spoke = world.spoke_side(api=CONFIGMAPS)
        await world.hub_home(CONFIGMAPS).create(the_keys(A="key"))
        await passing(0.5)

        if is_deleted:
            await spoke.delete(CONFIGMAP_GPG_KEYS)
        else:
            await spoke.update((await spoke.expect(CONFIGMAP_GPG_KEYS)).with_fields({"data": encode({"X": "mine"})}))
        await passing(0.5)

        assert await held(world) == {"A": "key"}


@pytest.mark.feature("A-62")
@pytest.mark.parametrize("policy", ["recreate", "upsert"])
async def test_keys_made_anew_on_the_hub_are_those_of_the_spoke_by_either_policy(policy: str) -> None:
    async with a_world(agent={"source_uid_mismatch_policy": policy}) as world:
        hub = world.hub_home(CONFIGMAPS)
        await hub.create(the_keys(A="key"))
        await passing(0.5)
        before = (await world.spoke_side(api=CONFIGMAPS).expect(CONFIGMAP_GPG_KEYS)).uid
        await world.stop("principal")
        await world.cut()
        await hub.delete(CONFIGMAP_GPG_KEYS)
        await hub.create(the_keys(B="key"))

        await world.start_principal()
        await world.connect()
        await passing(2.0)

        after = (await world.spoke_side(api=CONFIGMAPS).expect(CONFIGMAP_GPG_KEYS)).uid
        assert await held(world) == {"B": "key"}
        assert (after == before) is (policy == "upsert")


@pytest.mark.feature("P-50")
async def test_a_label_keeps_the_keys_at_home_and_lets_them_go_again() -> None:
    async with a_world() as world:
        made = await world.hub_home(CONFIGMAPS).create(the_keys(A="key"))
        await passing(0.5)

        made = await world.hub_home(CONFIGMAPS).update(made.with_metadata(labels={LABEL_IGNORE_SYNC: "true"}))
        await passing(0.5)
        assert await held(world) is None

        await world.hub_home(CONFIGMAPS).update(made.with_metadata(labels=None))
        await passing(0.5)
        assert await held(world) == {"A": "key"}
