"""The clusters that all tests of this lane share: started once, when the first test asks."""

from collections.abc import Iterator

import pytest

from tests.support.clusters import RealClusters, real_clusters


@pytest.fixture(scope="session")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealClusters]:
    """Three real API servers: a hub and two spokes, or whatever a test makes of them."""
    with real_clusters(tmp_path_factory.mktemp("clusters"), count=3) as running:
        yield running
