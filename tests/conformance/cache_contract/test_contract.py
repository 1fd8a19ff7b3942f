"""The cache in this process passes the contract, on virtual time."""

import pytest

from argocd_agent.backends.redis.memory import MemoryCache
from tests.conformance.cache_contract.contract import CLAIMS, Claim, Place


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
async def test_memory(claim: Claim) -> None:
    cache = MemoryCache()

    async def publish(channel: str, message: str) -> None:
        cache.publish(channel, message.encode())

    await claim(Place(cache, publish, "test"))
