"""Comparing after a gap: what has run does not run again, and an answer that makes no sense costs nothing."""

import pytest

from argocd_agent.codec import encode
from argocd_agent.errors import EventRefused
from argocd_agent.protocol.digest import BUCKETS
from argocd_agent.protocol.events import AgentName, EventType, Target
from argocd_agent.wire.antientropy import DigestEntries
from tests.support.objects import an_application
from tests.support.world import a_world, passing

RAN = {
    "operationState": {
        "phase": "Succeeded",
        "operation": {"sync": {}},
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:00Z",
    }
}


async def test_an_operation_that_ran_while_the_principal_was_away_is_not_run_again() -> None:
    async with a_world() as world:
        hub, spoke = world.hub_side(), world.spoke_side()
        created = await hub.create(an_application())
        await passing(1.0)
        await hub.update(created.with_fields({"operation": encode({"sync": {}})}))
        await passing(1.0)
        await world.stop("principal")
        await world.cut()
        mirror = await spoke.expect("guestbook")
        assert mirror.look("operation") == {"sync": {}}
        ended = await spoke.update(mirror.with_fields({"operation": None, "status": encode(RAN)}))
        await passing(1.0)

        await world.start_principal()
        await world.connect()
        await passing(60.0)

        assert await spoke.expect("guestbook") == ended
        assert "operation" not in (await hub.expect("guestbook")).fields
        assert (await hub.expect("guestbook")).look("status") == RAN


@pytest.mark.parametrize("buckets", [(BUCKETS,), (0, 4095), (7,) * 4097])
async def test_an_answer_about_buckets_that_are_none_is_refused(buckets: tuple[int, ...]) -> None:
    async with a_world() as world:
        assert world.hub is not None
        agent = world.hub.agents.get(AgentName("agent-1"))
        assert agent is not None
        answer = DigestEntries(tree="spec", buckets=buckets, entries=())

        with pytest.raises(EventRefused):
            await agent.entropy.handle(agent.link.message(Target.RESYNC, EventType.DIGEST_ENTRIES, answer))
