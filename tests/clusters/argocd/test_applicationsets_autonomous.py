"""Applications that a generator makes on an autonomous spoke are published to the hub as any other of its own.

Argo CD's applicationset-controller and its application-controller both run on the spoke; the hub only looks.
"""

import pytest

from argocd_agent.backends.ports import Scope
from argocd_agent.resources.kinds import APPLICATIONS, APPLICATIONSETS
from tests.support.applications import revision_of, source_of
from tests.support.applicationsets import ROUND, Generated, is_synced, until_synced
from tests.support.gitserver import GitServer
from tests.support.guestbook import guestbook
from tests.support.pairs import Pair
from tests.support.sites import a_name
from tests.support.watching import watching

SECONDS = 30.0
FEW = 4  # as among managed ones: a loop writes hundreds of times


@pytest.fixture
def generated(autonomous: Pair, git: GitServer) -> Generated:
    repository = git.repository(a_name("set"))
    repository.commit(guestbook("one"))
    return Generated(autonomous.spoke.namespace, repository, to="in-cluster")


@pytest.mark.feature("C-35")
async def test_generated_applications_appear_on_the_hub_and_their_set_does_not(
    autonomous: Pair, generated: Generated
) -> None:
    agent = autonomous.spoke.agent
    async with autonomous.open() as (hub, spoke):
        await generated.create(spoke.cluster)

        mirrors = await until_synced(hub, [generated.one, generated.two])

        sources = [await spoke.get(mirror.name) for mirror in mirrors]
        sets = await hub.cluster.list(APPLICATIONSETS, Scope(agent))
    assert [source_of(mirror) for mirror in mirrors] == [source.uid for source in sources]
    assert {revision_of(mirror) for mirror in mirrors} == {generated.repository.head}
    assert [mirror.look("spec")["project"] for mirror in mirrors] == [f"{agent}-default"] * 2
    assert [mirror.look("spec")["destination"]["name"] for mirror in mirrors] == [agent] * 2
    assert all(mirror.metadata.owner_references is None for mirror in mirrors)
    assert all(source.metadata.owner_references for source in sources)
    assert not sets.items


@pytest.mark.feature("C-35")
async def test_what_the_generator_changes_and_wipes_is_followed_on_the_hub(
    autonomous: Pair, generated: Generated
) -> None:
    async with autonomous.open() as (hub, spoke):
        await generated.create(spoke.cluster)
        before, _ = await until_synced(hub, [generated.one, generated.two])

        await spoke.change(generated.one, lambda obj: obj.with_metadata(annotations={**obj.annotations, "by": "hand"}))
        await generated.annotate(spoke.cluster, "second")
        after = await hub.until(
            generated.one,
            lambda obj: obj.annotations.get(ROUND) == "second" and "by" not in obj.annotations,
            "wiped on the hub too",
            SECONDS,
        )

    assert (after.uid, source_of(after)) == (before.uid, source_of(before))


@pytest.mark.feature("C-35")
async def test_an_application_that_the_generator_makes_anew_is_followed_on_the_hub(
    autonomous: Pair, generated: Generated
) -> None:
    async with autonomous.open() as (hub, spoke):
        await generated.create(spoke.cluster)
        first, _ = await until_synced(hub, [generated.one, generated.two])

        await spoke.delete(generated.one)
        second = await spoke.until(
            generated.one, lambda obj: obj.uid != source_of(first) and is_synced(obj), "made anew, synced", SECONDS
        )
        await hub.until(generated.one, lambda obj: source_of(obj) == second.uid and is_synced(obj), "followed", SECONDS)


@pytest.mark.feature("C-35")
async def test_settled_mirrors_are_not_written_while_others_come_and_go(autonomous: Pair, generated: Generated) -> None:
    other = Generated(generated.namespace, generated.repository, to=generated.to)
    async with autonomous.open() as (hub, spoke):
        await generated.create(spoke.cluster)
        await until_synced(hub, [generated.one, generated.two])
        await generated.annotate(spoke.cluster, "second")
        for name in (generated.one, generated.two):
            await hub.until(name, lambda obj: obj.annotations.get(ROUND) == "second", "the round", SECONDS)

        async with (
            watching(hub.cluster, APPLICATIONS, hub.namespace) as on_hub,
            watching(spoke.cluster, APPLICATIONS, spoke.namespace) as on_spoke,
        ):
            await other.create(spoke.cluster)
            await until_synced(hub, [other.one, other.two])
            await other.delete(spoke.cluster)
            await hub.until_gone(other.one, SECONDS)
            await hub.until_gone(other.two, SECONDS)

    for seen in (on_hub, on_spoke):
        assert seen.of(other.one), "the watch works"
        assert len(seen.of(generated.one)) + len(seen.of(generated.two)) <= FEW


@pytest.mark.feature("C-35")
async def test_a_deleted_set_takes_its_applications_away_on_both_sides(autonomous: Pair, generated: Generated) -> None:
    async with autonomous.open() as (hub, spoke):
        await generated.create(spoke.cluster)
        await until_synced(hub, [generated.one, generated.two])

        await generated.delete(spoke.cluster)

        for name in (generated.one, generated.two):
            await spoke.until_gone(name, SECONDS)
            await hub.until_gone(name, SECONDS)
