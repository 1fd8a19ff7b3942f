"""An Application of the hub that says itself what it is a copy of: an export, or one that an agent owned before."""

from typing import Any

from argocd_agent.codec import encode
from argocd_agent.protocol.digest import BUCKETS
from argocd_agent.protocol.names import ANNOTATION_SOURCE_UID
from tests.support.objects import an_application
from tests.support.world import a_world, passing

HEALTHY: dict[str, Any] = {"health": {"status": "Healthy"}}


async def test_its_status_comes_and_it_does_not_differ_for_ever() -> None:
    async with a_world() as world:
        await world.hub_side().create(an_application(annotations={ANNOTATION_SOURCE_UID: "elsewhere"}))
        await passing(2.0)
        made = await world.spoke_side().expect("guestbook")
        await world.spoke_side().update(made.with_fields({"status": encode(HEALTHY)}))
        await passing(2.0)

        assert (await world.hub_side().expect("guestbook")).look("status") == HEALTHY
        assert world.hub is not None
        (agent,) = world.hub.agents
        (entry,) = agent.source.tree.build()[0].entries(range(BUCKETS))
        assert entry.uid == made.annotations[ANNOTATION_SOURCE_UID]
        await world.hub_side().delete("guestbook")
        await passing(2.0)
        assert await world.spoke_side().get("guestbook") is None
