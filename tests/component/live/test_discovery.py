"""Discovery: read once, read again for what is new, shared by those who ask at the same time."""

import asyncio

import pytest

from argocd_agent.agent.discovery import KEPT_SECONDS, MISSED_SECONDS, Discovery
from argocd_agent.backends.embedded import open_memory
from argocd_agent.backends.embedded.face.raw import EmbeddedRaw
from argocd_agent.backends.ports import RawAnswer, RawRequest
from argocd_agent.errors import Unavailable
from argocd_agent.wire.kubediscovery import Served
from tests.support.world import passing


class Counting(EmbeddedRaw):
    """Counts what it is asked, and takes a second for each."""

    calls = 0
    status = 0

    async def call(self, request: RawRequest, limit_bytes: int) -> RawAnswer:
        self.calls += 1
        await passing(1.0)
        return RawAnswer(self.status, b"") if self.status else await super().call(request, limit_bytes)


async def test_a_list_is_read_once_for_all_who_ask_and_again_when_it_is_old() -> None:
    raw = Counting(open_memory())
    discovery = Discovery(raw)

    found = await asyncio.gather(*[discovery.by_plural("apps", "v1", "deployments") for _ in range(5)])
    other = await discovery.by_kind("apps", "v1", "ReplicaSet")
    once = raw.calls
    await passing(KEPT_SECONDS)
    await discovery.by_kind("apps", "v1", "ReplicaSet")

    assert set(found) == {Served("deployments", "Deployment", True)}
    assert other == Served("replicasets", "ReplicaSet", True)
    assert (once, raw.calls) == (1, 2)


async def test_what_is_not_there_is_looked_for_again_but_not_at_once() -> None:
    raw = Counting(open_memory())
    discovery = Discovery(raw)

    assert await discovery.by_kind("apps", "v1", "Thing") is None
    assert await discovery.by_kind("apps", "v1", "Thing") is None
    at_once = raw.calls
    await passing(MISSED_SECONDS)
    assert await discovery.by_kind("apps", "v1", "Thing") is None

    assert (at_once, raw.calls) == (1, 2)
    assert await discovery.by_kind("nowhere.example", "v1", "Thing") is None
    assert await discovery.by_kind("../../secrets", "v1", "Thing") is None
    assert raw.calls == 3


async def test_one_who_goes_away_while_reading_leaves_the_others_with_an_answer() -> None:
    raw = Counting(open_memory())
    discovery = Discovery(raw)
    first = asyncio.create_task(discovery.by_kind("apps", "v1", "Deployment"))
    second = asyncio.create_task(discovery.by_kind("apps", "v1", "Deployment"))
    await passing(0.5)

    first.cancel()

    assert await second == Served("deployments", "Deployment", True)
    assert raw.calls == 2


async def test_a_cluster_that_does_not_say_is_unavailable_and_asked_again() -> None:
    raw = Counting(open_memory())
    raw.status = 500
    discovery = Discovery(raw)

    for _ in range(2):
        with pytest.raises(Unavailable, match="what /apis/apps/v1 serves: the API server says 500"):
            await discovery.by_kind("apps", "v1", "Deployment")
    assert raw.calls == 2
