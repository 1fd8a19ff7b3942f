"""What a spoke's API does not take: said on the hub, gone when it heals, and nobody else's trouble."""

from pathlib import Path

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.names import CONDITION_AGENT_ERROR
from tests.support.applications import FINALIZER, conditions_of, refusal_of, revision_of, status_of, synced, with_path
from tests.support.clusters import ROLES, RealCluster, RealClusters
from tests.support.pairs import Pair, ended
from tests.support.permissions import agent_rules
from tests.support.sites import Spoke, a_name, install_hub, install_spoke, opened


async def restricted(cluster: RealCluster, spoke: Spoke, *verbs: str) -> tuple[str, Path]:
    """A user who may do with Applications what *verbs* say: the name of their role, and their kubeconfig."""
    user = a_name("user")
    return user, await cluster.restricted_user(user, spoke.namespace, agent_rules(applications=verbs))


async def allow_all(cluster: RealCluster, spoke: Spoke, role: str) -> None:
    """Let that user do all that an agent does."""
    async with opened(cluster.kubeconfig) as api:
        held = await api.get(ROLES, spoke.namespace, role)
        await api.update(ROLES, held.with_fields({"rules": encode(agent_rules())}))


@pytest.mark.feature("A-30", "C-67")
async def test_a_refused_creation_is_a_condition_on_the_hub_until_it_is_allowed(clusters: RealClusters) -> None:
    hub_site = await install_hub(clusters[0].kubeconfig)
    site = await install_spoke(hub_site, clusters[1].kubeconfig)
    role, kubeconfig = await restricted(clusters[1], site, "get", "list", "watch", "update", "patch", "delete")
    principal, agent = hub_site.start(), site.start(kubeconfig=kubeconfig)
    with ended(principal, agent):
        pair = Pair(hub_site, site, principal, agent)
        await pair.ready()
        async with pair.open() as (hub, spoke):
            await hub.create("guestbook", path="one")
            refused = await hub.until("guestbook", lambda obj: bool(refusal_of(obj)), "the refusal")

            for word in (site.agent, "cannot create", "applications.argoproj.io", f"{site.namespace}/guestbook"):
                assert word in refusal_of(refused)
            assert not await spoke.is_there("guestbook")

            await allow_all(clusters[1], site, role)
            await hub.change("guestbook", with_path("two"))
            await spoke.until_there("guestbook")
            await hub.until("guestbook", lambda obj: not refusal_of(obj), "no refusal")


@pytest.mark.feature("A-30")
async def test_a_refused_change_is_a_condition_that_survives_status_and_troubles_no_other(
    clusters: RealClusters,
) -> None:
    hub_site = await install_hub(clusters[0].kubeconfig)
    site = await install_spoke(hub_site, clusters[1].kubeconfig)
    role, kubeconfig = await restricted(clusters[1], site, "get", "list", "watch", "create", "delete")
    principal, agent = hub_site.start(), site.start(kubeconfig=kubeconfig)
    with ended(principal, agent):
        pair = Pair(hub_site, site, principal, agent)
        await pair.ready()
        async with pair.open() as (hub, spoke):
            await hub.create("guestbook", path="one")
            await spoke.until_there("guestbook")
            await hub.change("guestbook", with_path("two"))
            refused = await hub.until("guestbook", lambda obj: bool(refusal_of(obj)), "the refusal")
            await hub.create("another")
            await spoke.until_there("another")
            await spoke.change("guestbook", synced("r1"))
            known = await hub.until("guestbook", lambda obj: revision_of(obj) == "r1", "the status")

            assert "cannot update" in refusal_of(refused)
            assert refusal_of(known) == refusal_of(refused)

            await allow_all(clusters[1], site, role)
            await hub.change("guestbook", with_path("three"))
            await hub.until("guestbook", lambda obj: not refusal_of(obj), "no refusal")


async def test_what_was_refused_heals_by_itself_and_leaves_no_trace(clusters: RealClusters) -> None:
    hub_site = await install_hub(clusters[0].kubeconfig)
    site = await install_spoke(hub_site, clusters[1].kubeconfig)
    role, kubeconfig = await restricted(clusters[1], site, "get", "list", "watch", "update", "patch", "delete")
    principal = hub_site.start("--anti-entropy-interval=1s")
    agent = site.start("--anti-entropy-interval=1s", kubeconfig=kubeconfig)
    with ended(principal, agent):
        pair = Pair(hub_site, site, principal, agent)
        await pair.ready()
        async with pair.open() as (hub, spoke):
            await hub.create("guestbook")
            await hub.until("guestbook", lambda obj: bool(refusal_of(obj)), "the refusal")

            await allow_all(clusters[1], site, role)
            mirror = await spoke.until_there("guestbook")
            await hub.until("guestbook", lambda obj: not refusal_of(obj), "no refusal")
            await spoke.change("guestbook", synced("r1"))
            known = await hub.until("guestbook", lambda obj: revision_of(obj) == "r1", "the status")

            assert not refusal_of(mirror)
            assert not refusal_of(known)


async def test_what_was_refused_can_be_deleted_with_its_cascade(clusters: RealClusters) -> None:
    hub_site = await install_hub(clusters[0].kubeconfig)
    site = await install_spoke(hub_site, clusters[1].kubeconfig)
    _, kubeconfig = await restricted(clusters[1], site, "get", "list", "watch", "update", "patch", "delete")
    principal, agent = hub_site.start(), site.start(kubeconfig=kubeconfig)
    with ended(principal, agent):
        pair = Pair(hub_site, site, principal, agent)
        await pair.ready()
        async with pair.open() as (hub, _):
            await hub.create("guestbook", finalizers=(FINALIZER,))
            await hub.until("guestbook", lambda obj: bool(refusal_of(obj)), "the refusal")

            await hub.delete("guestbook")
            await hub.until_gone("guestbook")


async def test_an_application_that_could_not_be_adopted_shows_no_error_once_it_is_made(clusters: RealClusters) -> None:
    hub_site = await install_hub(clusters[0].kubeconfig)
    site = await install_spoke(hub_site, clusters[1].kubeconfig)
    principal, agent = hub_site.start(), site.start("--adoption-policy=never")
    with ended(principal, agent):
        pair = Pair(hub_site, site, principal, agent)
        await pair.ready()
        async with pair.open() as (hub, spoke):
            await spoke.create("guestbook", path="theirs")
            await hub.create("guestbook", path="ours")
            await hub.until("guestbook", lambda obj: CONDITION_AGENT_ERROR in conditions_of(obj), "the condition")

            await spoke.delete("guestbook")
            await hub.change("guestbook", with_path("ours again"))
            mirror = await spoke.until_there("guestbook")
            await spoke.change("guestbook", synced("r1"))
            known = await hub.until("guestbook", lambda obj: revision_of(obj) == "r1", "the status")

    assert CONDITION_AGENT_ERROR not in conditions_of(mirror)
    assert CONDITION_AGENT_ERROR not in conditions_of(known)
    assert status_of(known)["health"] == {"status": "Healthy"}
