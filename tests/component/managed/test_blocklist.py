"""A certificate on the blocklist: its agent's session ends, and it is welcome again when it is taken off."""

import asyncio

import pytest

from argocd_agent.backends.embedded import open_memory
from argocd_agent.principal.blocklist import Blocklist
from argocd_agent.protocol.names import CONFIGMAP_BLOCKLIST
from argocd_agent.resources.kinds import CONFIGMAPS, NAMESPACES
from argocd_agent.resources.objects import Metadata, new_object
from tests.support.world import a_world, passing

FINGERPRINT = "AB" * 32


@pytest.mark.feature("P-18", "P-19", "C-59")
async def test_the_list_follows_its_configmap() -> None:
    cluster = open_memory()
    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name="argocd")))
    told: list[str] = []
    blocklist = Blocklist(cluster, "argocd", told.append, lambda _: None)
    watching = asyncio.create_task(blocklist.run(), name="watch")
    await blocklist.read()
    assert not blocklist.has(FINGERPRINT)

    metadata = Metadata(name=CONFIGMAP_BLOCKLIST, namespace="argocd")
    await cluster.create(CONFIGMAPS, new_object(CONFIGMAPS, metadata, data={FINGERPRINT.lower(): ""}))
    await passing(0.5)
    assert blocklist.has(FINGERPRINT)
    assert told == [FINGERPRINT]
    await cluster.delete(CONFIGMAPS, "argocd", CONFIGMAP_BLOCKLIST)
    await passing(0.5)

    assert not blocklist.has(FINGERPRINT)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


@pytest.mark.feature("P-19", "C-59")
async def test_a_dismissed_agent_loses_its_session() -> None:
    async with a_world() as world:
        assert world.hub is not None

        for agent in world.hub.agents:
            world.hub.dismiss(agent.name, "its certificate is blocked")
        await passing(0.5)

        assert any("certificate is blocked" in ending for ending in world.endings)
