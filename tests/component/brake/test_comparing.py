"""What the brake holds is nothing that a comparison of both ends could put right."""

import logging

import pytest

from tests.support.objects import an_application
from tests.support.world import a_world, passing


async def test_statuses_of_what_is_held_are_not_found_different_again_and_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fast = {"anti_entropy_interval_seconds": 10.0}
    async with a_world(principal=fast, agent=fast) as world:
        for number in range(12):
            await world.hub_side().create(an_application(f"app-{number}"))
        await passing(2.0)
        for number in range(12):
            await world.hub_side().delete(f"app-{number}")
        await passing(5.0)
        held = await world.spoke_side().names()
        caplog.set_level(logging.INFO)

        await passing(100.0)

        assert 1 <= len(held) <= 2
        assert await world.spoke_side().names() == held
        assert [line for line in caplog.messages if "differs" in line] == []
