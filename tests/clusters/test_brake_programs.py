"""The brake, by the programs: what an emptied hub would take with it is held, shown on both sides, and decided on."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from argocd_agent.agent.heldfile import deletions_in
from argocd_agent.backends.ports import PatchType
from argocd_agent.codec import encode
from argocd_agent.principal.heldfile import reports_in
from argocd_agent.protocol.names import (
    ANNOTATION_HELD_DELETIONS,
    CLUSTER_SECRET_PREFIX,
    CONDITION_DELETION_HELD,
    CONFIGMAP_CONNECTIONS,
    CONFIGMAP_HELD_DELETIONS,
)
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.resources.objects import Object
from tests.support.applications import (
    FINALIZER,
    Applications,
    Objects,
    conditions_of,
    source_of,
    with_path,
)
from tests.support.clusters import RealClusters
from tests.support.events import until_event
from tests.support.objects import path_of
from tests.support.pairs import Pair, a_pair
from tests.support.programs import CTL, Said, run

GAUGE = "argocd_agent_held_deletions"


def names(count: int) -> list[str]:
    return [f"app-{number:03}" for number in range(count)]


async def settled(hub: Applications, spoke: Applications, count: int, finalizers: Sequence[str] = ()) -> None:
    """So many Applications on both sides."""
    await asyncio.gather(*(hub.create(name, path="one", finalizers=tuple(finalizers) or None) for name in names(count)))
    await spoke.until_all(lambda found: len(found) == count, f"{count} mirrors")


async def emptied(hub: Applications, count: int) -> None:
    """Somebody deletes them all at once."""
    await asyncio.gather(*(hub.delete(name) for name in names(count)))


def shown(pair: Pair, hub: Applications) -> Objects:
    """Where the hub shows what agents hold."""
    return Objects(hub.cluster, pair.hub.namespace, CONFIGMAPS)


async def until_held(pair: Pair, hub: Applications, count: int) -> Object:
    """The ConfigMap on the hub as soon as it says that the agent holds so many."""

    def says(obj: Object) -> bool:
        report = reports_in(obj)[0].get(pair.spoke.agent)
        return report is not None and report.count == count

    return await shown(pair, hub).until(CONFIGMAP_HELD_DELETIONS, says, f"{count} deletions held")


async def until_nothing_held(pair: Pair, hub: Applications, spoke: Applications) -> None:
    await shown(pair, hub).until_gone(CONFIGMAP_HELD_DELETIONS)
    await Objects(spoke.cluster, spoke.namespace, CONFIGMAPS).until_gone(CONFIGMAP_HELD_DELETIONS)


async def until_connection_is(pair: Pair, hub: Applications, status: str) -> None:
    """The hub says so of the agent."""
    await shown(pair, hub).until(
        CONFIGMAP_CONNECTIONS, lambda obj: f'"{status}"' in obj.look("data").get(pair.spoke.agent, ""), status
    )


async def until_marked(spoke: Applications, count: int, *others: str) -> None:
    """So many mirrors say that their deletion is held, and beside them there are *others*."""

    def claim(found: Mapping[str, Object]) -> bool:
        marked = {name for name, obj in found.items() if CONDITION_DELETION_HELD in conditions_of(obj)}
        return len(marked) == count and set(found) == marked | set(others)

    await spoke.until_all(claim, f"{count} mirrors that say that they are held")


async def ctl(pair: Pair, *arguments: str) -> Said:
    variables = {
        "KUBECONFIG": str(pair.hub.kubeconfig),
        "ARGOCD_AGENT_PRINCIPAL_NAMESPACE": pair.hub.namespace,
    }
    return await asyncio.to_thread(run, CTL, ["deletions", *arguments], variables, 60.0)


def gauges(pair: Pair) -> tuple[str, str]:
    """What the metrics of both programs say is held."""
    pages = [
        pair.principal.page("/metrics", pair.hub.metrics_port)[1],
        pair.agent.page("/metrics", pair.spoke.metrics_port)[1],
    ]
    lines = [[line for line in page.splitlines() if line.startswith(GAUGE)] for page in pages]
    return lines[0][0], lines[1][0]


async def test_of_an_emptied_hub_a_part_goes_and_the_rest_is_held_shown_and_released_by_command(
    clusters: RealClusters,
) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        agent = pair.spoke.agent
        await settled(hub, spoke, 40)

        await emptied(hub, 40)
        await until_held(pair, hub, 28)
        await until_marked(spoke, 28)

        on_spoke = await until_event(spoke.cluster, spoke.namespace, CONFIGMAP_HELD_DELETIONS, CONDITION_DELETION_HELD)
        on_hub = await until_event(
            hub.cluster, pair.hub.namespace, CLUSTER_SECRET_PREFIX + agent, CONDITION_DELETION_HELD
        )
        listed = await ctl(pair, "list")
        assert f"{ANNOTATION_HELD_DELETIONS}=release" in on_spoke
        assert f"Agent {agent} holds 28 deletions since" in on_hub
        assert f"argocd-agentctl deletions list {agent}" in on_hub
        assert gauges(pair) == (f'{GAUGE}{{agent_name="{agent}"}} 28', f"{GAUGE} 28")
        assert (listed.status, listed.out.count(f"Application {spoke.namespace}/app-")) == (0, 28)

        pair.agent.kill()
        pair.start_agent()
        await pair.ready()
        await hub.create("later")
        await spoke.until_there("later")
        held = Objects(spoke.cluster, spoke.namespace, CONFIGMAPS)
        assert len(deletions_in(await held.get(CONFIGMAP_HELD_DELETIONS))) == 28
        pair.principal.kill()
        pair.start_principal()
        await pair.ready()
        await until_held(pair, hub, 28)
        await until_connection_is(pair, hub, "connected")
        await until_marked(spoke, 28, "later")

        said = await ctl(pair, "release", agent)
        assert (said.status, said.out) == (0, f"Agent {agent} has carried out the 28 deletions that it held\n")
        await spoke.until_all(lambda found: set(found) == {"later"}, "all are gone but the new one")
        await until_nothing_held(pair, hub, spoke)
        nothing = await ctl(pair, "list")
        assert (nothing.status, nothing.out, nothing.err) == (0, "", nothing.err)
        assert "no deletions are held" in nothing.err
        assert gauges(pair) == (f'{GAUGE}{{agent_name="{agent}"}} 0', f"{GAUGE} 0")


async def test_a_hub_emptied_while_the_agent_was_away_is_held_as_well(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await settled(hub, spoke, 40)
        pair.agent.kill()

        await emptied(hub, 40)
        pair.start_agent()
        await until_held(pair, hub, 28)
        await until_marked(spoke, 28)
        await until_connection_is(pair, hub, "connected")

        said = await ctl(pair, "discard", pair.spoke.agent)
        assert said.status == 0, said
        await until_nothing_held(pair, hub, spoke)

        kept = {name: await spoke.get(name) for name in names(40) if await spoke.is_there(name)}
        assert len(kept) == 28
        assert {(source_of(obj), CONDITION_DELETION_HELD in conditions_of(obj)) for obj in kept.values()} == {
            ("", False)
        }

        name = next(iter(kept))
        source = await hub.create(name, path="again")
        adopted = await spoke.until(name, lambda obj: source_of(obj) == source.uid, "it is the hub's again")
        assert (adopted.uid, path_of(adopted)) == (kept[name].uid, "again")


async def test_a_hub_that_sees_nothing_any_more_takes_nothing_and_all_is_well_when_it_sees_again(
    clusters: RealClusters,
) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await settled(hub, spoke, 40)
        await pair_restarted(pair, "--label-selector=tier=nobodys")
        await until_held(pair, hub, 28)
        await until_marked(spoke, 28)

        pair.principal.kill()
        await hub.change("app-000", with_path("two"))
        pair.start_principal()
        await spoke.until_all(lambda found: len(found) == 40, "all are there")
        await until_nothing_held(pair, hub, spoke)
        await spoke.until("app-000", lambda obj: path_of(obj) == "two", "the change")
        await spoke.until_all(
            lambda found: not any(CONDITION_DELETION_HELD in conditions_of(obj) for obj in found.values()), "unmarked"
        )


async def pair_restarted(pair: Pair, *flags: str) -> None:
    pair.principal.kill()
    pair.start_principal(*flags)
    await pair.ready()


@pytest.mark.parametrize("order", ["release", "discard"])
async def test_cascades_are_held_and_decided_on_by_an_annotation_on_the_spoke(
    clusters: RealClusters, order: str
) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await settled(hub, spoke, 12, finalizers=[FINALIZER])

        await emptied(hub, 12)
        await until_held(pair, hub, 2)
        for name in names(12):
            if (await spoke.get(name)).is_deleting:
                await spoke.finish(name)
        await hub.until_all(lambda found: len(found) == 2, "the hub waits for two")
        held = [name for name in names(12) if await hub.is_there(name)]
        assert [(await spoke.get(name)).is_deleting for name in held] == [False, False]

        patch = encode({"metadata": {"annotations": {ANNOTATION_HELD_DELETIONS: order}}})
        await spoke.cluster.patch(CONFIGMAPS, spoke.namespace, CONFIGMAP_HELD_DELETIONS, patch, PatchType.MERGE)
        if order == "release":
            for name in held:
                await spoke.until(name, lambda obj: obj.is_deleting, "the cascade")
                await spoke.finish(name)
        await hub.until_all(lambda found: not found, "the hub lets go")
        await until_nothing_held(pair, hub, spoke)

        assert [await spoke.is_there(name) for name in held] == [order == "discard"] * 2


async def test_ordinary_deletions_are_never_held(clusters: RealClusters) -> None:
    there, deleted = 60, 18
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await settled(hub, spoke, there)

        await emptied(hub, deleted)
        await spoke.until_all(lambda found: set(found) == set(names(there)[deleted:]), "they are gone")
        said = await ctl(pair, "list", pair.spoke.agent)

        assert (said.status, said.out) == (0, "")
        assert gauges(pair)[1] == f"{GAUGE} 0"


async def test_orders_to_an_agent_that_is_away_stand_until_it_is_back(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await settled(hub, spoke, 12)
        await emptied(hub, 12)
        await until_held(pair, hub, 2)
        pair.agent.kill()
        await until_connection_is(pair, hub, "disconnected")

        said = await ctl(pair, "release", pair.spoke.agent)
        assert said.status != 0
        assert f"agent {pair.spoke.agent} is not connected since" in said.err
        assert "the order to release stands" in said.err

        pair.start_agent()
        await spoke.until_all(lambda found: not found, "the order is obeyed")
        await until_nothing_held(pair, hub, spoke)
        unknown = await ctl(pair, "release", "nobody")
        assert unknown.status != 0
        assert f"expected {pair.spoke.agent}" in unknown.err
