"""Cluster Secrets decide which agents there are, also when one of them names another agent from now on."""

import pytest

from argocd_agent.protocol.names import LABEL_AGENT_NAME
from argocd_agent.resources.kinds import SECRETS
from tests.support.objects import an_application
from tests.support.world import HOME, a_world, passing


@pytest.mark.feature("P-38")
async def test_a_secret_that_names_another_agent_makes_that_one_known() -> None:
    async with a_world("agent-1", "agent-2") as world:
        await world.hub_cluster.delete(SECRETS, HOME, "cluster-agent-2")
        await passing(0.5)
        await world.hub_side("agent-2").create(an_application("there"))

        secret = await world.hub_cluster.get(SECRETS, HOME, "cluster-agent-1")
        labels = {**secret.labels, LABEL_AGENT_NAME: "agent-2"}
        await world.hub_cluster.update(SECRETS, secret.with_metadata(labels=labels))
        await passing(0.5)
        await world.connect("agent-2")

        assert await world.spoke_side("agent-2").names() == {"there"}
        assert any("does not want this agent" in ending for ending in world.endings)
        await world.hub_side("agent-1").create(an_application("unwanted"))
        await world.connect("agent-1")
        assert await world.spoke_side("agent-1").names() == set()
