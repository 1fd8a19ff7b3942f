"""The programs end, in order or not, and come back: what happened meanwhile is caught up with, without a word lost."""

import asyncio

import pytest

from argocd_agent.codec import encode
from argocd_agent.resources.objects import Object
from tests.support.applications import (
    FINALIZER,
    Applications,
    revision_of,
    source_of,
    synced,
    with_path,
)
from tests.support.clusters import RealClusters
from tests.support.objects import path_of
from tests.support.pairs import a_pair

NAMES = ("changed", "deleted", "remade", "kept")


async def settled(hub: Applications, spoke: Applications) -> None:
    """Four Applications on both sides."""
    for name in NAMES:
        await hub.create(name, path="one")
    for name in NAMES:
        await spoke.until_there(name)


async def meanwhile(hub: Applications) -> Object:
    """What a busy hub does while nobody tells the spoke; the source that was made anew."""
    await hub.change("changed", with_path("two"))
    await hub.delete("deleted")
    await hub.delete("remade")
    await hub.create("new", path="two")
    return await hub.create("remade", path="two")


async def caught_up(spoke: Applications, remade: Object) -> None:
    """All of that has arrived."""
    await spoke.until("changed", lambda obj: path_of(obj) == "two", "the change")
    await spoke.until_gone("deleted")
    await spoke.until_there("new")
    await spoke.until("remade", lambda obj: source_of(obj) == remade.uid, "the new source")


@pytest.mark.feature("A-16", "C-66", "C-95")
@pytest.mark.parametrize("end", ["in order", "at once"])
async def test_what_happened_while_the_principal_was_away_reaches_the_spoke(clusters: RealClusters, end: str) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await settled(hub, spoke)
        kept = await spoke.get("kept")

        pair.principal.stop() if end == "in order" else pair.principal.kill()
        remade = await meanwhile(hub)
        await spoke.change("changed", synced("r1"))
        pair.start_principal()
        await caught_up(spoke, remade)
        await hub.until("changed", lambda obj: revision_of(obj) == "r1", "the status")

        assert await spoke.get("kept") == kept
        assert pair.agent.is_running


@pytest.mark.feature("A-37", "C-5", "C-66", "C-95")
@pytest.mark.parametrize("end", ["in order", "at once"])
async def test_what_happened_while_the_agent_was_away_is_caught_up_with(clusters: RealClusters, end: str) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await settled(hub, spoke)

        pair.agent.stop() if end == "in order" else pair.agent.kill()
        remade = await meanwhile(hub)
        await spoke.change("kept", with_path("drifted"))
        pair.start_agent()
        await caught_up(spoke, remade)
        await spoke.until("kept", lambda obj: path_of(obj) == "one", "the drift put right")

        assert path_of(await hub.get("kept")) == "one"


async def test_a_status_written_while_the_agent_was_away_reaches_the_hub(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await settled(hub, spoke)
        pair.agent.stop()

        await spoke.change("kept", synced("r9"))
        pair.start_agent()
        await hub.until("kept", lambda obj: revision_of(obj) == "r9", "the status")


@pytest.mark.feature("A-38")
async def test_a_mirror_deleted_while_the_agent_was_away_is_made_again(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await settled(hub, spoke)
        pair.agent.stop()

        await spoke.delete("kept")
        pair.start_agent()
        again = await spoke.until_there("kept")

        assert source_of(again) == (await hub.get("kept")).uid


async def test_both_killed_at_once_come_back_to_the_same_picture(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await settled(hub, spoke)
        pair.end()

        remade = await meanwhile(hub)
        await spoke.change("kept", synced("r1"))
        pair.start_agent()
        pair.start_principal()
        await caught_up(spoke, remade)
        await hub.until("kept", lambda obj: revision_of(obj) == "r1", "the status")


async def test_a_cascade_begun_while_the_agent_was_away_ends_on_both_sides(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await hub.create("guestbook", finalizers=(FINALIZER,))
        await spoke.until_there("guestbook")
        pair.agent.kill()

        await hub.delete("guestbook")
        pair.start_agent()
        await spoke.until("guestbook", lambda obj: obj.is_deleting, "the deletion")
        await spoke.finish("guestbook")
        await hub.until_gone("guestbook")


async def test_a_cascade_that_ends_while_the_agent_is_away_ends_on_the_hub(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await hub.create("guestbook", finalizers=(FINALIZER,))
        await spoke.until_there("guestbook")
        await hub.delete("guestbook")
        await spoke.until("guestbook", lambda obj: obj.is_deleting, "the deletion")
        pair.agent.kill()

        await spoke.finish("guestbook")
        await spoke.until_gone("guestbook")
        pair.start_agent()
        await hub.until_gone("guestbook")


async def test_a_cascade_that_goes_on_through_a_restart_of_the_principal_ends(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await hub.create("guestbook", finalizers=(FINALIZER,))
        await spoke.until_there("guestbook")
        await hub.delete("guestbook")
        await spoke.until("guestbook", lambda obj: obj.is_deleting, "the deletion")
        pair.principal.kill()

        await spoke.finish("guestbook")
        await spoke.until_gone("guestbook")
        pair.start_principal()
        await hub.until_gone("guestbook")


async def test_a_sync_asked_for_while_the_principal_was_away_runs(clusters: RealClusters) -> None:
    operation = {"sync": {"revision": "r5"}}
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await settled(hub, spoke)
        pair.principal.kill()

        await hub.change("kept", lambda obj: obj.with_fields({"operation": encode(operation)}))
        pair.start_principal()
        asked = await spoke.until("kept", lambda obj: "operation" in obj.fields, "the operation")
        await spoke.change("kept", lambda obj: obj.with_fields({"operation": None}))
        await hub.until("kept", lambda obj: "operation" not in obj.fields, "the operation taken away")

    assert asked.look("operation") == operation


@pytest.mark.feature("P-7", "C-66")
async def test_a_restart_changes_nothing_that_is_right(clusters: RealClusters) -> None:
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await settled(hub, spoke)
        await spoke.change("kept", synced("r1"))
        await hub.until("kept", lambda obj: revision_of(obj) == "r1", "the status")
        before = [await side.get(name) for side in (hub, spoke) for name in NAMES]

        pair.end()
        pair.start_principal()
        pair.start_agent()
        await pair.ready()
        await hub.create("later")
        await spoke.until_there("later")
        await spoke.change("later", synced("r2"))
        await hub.until("later", lambda obj: revision_of(obj) == "r2", "the status")

        assert [await side.get(name) for side in (hub, spoke) for name in NAMES] == before


@pytest.mark.feature("A-31", "C-66")
async def test_many_applications_are_made_equal_after_both_were_away(clusters: RealClusters) -> None:
    names = [f"app-{number:03}" for number in range(200)]
    changed, deleted, reported = names[:50], names[50:100], names[100:150]
    async with a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair, pair.open() as (hub, spoke):
        await asyncio.gather(*(hub.create(name, path="one") for name in names))
        await spoke.until_all(lambda all_there: len(all_there) == len(names), "all are there")
        pair.end()

        await asyncio.gather(*(hub.change(name, with_path("two")) for name in changed))
        await asyncio.gather(*(hub.delete(name) for name in deleted))
        await asyncio.gather(*(spoke.change(name, synced("r1")) for name in reported))
        pair.start_agent()
        pair.start_principal()
        wanted = {name: "two" if name in changed else "one" for name in names if name not in deleted}
        await spoke.until_all(lambda found: {n: path_of(o) for n, o in found.items()} == wanted, "as on the hub")
        await hub.until_all(lambda found: all(revision_of(found[name]) == "r1" for name in reported), "all statuses")
