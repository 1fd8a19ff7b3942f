"""Autonomous agents beside managed ones, in the hub's namespaces, and agents that change from one mode to the other."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from argocd_agent.demo.seeing import until
from argocd_agent.protocol.names import ANNOTATION_SOURCE_UID
from argocd_agent.resources.kinds import NAMESPACES
from tests.support.applications import FINALIZER, Applications, refusal_of, revision_of, source_of, synced, with_path
from tests.support.clusters import RealClusters
from tests.support.objects import path_of
from tests.support.pairs import AUTONOMOUS, Flags, Pair, a_pair, ended
from tests.support.sites import a_name, install_hub, install_spoke, make_namespace

MANAGED: Flags = ("--agent-mode=managed",)


@asynccontextmanager
async def two_pairs(
    clusters: RealClusters, *, principal: Flags = (), names: Sequence[str] = ("", ""), has_hub_namespace: bool = True
) -> AsyncIterator[tuple[Pair, Pair]]:
    """One principal and two autonomous agents."""
    hub = await install_hub(clusters[0].kubeconfig)
    sites = [
        await install_spoke(hub, clusters[1 + i].kubeconfig, agent=name, has_hub_namespace=has_hub_namespace)
        for i, name in enumerate(names)
    ]
    program = hub.start(*principal)
    agents = [site.start(*AUTONOMOUS) for site in sites]
    with ended(program, *agents):
        first, second = (Pair(hub, site, program, agent) for site, agent in zip(sites, agents, strict=True))
        await asyncio.gather(first.ready(), second.ready())
        yield first, second


@pytest.mark.feature("P-70", "C-22")
async def test_a_missing_namespace_is_made_with_labels_if_the_pattern_fits_and_is_asked_for_if_not(
    clusters: RealClusters,
) -> None:
    flags = (
        "--namespace-create-enable",
        "--namespace-create-pattern=^auto-",
        "--namespace-create-labels=team=shop,tier=web",
    )
    names = (a_name("auto"), a_name("other"))
    async with (
        two_pairs(clusters, principal=flags, names=names, has_hub_namespace=False) as (fitting, other),
        fitting.open() as (hub, spoke),
        other.open() as (other_hub, other_spoke),
    ):
        own = await spoke.create("guestbook")
        shown = await hub.until_there("guestbook")
        made = await hub.cluster.get(NAMESPACES, "", names[0])
        await other_spoke.create("guestbook", path="other")
        told = await other_spoke.until("guestbook", lambda obj: bool(refusal_of(obj)), "why it is not shown")
        is_made = await until(hub.cluster, NAMESPACES, "", names[1], lambda held: held is None, 1, "no namespace")

        await make_namespace(other.hub.kubeconfig, names[1])
        await other_hub.until_there("guestbook")
        await other_spoke.until("guestbook", lambda obj: not refusal_of(obj), "no word of it any more")

    assert source_of(shown) == own.uid
    assert {name: made.labels[name] for name in ("team", "tier")} == {"team": "shop", "tier": "web"}
    assert is_made is None
    assert names[1] in refusal_of(told)
    assert "--namespace-create-pattern" in refusal_of(told)


@pytest.mark.feature("P-64", "P-51", "C-60", "C-68")
async def test_agents_of_both_modes_live_side_by_side(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as managed:
        site = await install_spoke(managed.hub, clusters[2].kubeconfig)
        program = site.start(*AUTONOMOUS)
        with ended(program):
            autonomous = Pair(managed.hub, site, managed.principal, program)
            await autonomous.ready()
            async with managed.open() as (hub, spoke), autonomous.open() as (shown, own):
                await hub.create("guestbook", path="of the hub")
                await own.create("guestbook", path="of the spoke")
                mirror = await spoke.until_there("guestbook")
                copy = await shown.until_there("guestbook")
                await spoke.change("guestbook", synced("managed"))
                await own.change("guestbook", synced("autonomous"))
                await hub.until("guestbook", lambda obj: revision_of(obj) == "managed", "the status")
                await shown.until("guestbook", lambda obj: revision_of(obj) == "autonomous", "the status")

                await spoke.change("guestbook", with_path("wrong"))
                await shown.change("guestbook", with_path("wrong"))
                await spoke.until("guestbook", lambda obj: path_of(obj) == "of the hub", "put right")
                await shown.until("guestbook", lambda obj: path_of(obj) == "of the spoke", "put right")
                await hub.delete("guestbook")
                await spoke.until_gone("guestbook")

                assert await shown.is_there("guestbook")
                assert await own.is_there("guestbook")
    assert (path_of(mirror), path_of(copy)) == ("of the hub", "of the spoke")


async def in_mode(pair: Pair, mode: Flags) -> None:
    """Stop the agent, and start it in *mode*."""
    await asyncio.to_thread(pair.agent.stop)
    pair.start_agent(*mode)
    await asyncio.to_thread(pair.agent.until_ready)


async def _follows(source: Applications, copy: Applications, name: str, path: str) -> None:
    """A change on the side of the owner arrives on the other, and an edit there does not last."""
    await source.change(name, with_path(path))
    await copy.until(name, lambda obj: path_of(obj) == path, f"path {path}")
    await copy.change(name, with_path("wrong"))
    await copy.until(name, lambda obj: path_of(obj) == path, "put right")


@pytest.mark.feature("C-66", "C-68")
async def test_an_agent_that_changes_its_mode_and_changes_it_back_loses_nothing(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await hub.create("of-the-hub", path="one", finalizers=(FINALIZER,))
        before = await spoke.until_there("of-the-hub")

        await in_mode(pair, AUTONOMOUS)
        await spoke.create("of-the-spoke", path="one")
        shown = await hub.until_there("of-the-spoke")
        await _follows(spoke, hub, "of-the-spoke", "two")
        told = await spoke.until("of-the-hub", lambda obj: bool(refusal_of(obj)), "that it is the hub's")
        source = await hub.get("of-the-hub")
        await spoke.change("of-the-hub", lambda obj: obj.with_annotations({ANNOTATION_SOURCE_UID: None}))
        await _follows(spoke, hub, "of-the-hub", "two")

        await in_mode(pair, MANAGED)
        await _follows(hub, spoke, "of-the-hub", "three")
        await _follows(hub, spoke, "of-the-spoke", "three")

        after = [await spoke.get(name) for name in ("of-the-hub", "of-the-spoke")]
    assert "is the source of what" in refusal_of(told)
    assert (path_of(source), source.uid) == ("one", source_of(before))
    assert after[0].uid == before.uid
    assert after[1].uid == source_of(shown)


@pytest.mark.feature("P-39", "P-64")
async def test_an_autonomous_agent_that_is_registered_no_more_protects_nothing_and_is_shown_when_it_is_back(
    clusters: RealClusters,
) -> None:
    async with (
        a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig, agent=AUTONOMOUS) as pair,
        pair.open() as (hub, spoke),
    ):
        await spoke.create("guestbook", path="right")
        await hub.until_there("guestbook")

        await pair.spoke.unregister()
        await asyncio.to_thread(pair.principal.until_said, "An agent disconnected")
        await hub.delete("guestbook")
        await hub.until_gone("guestbook")
        await pair.spoke.register()

        again = await hub.until_there("guestbook")
    assert path_of(again) == "right"
