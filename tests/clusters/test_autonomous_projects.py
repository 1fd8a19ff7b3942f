"""AppProjects of an autonomous agent, shown on the hub under a name that says whose they are."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from argocd_agent.backends.ports import Propagation
from argocd_agent.codec import encode
from argocd_agent.protocol.names import ANNOTATION_LAST_UPDATED, ANNOTATION_REFUSED, LABEL_IGNORE_SYNC
from argocd_agent.resources.kinds import APPPROJECTS
from argocd_agent.resources.objects import OwnerReference
from tests.support.applications import FINALIZER, Objects, source_of, unborn, with_description
from tests.support.clusters import RealClusters
from tests.support.objects import a_project, description_of
from tests.support.pairs import AUTONOMOUS, Pair, a_pair, shared_pair
from tests.support.sites import a_name


@pytest.fixture(scope="module")
def pair(clusters: RealClusters) -> Iterator[Pair]:
    """A principal and an autonomous agent, connected."""
    with shared_pair(clusters[0].kubeconfig, clusters[1].kubeconfig, agent=AUTONOMOUS) as running:
        yield running


@pytest.fixture
def name() -> str:
    """Of the project that the test is about, on the spoke."""
    return a_name("team")


def role(name: str, *policies: str) -> dict[str, Any]:
    """One of a project."""
    return {"name": name, "policies": list(policies)}


def rule(project: str, of: str, resource: str, target: str) -> str:
    """A line of the policies of role *of*."""
    return f"p, proj:{project}:{of}, {resource}, get, {target}, allow"


@pytest.mark.feature("P-75", "A-57", "C-27")
async def test_a_project_of_the_spoke_appears_on_the_hub_as_the_agents(pair: Pair, name: str) -> None:
    owner = OwnerReference(api_version="v1", kind="ConfigMap", name="owner", uid="1-2-3")
    wanted = {
        "description": "of the spoke",
        "destinations": [{"name": "in-cluster", "namespace": "web"}, {"server": "https://10.0.0.1", "namespace": "db"}],
        "sourceNamespaces": ["argocd", "team-*"],
        "sourceRepos": ["*"],
    }
    async with pair.projects() as (hub, spoke):
        given = a_project(name, spoke.namespace, spec=wanted, labels={"tier": "web"}, annotations={"team": "shop"})
        own = await spoke.cluster.create(APPPROJECTS, unborn(given.with_metadata(owner_references=(owner,))))

        shown = await hub.until_there(f"{pair.spoke.agent}-{name}")

    there = {"name": pair.spoke.agent, "server": "*"}
    assert shown.look("spec") == {
        **wanted,
        "destinations": [{**there, "namespace": "web"}, {**there, "namespace": "db"}],
        "sourceNamespaces": [pair.spoke.agent],
    }
    assert (shown.labels, shown.annotations["team"], source_of(shown)) == ({"tier": "web"}, "shop", own.uid)
    assert ANNOTATION_LAST_UPDATED in shown.annotations
    assert shown.metadata.owner_references is None


@pytest.mark.feature("P-75", "A-57", "C-27")
async def test_policies_of_its_roles_speak_of_what_the_hub_calls_it(pair: Pair, name: str) -> None:
    agent = pair.spoke.agent
    new = f"{agent}-{name}"
    changed = {
        rule(name, "dev", "applications", f"{name}/*"): rule(new, "dev", "applications", f"{new}/{agent}/*"),
        rule(name, "dev", "logs", f"{name}/shop"): rule(new, "dev", "logs", f"{new}/{agent}/shop"),
        rule(name, "dev", "exec", f"{name}/*"): rule(new, "dev", "exec", f"{new}/{agent}/*"),
    }
    kept = [
        rule(name, "dev", "repositories", f"{name}/*"),
        rule(name, "ops", "applications", f"{name}/*"),
        rule("other", "dev", "applications", "other/*"),
        "g, somebody, role:admin",
    ]
    groups = {"groups": ["team:dev"]}
    async with pair.projects() as (hub, spoke):
        await spoke.create(
            name, spec={"sourceRepos": ["*"], "roles": [{**role("dev", *changed, *kept), **groups}, role("bare")]}
        )

        shown = await hub.until_there(new)

    assert shown.look("spec")["roles"] == [{**role("dev", *changed.values(), *kept), **groups}, role("bare")]


@pytest.mark.feature("P-75", "A-57", "C-27")
async def test_it_follows_the_spoke_and_goes_with_it(pair: Pair, name: str) -> None:
    shown_as = f"{pair.spoke.agent}-{name}"
    async with pair.projects() as (hub, spoke):
        await spoke.create(name, labels={"tier": "web"})
        before = await hub.until_there(shown_as)

        await spoke.change(
            name, lambda obj: with_description("two")(obj).with_metadata(labels=None, finalizers=(FINALIZER,))
        )
        after = await hub.until(shown_as, lambda obj: description_of(obj) == "two", "the change")
        await spoke.delete(name)
        await spoke.finish(name)
        await hub.until_gone(shown_as)

    assert (after.uid, after.labels) == (before.uid, {})
    assert after.metadata.finalizers is None


@pytest.mark.feature("P-76", "C-28")
async def test_an_edit_on_the_hub_is_undone_and_the_spoke_never_sees_it(pair: Pair, name: str) -> None:
    shown_as = f"{pair.spoke.agent}-{name}"
    async with pair.projects() as (hub, spoke):
        own = await spoke.create(name)
        before = await hub.until_there(shown_as)

        await hub.change(shown_as, with_description("wrong"))
        await hub.until(shown_as, lambda obj: not description_of(obj), "put right")
        await hub.change(shown_as, lambda obj: obj.with_metadata(annotations=None))
        await hub.until(shown_as, lambda obj: source_of(obj) == own.uid, "the source again")
        other = {**before.look("spec"), "sourceNamespaces": ["nobody"]}
        await hub.change(shown_as, lambda obj: obj.with_fields({"spec": encode(other)}))
        after = await hub.until(shown_as, lambda obj: obj.look("spec") == before.look("spec"), "whose it is, again")

        assert await spoke.get(name) == own
    assert after.uid == before.uid


@pytest.mark.feature("P-76", "A-55", "C-28")
@pytest.mark.parametrize("how", [Propagation.BACKGROUND, Propagation.FOREGROUND])
async def test_a_deletion_on_the_hub_is_undone(pair: Pair, name: str, how: Propagation) -> None:
    shown_as = f"{pair.spoke.agent}-{name}"
    async with pair.projects() as (hub, spoke):
        own = await spoke.create(name)
        before = await hub.until_there(shown_as)

        await hub.delete(shown_as, how)
        again = await hub.until(shown_as, lambda obj: obj.uid != before.uid, "made again")

        assert await spoke.get(name) == own
    assert again.look("spec") == before.look("spec")
    assert source_of(again) == own.uid


@pytest.mark.feature("A-64", "C-15")
async def test_a_project_labelled_ignore_sync_is_not_shown_for_as_long_as_it_is(pair: Pair, name: str) -> None:
    shown_as = f"{pair.spoke.agent}-{name}"
    async with pair.projects() as (hub, spoke):
        own = await spoke.create(name, labels={LABEL_IGNORE_SYNC: "true"})
        await spoke.create(f"{name}-later")
        await hub.until_there(f"{shown_as}-later")

        assert not await hub.is_there(shown_as)

        await spoke.change(name, lambda obj: obj.with_metadata(labels=None))
        await hub.until_there(shown_as)
        await spoke.change(name, lambda obj: obj.with_metadata(labels={LABEL_IGNORE_SYNC: "true"}))
        await hub.until_gone(shown_as)

        assert (await spoke.get(name)).uid == own.uid


@pytest.mark.feature("P-75", "A-55")
async def test_a_project_of_the_hub_does_not_reach_the_spoke_and_one_in_the_way_stays_the_hubs(
    pair: Pair, name: str
) -> None:
    shown_as = f"{pair.spoke.agent}-{name}"
    async with pair.projects() as (hub, spoke):
        await hub.create(name)
        theirs = await hub.create(shown_as)
        await spoke.create(f"{name}-own")
        await hub.until_there(f"{shown_as}-own")

        assert not await spoke.is_there(name)
        assert not await spoke.is_there(shown_as)

        await spoke.create(name)
        told = await spoke.until(name, lambda obj: ANNOTATION_REFUSED in obj.annotations, "why it is not shown")

        assert await hub.get(shown_as) == theirs
    assert "is the hub's own" in told.annotations[ANNOTATION_REFUSED]


@pytest.mark.feature("P-75", "P-76", "A-57", "C-28", "C-66")
@pytest.mark.parametrize("who", ["agent", "principal", "both"])
async def test_what_happened_to_projects_while_somebody_was_away_is_caught_up_with(
    clusters: RealClusters, who: str
) -> None:
    async with (
        a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig, agent=AUTONOMOUS) as pair,
        pair.projects() as (hub, spoke),
    ):
        names = {"default", "changed", "deleted", "edited", "lost", "kept"}
        for name in names:
            await spoke.create(name)
        await _are_shown(pair, hub, names)
        kept = await hub.get(f"{pair.spoke.agent}-kept")

        for program in {"agent": [pair.agent], "principal": [pair.principal], "both": [pair.agent, pair.principal]}[
            who
        ]:
            await asyncio.to_thread(program.kill)
        await spoke.change("changed", with_description("two"))
        await spoke.delete("deleted")
        await spoke.create("new")
        await hub.change(f"{pair.spoke.agent}-edited", with_description("wrong"))
        await hub.delete(f"{pair.spoke.agent}-lost")
        if who != "agent":
            pair.start_principal()
        if who != "principal":
            pair.start_agent()
        await _are_shown(pair, hub, {*names, "new"} - {"deleted"})
        await hub.until(f"{pair.spoke.agent}-changed", lambda obj: description_of(obj) == "two", "the change")
        await hub.until(f"{pair.spoke.agent}-edited", lambda obj: not description_of(obj), "put right")

        assert await hub.get(f"{pair.spoke.agent}-kept") == kept


async def _are_shown(pair: Pair, hub: Objects, names: set[str]) -> None:
    wanted = {f"{pair.spoke.agent}-{name}" for name in names}
    await hub.until_all(lambda found: found.keys() == wanted, f"{sorted(names)} are shown")
