"""Operations that begin on the spoke, as those of automated syncs do: they run once, and the hub sees them."""

import asyncio

import pytest

from argocd_agent.backends.ports import Scope, WatchType
from argocd_agent.codec import encode
from argocd_agent.resources.kinds import APPLICATIONS
from argocd_agent.resources.objects import Object
from tests.support.applications import Applications, revision_of, status_of, synced, with_status
from tests.support.pairs import Pair
from tests.support.sites import a_name

OPERATION = {"sync": {"revision": "r3"}, "initiatedBy": {"automated": True}}
DONE = {"phase": "Succeeded", "operation": OPERATION, "startedAt": "2026-01-01T00:00:00Z"}


async def times_asked(side: Applications, name: str, since: str, until_revision: str) -> int:
    """How often an operation appeared on the Application from version *since* to the status *until_revision*."""
    count, had = 0, False
    scope = Scope(side.namespace, fields=f"metadata.name={name}")
    async for event in side.cluster.watch(APPLICATIONS, scope, since):
        if event.type is WatchType.BOOKMARK:
            continue
        has = "operation" in event.object.fields
        count, had = count + (has and not had), has
        if revision_of(event.object) == until_revision and not has:
            return count
    raise AssertionError("the watch ended before the last status")


@pytest.mark.parametrize("moment", ["at once", "as soon as the hub has seen it"])
async def test_a_sync_that_the_spoke_starts_by_itself_runs_once(pair: Pair, moment: str) -> None:
    async with pair.open() as (hub, spoke):
        for round_number in range(20):
            name = a_name("app")
            await hub.create(name)
            held = await spoke.until_there(name)
            async with asyncio.TaskGroup() as tasks:
                asked = tasks.create_task(times_asked(spoke, name, held.version, "last"))

                # As Argo CD's controller does: the operation stays while it runs, and goes when it has ended.
                await spoke.change(name, lambda obj: obj.with_fields({"operation": encode(OPERATION)}))
                await spoke.change(name, with_status(operationState={**DONE, "phase": "Running"}))
                if moment != "at once":
                    await hub.until(name, is_running, "the operation as it runs")
                await spoke.change(name, finished)
                await hub.until(name, is_done, "the state of the operation")
                await spoke.change(name, synced("settled"))
                await hub.until(name, lambda obj: revision_of(obj) == "settled", "a round trip later")
                await hub.until(name, lambda obj: "operation" not in obj.fields, "no operation")
                await spoke.change(name, synced("last"))

            assert asked.result() == 1, f"round {round_number}"


def finished(obj: Object) -> Object:
    return with_status(operationState=DONE)(obj.with_fields({"operation": None}))


def is_running(obj: Object) -> bool:
    return bool(status_of(obj).get("operationState", {}).get("phase") == "Running")


def is_done(obj: Object) -> bool:
    return bool(status_of(obj).get("operationState", {}).get("phase") == "Succeeded")
