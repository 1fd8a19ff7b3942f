"""`--label-selector` of the agent: what it does not choose does not come, and is not looked at."""

import pytest

from argocd_agent.protocol.names import ANNOTATION_SOURCE_UID
from tests.support.applications import refusal_of, revision_of, source_of, synced
from tests.support.clusters import RealClusters
from tests.support.pairs import a_pair
from tests.support.sites import a_name

CHOSEN = {"tier": "web"}


@pytest.mark.feature("A-65", "C-16")
async def test_what_the_agents_selector_does_not_choose_does_not_come_and_is_not_looked_at(
    clusters: RealClusters,
) -> None:
    chosen, other, theirs = a_name("chosen"), a_name("other"), a_name("theirs")
    async with (
        a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig, agent=["--label-selector=tier=web"]) as pair,
        pair.open() as (hub, spoke),
    ):
        before = await spoke.create(theirs, annotations={ANNOTATION_SOURCE_UID: "of-nobody"})
        source = await hub.create(chosen, labels=CHOSEN)
        mirror = await spoke.until_there(chosen)
        await spoke.change(chosen, synced("r1"))
        await hub.until(chosen, lambda obj: revision_of(obj) == "r1", "the status")
        await spoke.change(chosen, lambda obj: obj.with_metadata(labels=None))
        again = await spoke.until(chosen, lambda obj: obj.labels == CHOSEN, "the label put back")

        await hub.create(other)
        refused = await hub.until(other, lambda obj: bool(refusal_of(obj)), "the refusal")
        assert not await spoke.is_there(other)
        await hub.change(other, lambda obj: obj.with_metadata(labels=CHOSEN))
        await spoke.until_there(other)
        await hub.until(other, lambda obj: not refusal_of(obj), "no refusal")

        assert (again.uid, source_of(again)) == (mirror.uid, source.uid)
        assert "expected labels that the agent's --label-selector chooses (tier=web), found none" in refusal_of(refused)
        assert await spoke.get(theirs) == before
