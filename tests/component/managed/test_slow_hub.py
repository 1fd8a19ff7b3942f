"""The hub's API is slow about one agent's objects: the others' do not wait."""

import asyncio
from typing import Any

import pytest

from argocd_agent.backends.embedded import EmbeddedCluster
from argocd_agent.codec import encode
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object
from tests.support.objects import an_application
from tests.support.world import a_world, passing

SYNCED = {"health": {"status": "Healthy"}}


class SlowAbout(EmbeddedCluster):
    """*cluster*, but that updates in *namespace* wait until `is_free` is set."""

    def __init__(self, cluster: EmbeddedCluster, namespace: str) -> None:
        super().__init__(cluster.engine, None, 60.0)
        self.namespace, self.is_free = namespace, asyncio.Event()

    async def update(self, api: Api, obj: Object, **options: Any) -> Object:
        if obj.namespace == self.namespace:
            await self.is_free.wait()
        return await super().update(api, obj, **options)


@pytest.mark.feature("P-34")
async def test_slow_writes_about_one_agent_hold_up_no_other() -> None:
    async with a_world("agent-1", "agent-2", is_up=False) as world:
        slow = world.hub_cluster = SlowAbout(world.hub_cluster, "agent-1")
        await world.start_principal()
        for name in ("agent-1", "agent-2"):
            await world.start_agent(name)
            await world.connect(name)
            await world.hub_side(name).create(an_application())
        await passing(0.5)

        for name in ("agent-1", "agent-2"):
            mirror = await world.spoke_side(name).expect("guestbook")
            await world.spoke_side(name).update(mirror.with_fields({"status": encode(SYNCED)}))
        await passing(0.5)
        statuses = [(await world.hub_side(name).expect("guestbook")).look("status") for name in world.spokes]
        slow.is_free.set()
        await passing(0.5)

        assert statuses == [None, SYNCED]
        assert (await world.hub_side("agent-1").expect("guestbook")).look("status") == SYNCED
