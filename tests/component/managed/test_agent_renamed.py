"""An agent that comes under another name, with another one's mirrors: nobody has ordered that they go."""

from tests.support.objects import an_application
from tests.support.world import a_world, passing


async def test_an_agent_under_another_name_loses_no_application() -> None:
    async with a_world("agent-1", "agent-2", is_up=False) as world:
        await world.start_principal()
        await world.start_agent()
        await world.connect()
        await world.hub_side().create(an_application())
        await world.hub_side().create(an_application("goes"))
        await passing(1.0)
        before = await world.spoke_side().expect("guestbook")
        await world.cut()
        await world.hub_side().delete("goes")

        world.spokes = {"agent-2": world.spokes["agent-1"]}
        await world.connect("agent-2")
        await passing(10.0)

        assert await world.spoke_side().expect("guestbook") == before
        assert await world.spoke_side().names() == {"guestbook"}
