"""The copies of an autonomous agent's Applications are for its cluster, whatever Argo CD calls that."""

import base64

from argocd_agent.codec import encode
from argocd_agent.resources.kinds import SECRETS
from tests.support.objects import an_application
from tests.support.world import HOME, a_world, passing


async def test_when_the_cluster_gets_another_name_the_copies_follow() -> None:
    async with a_world(autonomous=("agent-1",)) as world:
        await world.spoke_side().create(an_application())
        await passing(1.0)

        secret = await world.hub_cluster.get(SECRETS, HOME, "cluster-agent-1")
        name = base64.b64encode(b"production").decode()
        await world.hub_cluster.update(SECRETS, secret.with_fields({"data": encode({"name": name})}))
        await passing(2.0)

        destination = (await world.hub_side().expect("guestbook")).look("spec")["destination"]
        assert destination == {"name": "production", "namespace": "default"}


async def test_a_name_that_was_given_while_the_principal_was_down_is_followed_when_it_is_back() -> None:
    async with a_world(autonomous=("agent-1",)) as world:
        await world.spoke_side().create(an_application())
        await passing(2.0)
        await world.stop("principal")
        await world.cut()

        secret = await world.hub_cluster.get(SECRETS, HOME, "cluster-agent-1")
        name = base64.b64encode(b"production").decode()
        await world.hub_cluster.update(SECRETS, secret.with_fields({"data": encode({"name": name})}))
        await world.start_principal()
        await passing(2.0)

        assert (await world.hub_side().expect("guestbook")).look("spec")["destination"]["name"] == "production"
