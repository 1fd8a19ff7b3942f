"""Applications that a generator makes in an agent's namespace on the hub: they travel as all do, and keep their owner.

Argo CD's applicationset-controller runs on the hub, its application-controller on the spoke, and ours between them.
"""

import asyncio

import pytest

from argocd_agent.backends.ports import Scope
from argocd_agent.resources.kinds import APPLICATIONS, APPLICATIONSETS
from argocd_agent.resources.objects import Object
from tests.support.applications import FINALIZER, revision_of, source_of
from tests.support.applicationsets import ROUND, Generated, a_list, is_synced, until_synced
from tests.support.argocd import ArgoCD
from tests.support.gitserver import GitServer
from tests.support.guestbook import guestbook
from tests.support.pairs import Pair
from tests.support.sites import a_name
from tests.support.watching import watching

SECONDS = 30.0
# A settled Application is still looked at by its controller, which may note that; a loop writes hundreds of times.
FEW = 4


@pytest.fixture
def generated(pair: Pair, git: GitServer) -> Generated:
    repository = git.repository(a_name("set"))
    repository.commit(guestbook("one"))
    return Generated(pair.spoke.agent, repository, to=pair.spoke.agent)


def _owners(obj: Object) -> list[tuple[str, str]]:
    return [(owner.kind, owner.uid) for owner in obj.metadata.owner_references or ()]


@pytest.mark.feature("P-80", "C-34")
async def test_generated_applications_are_deployed_by_the_spoke_and_their_set_stays_on_the_hub(
    pair: Pair, generated: Generated
) -> None:
    async with pair.open() as (hub, spoke):
        await generated.create(hub.cluster)

        done = await until_synced(hub, [generated.one, generated.two])

        sets = await spoke.cluster.list(APPLICATIONSETS, Scope())
    assert {revision_of(obj) for obj in done} == {generated.repository.head}
    assert not sets.items


@pytest.mark.feature("C-34")
async def test_owner_and_finalizer_stay_on_the_hub_whatever_comes_back(
    pair: Pair, hub_argo: ArgoCD, generated: Generated
) -> None:
    async with pair.open() as (hub, spoke):
        made = await generated.create(hub.cluster)
        before, _ = await until_synced(hub, [generated.one, generated.two])
        newest = generated.repository.commit(guestbook("two"))

        full = f"{generated.namespace}/{generated.one}"
        await asyncio.to_thread(hub_argo.run, "app", "sync", full, "--async")
        await hub.until(
            generated.one, lambda obj: revision_of(obj) == newest and is_synced(obj), "the newest is synced", SECONDS
        )

        after, mirror = await hub.get(generated.one), await spoke.get(generated.one)
    assert _owners(before) == _owners(after) == [("ApplicationSet", made.uid)]
    assert before.metadata.finalizers == after.metadata.finalizers == (FINALIZER,)
    assert (mirror.metadata.owner_references, mirror.metadata.finalizers) == (None, (FINALIZER,))


@pytest.mark.feature("A-46", "C-34")
async def test_what_the_generator_wipes_goes_on_the_spoke_and_the_mirror_stays_ours(
    pair: Pair, generated: Generated
) -> None:
    async with pair.open() as (hub, spoke):
        await generated.create(hub.cluster)
        await until_synced(hub, [generated.one])
        before = await spoke.get(generated.one)

        await hub.change(generated.one, lambda obj: obj.with_metadata(annotations={**obj.annotations, "by": "hand"}))
        await generated.annotate(hub.cluster, "second")
        await hub.until(generated.one, lambda obj: obj.annotations == {ROUND: "second"}, "wiped", SECONDS)
        after = await spoke.until(
            generated.one,
            lambda obj: obj.annotations.get(ROUND) == "second" and "by" not in obj.annotations,
            "wiped on the spoke too",
            SECONDS,
        )

    assert (after.uid, source_of(after)) == (before.uid, source_of(before))


@pytest.mark.feature("C-34")
async def test_an_application_that_the_generator_makes_anew_is_followed(pair: Pair, generated: Generated) -> None:
    async with pair.open() as (hub, spoke):
        await generated.create(hub.cluster)
        first, _ = await until_synced(hub, [generated.one, generated.two])

        await hub.delete(generated.one)
        second = await hub.until(
            generated.one, lambda obj: obj.uid != first.uid and is_synced(obj), "made anew, synced", SECONDS
        )
        mirror = await spoke.get(generated.one)

    assert source_of(mirror) == second.uid
    assert _owners(second) == _owners(first)


@pytest.mark.feature("C-34")
async def test_settled_applications_are_not_written_while_others_come_and_go(pair: Pair, generated: Generated) -> None:
    other = Generated(generated.namespace, generated.repository, to=generated.to)
    async with pair.open() as (hub, spoke):
        await generated.create(hub.cluster)
        first, _ = await until_synced(hub, [generated.one, generated.two])
        await hub.delete(generated.one)
        await hub.until(generated.one, lambda obj: obj.uid != first.uid and is_synced(obj), "made anew", SECONDS)
        await generated.annotate(hub.cluster, "second")
        for name in (generated.one, generated.two):
            await spoke.until(name, lambda obj: obj.annotations.get(ROUND) == "second", "the round", SECONDS)

        async with (
            watching(hub.cluster, APPLICATIONS, hub.namespace) as on_hub,
            watching(spoke.cluster, APPLICATIONS, spoke.namespace) as on_spoke,
        ):
            await other.create(hub.cluster)
            await until_synced(hub, [other.one, other.two])
            await other.delete(hub.cluster)
            await hub.until_gone(other.one, SECONDS)
            await hub.until_gone(other.two, SECONDS)

    for seen in (on_hub, on_spoke):
        assert seen.of(other.one), "the watch works"
        assert len(seen.of(generated.one)) + len(seen.of(generated.two)) <= FEW


@pytest.mark.feature("C-34")
async def test_what_is_taken_off_the_list_goes_on_both_sides(pair: Pair, generated: Generated) -> None:
    async with pair.open() as (hub, spoke):
        await generated.create(hub.cluster)
        await until_synced(hub, [generated.one, generated.two])

        await generated.change(hub.cluster, lambda spec: {**spec, "generators": [a_list(generated.two)]})

        await hub.until_gone(generated.one, SECONDS)
        await spoke.until_gone(generated.one, SECONDS)
        assert await hub.is_there(generated.two)
        assert await spoke.is_there(generated.two)


@pytest.mark.feature("C-34")
async def test_a_deleted_set_takes_its_applications_away_on_both_sides(pair: Pair, generated: Generated) -> None:
    async with pair.open() as (hub, spoke):
        await generated.create(hub.cluster)
        await until_synced(hub, [generated.one, generated.two])

        await generated.delete(hub.cluster)

        for name in (generated.one, generated.two):
            await hub.until_gone(name, SECONDS)
            await spoke.until_gone(name, SECONDS)
