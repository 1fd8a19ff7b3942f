"""What cannot be applied is said where its owner looks, holds up nothing else, and heals by itself."""

from typing import Any

import pytest

from argocd_agent.backends.embedded import EmbeddedCluster
from argocd_agent.backends.ports import Cluster
from argocd_agent.errors import Forbidden, Unavailable
from argocd_agent.protocol.names import CONDITION_REFUSED
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object
from tests.support.objects import an_application
from tests.support.world import World, a_world, passing


class Stubborn:
    """A cluster that answers some writes with an error, and passes everything else on."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self._cluster = cluster
        self.errors: dict[str, Exception] = {}

    async def create(self, api: Api, obj: Object) -> Object:
        if obj.name in self.errors:
            raise self.errors[obj.name]
        return await self._cluster.create(api, obj)

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._cluster, verb)


async def stubborn_spoke(world: World) -> Stubborn:
    """Restart the agent on a cluster that can be made to refuse."""
    await world.cut()
    await world.stop("agent-1")
    cluster = Stubborn(world.spoke_clusters["agent-1"])
    reachable: Cluster = cluster
    world.spoke_clusters["agent-1"] = reachable  # type: ignore[assignment] # as above
    await world.start_agent()
    await world.connect()
    return cluster


def refusals(obj: Object) -> list[str]:
    conditions = (obj.look("status") or {}).get("conditions") or []
    return [c["message"] for c in conditions if c["type"] == CONDITION_REFUSED]


@pytest.mark.feature("A-30", "C-67")
async def test_what_the_spoke_does_not_take_is_shown_on_the_hub_until_it_does() -> None:
    async with a_world() as world:
        spoke = await stubborn_spoke(world)
        spoke.errors["bad"] = Forbidden("cannot create applications: forbidden")

        await world.hub_side().create(an_application("bad"))
        await world.hub_side().create(an_application("good"))
        await passing(0.5)
        said = refusals(await world.hub_side().expect("bad"))
        assert said == ["Agent agent-1 cannot apply this Application: cannot create applications: forbidden"]
        assert await world.spoke_side().names() == {"good"}
        spoke.errors.clear()
        await passing(400.0)

        assert await world.spoke_side().names() == {"good", "bad"}
        assert refusals(await world.hub_side().expect("bad")) == []


@pytest.mark.feature("A-29")
async def test_an_api_that_is_not_there_is_waited_for_and_holds_up_nothing_else() -> None:
    async with a_world() as world:
        spoke = await stubborn_spoke(world)
        spoke.errors["late"] = Unavailable("cannot reach the API server")

        await world.hub_side().create(an_application("late"))
        await world.hub_side().create(an_application("good"))
        await passing(3.0)
        assert await world.spoke_side().names() == {"good"}
        spoke.errors.clear()
        await passing(60.0)

        assert await world.spoke_side().names() == {"good", "late"}
        assert refusals(await world.hub_side().expect("late")) == []
