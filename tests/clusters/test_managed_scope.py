"""Which Applications travel, and for whom: labels, allowed namespaces, registered agents, several agents."""

import asyncio

import pytest

from argocd_agent.demo.seeing import until
from argocd_agent.protocol.names import CONFIGMAP_CONNECTIONS, LABEL_IGNORE_SYNC
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.resources.objects import Object
from tests.support.applications import Applications, Claim, revision_of, source_of, synced, with_path
from tests.support.clusters import RealClusters
from tests.support.objects import path_of
from tests.support.pairs import Pair, a_pair, ended
from tests.support.sites import a_name, install_hub, install_spoke, make_namespace, opened


def ignored(obj: Object) -> Object:
    return obj.with_metadata(labels={LABEL_IGNORE_SYNC: "true"})


def unlabelled(obj: Object) -> Object:
    return obj.with_metadata(labels=None)


async def has_arrived(hub: Applications, spoke: Applications) -> None:
    """Whatever else was to arrive by now has had its turn: an Application that was created later is there."""
    later = a_name("later")
    await hub.create(later)
    await spoke.until_there(later)


@pytest.mark.feature("P-50", "C-15")
async def test_an_application_labelled_ignore_sync_never_travels(clusters: RealClusters) -> None:
    name = a_name("app")
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await hub.create(name, labels={LABEL_IGNORE_SYNC: "true"})
        for number, value in enumerate(("True", "false", "")):
            await hub.create(f"{name}-{number}", labels={LABEL_IGNORE_SYNC: value})
            await spoke.until_there(f"{name}-{number}")
        await has_arrived(hub, spoke)

        assert not await spoke.is_there(name)

        await hub.change(name, unlabelled)
        await spoke.until_there(name)


@pytest.mark.feature("P-50", "C-15")
async def test_an_application_that_gets_the_label_leaves_the_spoke_and_stays_on_the_hub(clusters: RealClusters) -> None:
    name = a_name("app")
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await hub.create(name)
        await spoke.until_there(name)

        await hub.change(name, ignored)
        await spoke.until_gone(name)

        assert await hub.is_there(name)


@pytest.mark.feature("P-49", "C-16")
async def test_only_what_the_label_selector_of_the_principal_chooses_travels(clusters: RealClusters) -> None:
    chosen, other = a_name("chosen"), a_name("other")
    flags = ["--label-selector=tier in (web, api)"]
    async with (
        a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig, principal=flags) as pair,
        pair.open() as (hub, spoke),
    ):
        await hub.create(other, labels={"tier": "db"})
        await hub.create(chosen, labels={"tier": "api"})
        await spoke.until_there(chosen)

        assert not await spoke.is_there(other)

        await hub.change(other, lambda obj: obj.with_metadata(labels={"tier": "web"}))
        await spoke.until_there(other)


@pytest.mark.feature("P-48", "C-21")
@pytest.mark.parametrize("style", ["glob", "regular expression"])
async def test_only_namespaces_that_are_allowed_travel(clusters: RealClusters, style: str) -> None:
    unique = a_name("n")[-8:]
    pattern = f"team-*-{unique}" if style == "glob" else f"/^team-[a-z]+-{unique}$/"
    hub_site = await install_hub(clusters[0].kubeconfig)
    allowed = await install_spoke(hub_site, clusters[1].kubeconfig, agent=f"team-a-{unique}")
    other = await install_spoke(hub_site, clusters[2].kubeconfig, agent=f"guest-a-{unique}")
    principal = hub_site.start(f"--allowed-namespaces={pattern}")
    agents = [allowed.start(), other.start()]
    with ended(principal, *agents):
        first, second = (Pair(hub_site, spoke, principal, a) for spoke, a in zip((allowed, other), agents, strict=True))
        await asyncio.gather(first.ready(), second.ready())
        async with first.open() as (hub, spoke), second.open() as (other_hub, other_spoke):
            await other_hub.create("guestbook")
            await hub.create("guestbook")
            await spoke.until_there("guestbook")
            await has_arrived(hub, spoke)

            assert not await other_spoke.is_there("guestbook")


@pytest.mark.feature("P-36", "P-37")
async def test_an_agent_that_is_not_registered_gets_nothing_until_it_is(clusters: RealClusters) -> None:
    hub_site = await install_hub(clusters[0].kubeconfig)
    site = await install_spoke(hub_site, clusters[1].kubeconfig, registered=False)
    known = await install_spoke(hub_site, clusters[2].kubeconfig)
    principal = hub_site.start()
    agents = [site.start(), known.start()]
    with ended(principal, *agents):
        stranger = Pair(hub_site, site, principal, agents[0])
        await stranger.ready()
        await asyncio.to_thread(agents[1].until_ready)
        async with stranger.open() as (hub, spoke):
            await hub.create("guestbook")
            async with Pair(hub_site, known, principal, agents[1]).open() as (known_hub, known_spoke):
                await has_arrived(known_hub, known_spoke)

            assert not await spoke.is_there("guestbook")
            assert "no cluster Secret" in principal.said(site.agent, "sent nothing until there is one")

            await site.register()
            await spoke.until_there("guestbook")


@pytest.mark.feature("P-39")
async def test_an_agent_whose_secret_is_deleted_is_sent_away_and_keeps_what_it_has(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await hub.create("guestbook", path="one")
        await spoke.until_there("guestbook")

        await pair.spoke.unregister()
        line = await asyncio.to_thread(pair.principal.until_said, "An agent disconnected")
        await hub.change("guestbook", with_path("two"))
        await asyncio.to_thread(pair.principal.until_said, "sent nothing until there is one")

        assert "no longer registered" in line
        assert path_of(await spoke.get("guestbook")) == "one"

        await pair.spoke.register()
        await spoke.until("guestbook", lambda obj: path_of(obj) == "two", "what happened meanwhile")


@pytest.mark.feature("P-51", "C-18", "C-60", "C-68")
async def test_agents_see_only_their_own(clusters: RealClusters) -> None:
    hub_site = await install_hub(clusters[0].kubeconfig)
    sites = [await install_spoke(hub_site, clusters[1 + number % 2].kubeconfig) for number in range(4)]
    principal = hub_site.start()
    agents = [site.start() for site in sites]
    with ended(principal, *agents):
        for number, site in enumerate(sites):
            pair = Pair(hub_site, site, principal, agents[number])
            await pair.ready()
            async with pair.open() as (hub, spoke):
                source = await hub.create("guestbook", path=f"of-{number}")
                mirror = await spoke.until_there("guestbook")
                assert (path_of(mirror), source_of(mirror)) == (f"of-{number}", source.uid)

                await spoke.change("guestbook", synced(f"r{number}"))
                await hub.until("guestbook", _has_revision(f"r{number}"), "its own status")

        for number, site in enumerate(sites):
            async with Pair(hub_site, site, principal, agents[number]).open() as (hub, spoke):
                assert revision_of(await hub.get("guestbook")) == f"r{number}"
                assert path_of(await spoke.get("guestbook")) == f"of-{number}"


async def test_a_namespace_without_an_agent_keeps_its_applications(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        nobodys = a_name("nobody")
        await make_namespace(clusters[0].kubeconfig, nobodys)
        async with opened(clusters[0].kubeconfig) as api:
            before = await Applications(api, nobodys).create("guestbook")
            await has_arrived(hub, spoke)

            assert await Applications(api, nobodys).get("guestbook") == before
        assert not await spoke.is_there("guestbook")


async def test_the_hub_says_in_a_configmap_who_is_connected_and_who_is_not(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, opened(pair.hub.kubeconfig) as api:

        def says(status: str, held: Object | None) -> bool:
            return held is not None and f'"{status}"' in (held.look("data") or {}).get(pair.spoke.agent, "")

        where = (api, CONFIGMAPS, pair.hub.namespace, CONFIGMAP_CONNECTIONS)
        await until(*where, lambda held: says("connected", held), 10, "connected")

        pair.agent.stop()
        gone = await until(*where, lambda held: says("disconnected", held), 10, "disconnected")

    assert gone is not None
    assert '"since"' in gone.look("data")[pair.spoke.agent]


def _has_revision(revision: str) -> Claim:
    return lambda obj: revision_of(obj) == revision
