"""The main job from end to end, without a cluster: both programs as processes, on embedded API servers.

The same and much more on real API servers: tests/clusters.
"""

from pathlib import Path

import pytest

from argocd_agent.codec import encode
from tests.support.applications import (
    FINALIZER,
    revision_of,
    source_of,
    status_of,
    synced,
    with_path,
    with_status,
)
from tests.support.objects import path_of
from tests.support.pairs import Pair, a_pair
from tests.support.sites import a_name


@pytest.fixture
def name() -> str:
    """Of the Application that the test is about."""
    return a_name("app")


@pytest.mark.feature("P-51", "P-56", "A-32", "A-35", "C-1", "C-4")
async def test_an_application_goes_to_the_spoke_and_its_status_comes_back(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        source = await hub.create(name, path="one", destination={"name": pair.spoke.agent, "namespace": "web"})
        mirror = await spoke.until_there(name)
        await spoke.change(name, synced("r1"))
        known = await hub.until(name, lambda obj: revision_of(obj) == "r1", "the status")

    assert mirror.look("spec")["destination"] == {"name": "in-cluster", "namespace": "web"}
    assert source_of(mirror) == source.uid
    assert known.look("spec") == source.look("spec")


@pytest.mark.feature("P-51", "A-36", "C-2", "C-5")
async def test_a_change_arrives_and_drift_is_put_right(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await hub.create(name, path="one")
        await spoke.until_there(name)

        await hub.change(name, with_path("two"))
        await spoke.until(name, lambda obj: path_of(obj) == "two", "the change")
        await spoke.change(name, with_path("drift"))
        await spoke.until(name, lambda obj: path_of(obj) == "two", "put right")

        assert path_of(await hub.get(name)) == "two"


@pytest.mark.feature("A-38", "C-6")
async def test_a_mirror_deleted_on_the_spoke_is_made_again(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await hub.create(name)
        before = await spoke.until_there(name)

        await spoke.delete(name)
        await spoke.until(name, lambda obj: obj.uid != before.uid, "made again")

        assert await hub.is_there(name)


@pytest.mark.feature("P-58", "C-7")
async def test_a_sync_is_asked_for_runs_and_is_seen_to_end(pair: Pair, name: str) -> None:
    state = {"phase": "Succeeded", "operation": {"sync": {}}, "startedAt": "2026-01-01T00:00:00Z"}
    async with pair.open() as (hub, spoke):
        await hub.create(name)
        await spoke.until_there(name)

        await hub.change(name, lambda obj: obj.with_fields({"operation": encode({"sync": {"revision": "r7"}})}))
        await spoke.until(name, lambda obj: "operation" in obj.fields, "the operation")
        await spoke.change(name, lambda obj: with_status(operationState=state)(obj.with_fields({"operation": None})))
        done = await hub.until(name, lambda obj: "operation" not in obj.fields, "the operation taken away")

    assert status_of(done)["operationState"]["phase"] == "Succeeded"


@pytest.mark.feature("P-51", "P-62", "A-41", "C-3")
async def test_a_deletion_arrives_and_a_cascade_waits_for_the_spoke(pair: Pair, name: str) -> None:
    async with pair.open() as (hub, spoke):
        await hub.create(name)
        await hub.create(f"{name}-cascade", finalizers=(FINALIZER,))
        await spoke.until_there(name)
        await spoke.until_there(f"{name}-cascade")

        await hub.delete(name)
        await hub.delete(f"{name}-cascade")
        await spoke.until_gone(name)
        await spoke.until(f"{name}-cascade", lambda obj: obj.is_deleting, "the deletion")
        waiting = await hub.get(f"{name}-cascade")
        await spoke.finish(f"{name}-cascade")
        await hub.until_gone(f"{name}-cascade")

    assert waiting.is_deleting


@pytest.mark.feature("C-66")
async def test_what_happened_while_both_were_dead_is_caught_up_with(kubeconfigs: tuple[Path, ...]) -> None:
    async with a_pair(*kubeconfigs) as pair, pair.open() as (hub, spoke):
        for name in ("changed", "deleted", "remade"):
            await hub.create(name, path="one")
            await spoke.until_there(name)
        pair.end()

        await hub.change("changed", with_path("two"))
        await hub.delete("deleted")
        await hub.delete("remade")
        remade = await hub.create("remade")
        await spoke.change("changed", synced("r1"))
        pair.start_principal()
        pair.start_agent()
        await spoke.until("changed", lambda obj: path_of(obj) == "two", "the change")
        await spoke.until("remade", lambda obj: source_of(obj) == remade.uid, "the new source")
        await spoke.until_gone("deleted")
        await hub.until("changed", lambda obj: revision_of(obj) == "r1", "the status")
