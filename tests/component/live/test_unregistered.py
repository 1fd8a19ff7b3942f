"""Nobody is asked any more once the hub no longer knows the agent, and asks again when it does."""

import pytest

from argocd_agent.errors import AgentAway
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import CLUSTER_SECRET_PREFIX
from argocd_agent.resources.kinds import NAMESPACES, SECRETS
from argocd_agent.wire.payloads import decode
from argocd_agent.wire.requests import ResourceResponse
from tests.support.liveline import a_question
from tests.support.world import HOME, World, a_world, passing

ONE = AgentName("agent-1")


async def answer_of(world: World) -> int:
    """The status with which the agent answers a request for what there is."""
    assert world.hub is not None
    async with world.hub.live.ask.asked(ONE, "ui", a_question("GET", "/api/v1")) as replies:
        return decode((await replies.next()).data, ResourceResponse).status


@pytest.mark.feature("P-39")
async def test_without_its_secret_an_agent_is_not_asked() -> None:
    async with a_world() as world:
        assert await answer_of(world) == 200

        await world.hub_cluster.delete(SECRETS, HOME, f"{CLUSTER_SECRET_PREFIX}{ONE}")
        await passing(1.0)

        with pytest.raises(AgentAway):
            await answer_of(world)


@pytest.mark.feature("P-40")
async def test_without_its_namespace_an_agent_is_not_asked() -> None:
    async with a_world(autonomous=(ONE,)) as world:
        assert await answer_of(world) == 200

        await world.hub_cluster.delete(NAMESPACES, "", ONE)
        await passing(1.0)

        with pytest.raises(AgentAway):
            await answer_of(world)
