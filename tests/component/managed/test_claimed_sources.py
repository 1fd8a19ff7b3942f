"""An Application of the hub that says itself what it is a copy of: an export, or one that an agent owned before."""

from typing import Any

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.digest import BUCKETS
from argocd_agent.protocol.names import ANNOTATION_PRINCIPAL_UID, ANNOTATION_SOURCE_UID
from tests.support.objects import an_application, path_of
from tests.support.world import HUB_UID, a_world, passing

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


@pytest.mark.feature("A-47")
async def test_a_mirror_from_before_principals_said_who_they_are_is_taken_over_in_place() -> None:
    async with a_world(is_up=False) as world:
        before = await world.spoke_side().create(an_application(annotations={ANNOTATION_SOURCE_UID: "older"}))
        made = await world.hub_side().create(an_application(path="new"))

        await world.start_principal()
        await world.start_agent()
        await world.connect()
        await passing(2.0)

        after = await world.spoke_side().expect("guestbook")
        assert (after.uid, path_of(after)) == (before.uid, "new")
        assert after.annotations[ANNOTATION_SOURCE_UID] == made.uid
        assert after.annotations[ANNOTATION_PRINCIPAL_UID] == HUB_UID
