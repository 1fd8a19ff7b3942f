"""Our principal with a scripted Go v0.9 agent while the hub's API server takes no writes."""

import pytest

from argocd_agent.errors import Invalid, Unavailable
from tests.conformance.peers.failing import FailingWrites
from tests.conformance.peers.stage import Stage, our_principal
from tests.conformance.peers.with_go_agent import SYNCED, connected, set_status
from tests.support.world import passing


async def failing(stage: Stage) -> FailingWrites:
    """Our principal again, on a cluster whose writes can fail."""
    await stage.stop()
    cluster = stage.world.hub_cluster = FailingWrites(stage.world.hub_cluster)
    await stage.start()
    return cluster


@pytest.mark.feature("P-30")
async def test_a_status_that_cannot_be_written_now_is_acked_when_it_is() -> None:
    async with our_principal() as stage:
        cluster = await failing(stage)
        go = await connected(stage, "one")

        cluster.error = Unavailable("the API server is down")
        set_status(go, "one", dict(SYNCED))
        await passing(60)
        owed = list(go.end.checker.owed)
        before = (await stage.side.expect("one")).look("status")
        cluster.error = None
        await passing(60)

        assert (bool(owed), before) == (True, None)
        assert (await stage.side.expect("one")).look("status") == SYNCED
        assert go.end.checker.owed == []


@pytest.mark.feature("P-29", "P-30")
async def test_a_status_that_the_api_server_refuses_for_good_is_acked() -> None:
    async with our_principal() as stage:
        cluster = await failing(stage)
        go = await connected(stage, "one")

        cluster.error = Invalid("status.health: not like this")
        set_status(go, "one", dict(SYNCED))
        await passing(1)

        assert go.end.checker.owed == []
        cluster.error = None
