"""With an interval between statuses: the first goes at once, then the newest at the end of each interval."""

import pytest

from argocd_agent.codec import encode
from tests.support.objects import an_application
from tests.support.world import a_world, passing


@pytest.mark.feature("A-70", "C-17")
async def test_a_burst_of_statuses_gives_the_first_and_the_last() -> None:
    seen: list[str] = []
    async with a_world(agent={"buffer_informer_event_interval_seconds": 10.0}) as world:
        await world.hub_side().create(an_application())
        await passing(20.0)

        for number in range(50):
            mirror = await world.spoke_side().expect("guestbook")
            health = {"health": {"status": "Healthy", "message": f"m{number}"}}
            await world.spoke_side().update(mirror.with_fields({"status": encode(health)}))
            await passing(0.1)
            message = str((await world.hub_side().expect("guestbook")).look("status")["health"]["message"])
            seen += [message] if message not in seen else []
        await passing(10.0)
        last = (await world.hub_side().expect("guestbook")).look("status")["health"]["message"]

    assert (seen, last) == (["m0"], "m49")


@pytest.mark.feature("A-70")
async def test_a_deletion_is_not_held_back() -> None:
    async with a_world(agent={"buffer_informer_event_interval_seconds": 1000.0}) as world:
        await world.hub_side().create(an_application(finalizers=("resources-finalizer.argocd.argoproj.io",)))
        await passing(0.5)

        await world.hub_side().delete("guestbook")
        await passing(0.5)
        mirror = await world.spoke_side().expect("guestbook")
        await world.spoke_side().update(mirror.with_metadata(finalizers=None))
        await passing(0.5)

        assert await world.hub_side().get("guestbook") is None
