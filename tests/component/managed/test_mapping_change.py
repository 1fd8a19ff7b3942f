"""Hub and spoke may map Applications differently for a while: nobody's Application goes for that."""

import pytest

from tests.support.objects import an_application
from tests.support.world import a_world, passing

BY_DESTINATION = {"destination_based_mapping": True}


@pytest.mark.parametrize("which", ["principal", "agent-1"])
async def test_when_one_side_begins_to_map_by_destination_no_mirror_is_deleted(which: str) -> None:
    async with a_world() as world:
        await world.hub_side().create(an_application(destination={"name": "agent-1", "namespace": "default"}))
        await passing(1.0)
        before = await world.spoke_side().expect("guestbook")
        await world.stop(which)
        await world.cut()

        settings = world.principal_settings if which == "principal" else world.agent_settings
        settings |= BY_DESTINATION
        await (world.start_principal() if which == "principal" else world.start_agent())
        await world.connect()
        await passing(10.0)

        assert (await world.spoke_side().expect("guestbook")).uid == before.uid
