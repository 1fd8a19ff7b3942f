"""Argo CD on the hub is told which clusters are connected, and how much there is on them."""

import pytest

from argocd_agent.resources.cluster import cluster_entry
from argocd_agent.resources.kinds import SECRETS
from argocd_agent.wire.cachevalues import ClusterInfo, Compression, cluster_info_key, read_cluster_info
from tests.support.world import HOME, World, a_world, passing


async def shown(world: World, agent: str = "agent-1") -> ClusterInfo | None:
    entry = cluster_entry(await world.hub_cluster.get(SECRETS, HOME, f"cluster-{agent}"))
    assert entry is not None
    value = await world.hub_cache.get(cluster_info_key(entry.server, Compression.GZIP))
    return None if value is None else read_cluster_info(value)


@pytest.mark.feature("P-41", "P-42", "C-37")
@pytest.mark.parametrize("autonomous", [(), ("agent-1",)])
async def test_a_connection_is_shown_as_long_as_it_lasts(autonomous: tuple[str, ...]) -> None:
    async with a_world(autonomous=autonomous) as world:
        await passing(3600.0)
        found = await shown(world)
        assert found is not None
        assert found.connection.status == "Successful"

        await world.cut()
        await passing(1.0)

        found = await shown(world)
        assert found is not None
        assert found.connection.status == "Failed"
