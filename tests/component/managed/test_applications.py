"""Applications of a managed agent, there and back: what a user does on either side, and what becomes of it."""

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.names import (
    ANNOTATION_ADOPTION_POLICY,
    ANNOTATION_PRINCIPAL_UID,
    ANNOTATION_REFRESH,
    ANNOTATION_SOURCE_UID,
    CONDITION_AGENT_ERROR,
    LABEL_IGNORE_SYNC,
)
from argocd_agent.resources.kinds import SECRETS
from tests.support.objects import an_application, at_path, path_of
from tests.support.world import HUB_UID, a_world, passing

SYNCED = {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}


def ran(phase: str) -> dict[str, object]:
    """A status with an operation in *phase*."""
    return {"operationState": {"phase": phase, "operation": {"sync": {}}, "startedAt": "2026-01-01T00:00:00Z"}}


@pytest.mark.feature("P-51", "A-32", "C-1", "C-18")
async def test_what_is_created_on_the_hub_is_created_on_its_spoke_only() -> None:
    async with a_world("agent-1", "agent-2") as world:
        created = await world.hub_side("agent-1").create(an_application(labels={"x": "y"}))
        await passing(0.5)

        mirror = await world.spoke_side("agent-1").expect("guestbook")
        assert mirror.annotations == {ANNOTATION_SOURCE_UID: created.uid, ANNOTATION_PRINCIPAL_UID: HUB_UID}
        assert mirror.look("spec")["destination"] == {"name": "in-cluster", "namespace": "default"}
        assert mirror.labels == {"x": "y"}
        assert await world.spoke_side("agent-2").names() == set()


@pytest.mark.feature("P-51", "A-33", "C-2")
async def test_a_change_on_the_hub_arrives() -> None:
    async with a_world() as world:
        created = await world.hub_side().create(an_application())
        await passing(0.5)

        await world.hub_side().update(at_path(created, "other"))
        await passing(0.5)

        assert path_of(await world.spoke_side().expect("guestbook")) == "other"


@pytest.mark.feature("P-56", "A-35", "C-4")
async def test_a_status_comes_back_and_changes_nothing_else() -> None:
    async with a_world() as world:
        created = await world.hub_side().create(an_application(labels={"x": "y"}))
        await passing(0.5)
        mirror = await world.spoke_side().expect("guestbook")

        await world.spoke_side().update(mirror.with_fields({"status": encode(SYNCED)}))
        await passing(0.5)

        source = await world.hub_side().expect("guestbook")
        assert source.look("status") == SYNCED
        assert (source.labels, source.annotations, source.fields["spec"]) == (
            created.labels,
            created.annotations,
            created.fields["spec"],
        )


@pytest.mark.feature("P-56", "P-58", "A-48", "C-7")
async def test_an_operation_runs_on_the_spoke_and_is_gone_from_the_hub_when_it_began() -> None:
    async with a_world() as world:
        created = await world.hub_side().create(an_application())
        await passing(0.5)

        await world.hub_side().update(created.with_fields({"operation": encode({"sync": {}})}))
        await passing(0.5)
        mirror = await world.spoke_side().expect("guestbook")
        assert mirror.look("operation") == {"sync": {}}
        running = ran("Running")
        await world.spoke_side().update(mirror.with_fields({"operation": None, "status": encode(running)}))
        await passing(0.5)

        source = await world.hub_side().expect("guestbook")
        assert "operation" not in source.fields
        assert source.look("status") == running


async def test_an_operation_waits_for_the_one_that_runs_and_holds_up_nothing_else() -> None:
    async with a_world() as world:
        created = await world.hub_side().create(an_application())
        await passing(0.5)
        mirror = await world.spoke_side().expect("guestbook")
        busy = {"operation": encode({"sync": {"prune": True}}), "status": encode(ran("Running"))}
        await world.spoke_side().update(mirror.with_fields(busy))
        await passing(0.5)

        source = await world.hub_side().expect("guestbook")
        assert "operation" not in source.fields
        wish = await world.hub_side().update(source.with_fields({"operation": encode({"sync": {}})}))
        await passing(0.5)
        await world.hub_side().update(at_path(wish, "other"))
        await passing(0.5)
        running = await world.spoke_side().expect("guestbook")
        assert (running.look("operation"), path_of(running)) == ({"sync": {"prune": True}}, "other")
        await world.spoke_side().update(running.with_fields({"operation": None, "status": encode(ran("Succeeded"))}))
        await passing(0.5)

        assert (await world.spoke_side().expect("guestbook")).look("operation") == {"sync": {}}
        assert created.uid == (await world.hub_side().expect("guestbook")).uid


@pytest.mark.feature("P-59", "A-49", "C-7")
async def test_an_operation_ends_when_the_hub_says_so() -> None:
    async with a_world() as world:
        await world.hub_side().create(an_application())
        await passing(0.5)
        running = ran("Running")
        mirror = await world.spoke_side().expect("guestbook")
        await world.spoke_side().update(mirror.with_fields({"status": encode(running)}))
        await passing(0.5)

        source = await world.hub_side().expect("guestbook")
        ended = ran("Terminating")
        await world.hub_side().update(source.with_fields({"status": encode(ended)}))
        await passing(0.5)

        assert (await world.spoke_side().expect("guestbook")).look("status") == ended


@pytest.mark.feature("P-57", "C-7")
async def test_a_refresh_goes_there_and_is_gone_when_it_is_done() -> None:
    async with a_world() as world:
        created = await world.hub_side().create(an_application())
        await passing(0.5)

        await world.hub_side().update(created.with_annotations({ANNOTATION_REFRESH: "normal"}))
        await passing(0.5)
        mirror = await world.spoke_side().expect("guestbook")
        assert mirror.annotations[ANNOTATION_REFRESH] == "normal"
        await world.spoke_side().update(mirror.with_annotations({ANNOTATION_REFRESH: None}))
        await passing(0.5)

        assert ANNOTATION_REFRESH not in (await world.hub_side().expect("guestbook")).annotations
        assert ANNOTATION_REFRESH not in (await world.spoke_side().expect("guestbook")).annotations


@pytest.mark.feature("P-51", "A-40", "C-3")
async def test_what_is_deleted_on_the_hub_is_deleted_on_the_spoke() -> None:
    async with a_world() as world:
        await world.hub_side().create(an_application())
        await passing(0.5)

        await world.hub_side().delete("guestbook")
        await passing(0.5)

        assert await world.spoke_side().get("guestbook") is None


@pytest.mark.feature("P-62", "A-41", "C-3")
async def test_a_cascade_runs_on_the_spoke_before_the_hub_lets_go() -> None:
    finalizers = ("resources-finalizer.argocd.argoproj.io",)
    async with a_world() as world:
        await world.hub_side().create(an_application(finalizers=finalizers))
        await passing(0.5)

        await world.hub_side().delete("guestbook")
        await passing(0.5)
        mirror = await world.spoke_side().expect("guestbook")
        assert mirror.is_deleting
        assert await world.hub_side().get("guestbook") is not None
        await world.spoke_side().update(mirror.with_metadata(finalizers=None))
        await passing(0.5)

        assert await world.spoke_side().get("guestbook") is None
        assert await world.hub_side().get("guestbook") is None


@pytest.mark.feature("A-36", "C-5")
async def test_drift_on_the_spoke_is_put_right() -> None:
    async with a_world() as world:
        await world.hub_side().create(an_application())
        await passing(0.5)
        mirror = await world.spoke_side().expect("guestbook")

        await world.spoke_side().update(at_path(mirror, "drifted"))
        await passing(0.5)

        assert path_of(await world.spoke_side().expect("guestbook")) == "guestbook"
        assert path_of(await world.hub_side().expect("guestbook")) == "guestbook"


async def test_a_mirror_that_lost_its_identity_gets_it_back() -> None:
    async with a_world() as world:
        created = await world.hub_side().create(an_application())
        await passing(0.5)
        mirror = await world.spoke_side().expect("guestbook")

        await world.spoke_side().update(mirror.with_metadata(annotations=None))
        await passing(0.5)

        assert (await world.spoke_side().expect("guestbook")).annotations[ANNOTATION_SOURCE_UID] == created.uid


@pytest.mark.feature("A-38", "A-39", "C-6")
@pytest.mark.parametrize(
    ("policy", "status", "operation"),
    [
        ("ignore", {**ran("Succeeded"), **SYNCED}, None),
        ("clear-status", SYNCED, None),
        ("resync", {**ran("Succeeded"), **SYNCED}, {"sync": {}}),
    ],
)
async def test_a_deletion_on_the_spoke_is_undone(
    policy: str, status: dict[str, object], operation: dict[str, object] | None
) -> None:
    async with a_world(agent={"on_application_recreate": policy}) as world:
        await world.hub_side().create(an_application())
        await passing(0.5)
        mirror = await world.spoke_side().expect("guestbook")
        await world.spoke_side().update(mirror.with_fields({"status": encode({**ran("Succeeded"), **SYNCED})}))

        await world.spoke_side().delete("guestbook")
        await passing(0.5)

        again = await world.spoke_side().expect("guestbook")
        assert again.uid != mirror.uid
        assert again.fields["spec"] == mirror.fields["spec"]
        assert (again.look("status"), again.look("operation")) == (status, operation)
        assert (await world.hub_side().expect("guestbook")).look("status") == status


@pytest.mark.feature("A-42")
async def test_a_source_made_anew_ends_with_a_mirror_of_the_new_one() -> None:
    async with a_world() as world:
        await world.hub_side().create(an_application(finalizers=None))
        await passing(0.5)
        mirror = await world.spoke_side().expect("guestbook")
        await world.spoke_side().update(mirror.with_metadata(finalizers=("held/up",)))

        await world.hub_side().delete("guestbook")
        again = await world.hub_side().create(an_application(path="anew"))
        await passing(0.5)
        held = await world.spoke_side().expect("guestbook")
        assert held.is_deleting
        await world.spoke_side().update(held.with_metadata(finalizers=None))
        await passing(0.5)

        final = await world.spoke_side().expect("guestbook")
        assert final.annotations[ANNOTATION_SOURCE_UID] == again.uid
        assert path_of(final) == "anew"


@pytest.mark.feature("A-44", "C-8")
async def test_what_was_on_the_spoke_before_is_adopted_and_its_status_told() -> None:
    async with a_world() as world:
        before = await world.spoke_side().create(an_application(path="local", status=SYNCED))

        created = await world.hub_side().create(an_application(path="hub"))
        await passing(0.5)

        mirror = await world.spoke_side().expect("guestbook")
        assert mirror.uid == before.uid
        assert (path_of(mirror), mirror.annotations[ANNOTATION_SOURCE_UID]) == ("hub", created.uid)
        assert (await world.hub_side().expect("guestbook")).look("status") == SYNCED


@pytest.mark.feature("P-60", "A-44", "C-8")
async def test_what_may_not_be_adopted_stays_and_the_hub_shows_it() -> None:
    async with a_world() as world:
        local = an_application(path="local", annotations={ANNOTATION_ADOPTION_POLICY: "never"})
        await world.spoke_side().create(local)

        await world.hub_side().create(an_application(path="hub"))
        await passing(0.5)

        assert path_of(await world.spoke_side().expect("guestbook")) == "local"
        status = (await world.hub_side().expect("guestbook")).look("status")
        assert status["health"] == {"status": "Degraded"}
        assert [condition["type"] for condition in status["conditions"]] == [CONDITION_AGENT_ERROR]


@pytest.mark.feature("P-50", "C-15")
async def test_the_label_ignore_sync_takes_the_mirror_away_and_gives_it_back() -> None:
    async with a_world() as world:
        created = await world.hub_side().create(an_application())
        await passing(0.5)

        hidden = await world.hub_side().update(created.with_metadata(labels={LABEL_IGNORE_SYNC: "true"}))
        await passing(0.5)
        assert await world.spoke_side().get("guestbook") is None
        await world.hub_side().update(hidden.with_metadata(labels=None))
        await passing(0.5)

        assert await world.spoke_side().get("guestbook") is not None


@pytest.mark.feature("C-9")
async def test_what_is_nobodys_stays_as_it_is() -> None:
    async with a_world() as world:
        local = await world.spoke_side().create(an_application("local"))

        await world.spoke_side().update(at_path(local, "other"))
        await world.cut()
        await world.connect()

        assert path_of(await world.spoke_side().expect("local")) == "other"
        assert await world.hub_side().names() == set()


@pytest.mark.feature("P-32")
async def test_many_quick_changes_end_with_the_last() -> None:
    async with a_world() as world:
        current = await world.hub_side().create(an_application())

        for number in range(50):
            current = await world.hub_side().update(at_path(current, f"path-{number}"))
        await passing(0.5)

        assert path_of(await world.spoke_side().expect("guestbook")) == "path-49"


@pytest.mark.feature("P-36", "P-37")
async def test_an_unregistered_agent_gets_nothing_until_it_is_registered() -> None:
    async with a_world("agent-1") as world:
        await world.hub_side().create(an_application("there"))
        await passing(0.5)
        secret = "cluster-agent-1"
        await world.hub_cluster.delete(SECRETS, "argocd", secret)
        await passing(0.5)
        assert any("does not want this agent" in ending for ending in world.endings)
        await world.hub_side().create(an_application("new"))
        await world.connect()
        assert await world.spoke_side().names() == {"there"}

        await world.register("agent-1")
        await passing(0.5)

        assert await world.spoke_side().names() == {"there", "new"}
