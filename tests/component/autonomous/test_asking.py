"""What users ask for on the hub runs on an autonomous spoke; whatever else the hub says, the spoke does not take."""

import dataclasses
from typing import Any

import pytest

from argocd_agent.codec import encode
from argocd_agent.errors import EventDiscarded, EventRefused
from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.names import ANNOTATION_REFRESH
from argocd_agent.resources.kinds import APPPROJECTS
from argocd_agent.resources.objects import Object
from tests.support.builders import an_event
from tests.support.objects import an_application, at_path, path_of
from tests.support.world import a_world, passing

NAME = "agent-1"
OUT_OF_SYNC = {"health": {"status": "Progressing"}}
AUTONOMOUS: dict[str, Any] = {"autonomous": (NAME,)}
SYNC = {"sync": {"revision": "abc"}}


def state(phase: str) -> dict[str, Any]:
    """A status with an operation in *phase*."""
    return {"operationState": {"phase": phase, "operation": SYNC, "startedAt": "2026-01-01T00:00:00Z"}}


@pytest.mark.feature("A-52", "A-53", "C-13")
@pytest.mark.parametrize("annotations", [None, {"team": "a"}])
async def test_a_refresh_reaches_the_spoke_and_leaves_the_hub_when_it_is_done(
    annotations: dict[str, str] | None,
) -> None:
    async with a_world(**AUTONOMOUS) as world:
        await world.spoke_side().create(an_application(annotations=annotations))
        await passing(0.5)

        shown = await world.hub_side().expect("guestbook")
        await world.hub_side().update(shown.with_annotations({ANNOTATION_REFRESH: "hard"}))
        await passing(0.5)
        own = await world.spoke_side().expect("guestbook")
        assert own.annotations[ANNOTATION_REFRESH] == "hard"
        await world.spoke_side().update(own.with_annotations({ANNOTATION_REFRESH: None}))
        await passing(0.5)

        assert ANNOTATION_REFRESH not in (await world.hub_side().expect("guestbook")).annotations
        assert ANNOTATION_REFRESH not in (await world.spoke_side().expect("guestbook")).annotations


async def test_a_refresh_of_the_spokes_own_does_not_come_back_to_it() -> None:
    async with a_world(**AUTONOMOUS) as world:
        made = await world.spoke_side().create(an_application())
        await passing(0.5)

        made = await world.spoke_side().update(made.with_annotations({ANNOTATION_REFRESH: "normal"}))
        await world.spoke_side().update(made.with_annotations({ANNOTATION_REFRESH: None}))
        await passing(5.0)

        assert ANNOTATION_REFRESH not in (await world.spoke_side().expect("guestbook")).annotations
        assert ANNOTATION_REFRESH not in (await world.hub_side().expect("guestbook")).annotations


@pytest.mark.feature("A-54", "C-13")
async def test_a_sync_asked_for_on_the_hub_runs_on_the_spoke_once() -> None:
    async with a_world(**AUTONOMOUS) as world:
        await world.spoke_side().create(an_application())
        await passing(0.5)

        shown = await world.hub_side().expect("guestbook")
        await world.hub_side().update(shown.with_fields({"operation": encode(SYNC)}))
        await passing(0.5)
        own = await world.spoke_side().expect("guestbook")
        assert own.look("operation") == SYNC
        await world.spoke_side().update(own.with_fields({"operation": None, "status": encode(state("Running"))}))
        await passing(2.0)

        assert "operation" not in (await world.hub_side().expect("guestbook")).fields
        assert "operation" not in (await world.spoke_side().expect("guestbook")).fields
        assert (await world.hub_side().expect("guestbook")).look("status") == state("Running")


@pytest.mark.feature("A-54")
async def test_a_sync_asked_for_while_the_agent_is_away_runs_when_it_is_back() -> None:
    async with a_world(**AUTONOMOUS) as world:
        await world.spoke_side().create(an_application())
        await passing(0.5)
        await world.cut()
        shown = await world.hub_side().expect("guestbook")
        await world.hub_side().update(shown.with_fields({"operation": encode(SYNC)}))
        own = await world.spoke_side().expect("guestbook")
        await world.spoke_side().update(own.with_fields({"status": encode(OUT_OF_SYNC)}))

        await world.connect()
        await passing(2.0)

        assert (await world.spoke_side().expect("guestbook")).look("operation") == SYNC


async def test_a_sync_asked_for_while_the_principal_was_down_runs_when_all_are_back() -> None:
    async with a_world(**AUTONOMOUS) as world:
        await world.spoke_side().create(an_application())
        await passing(0.5)
        await world.stop("principal")
        await world.cut()
        shown = await world.hub_side().expect("guestbook")
        await world.hub_side().update(shown.with_fields({"operation": encode(SYNC)}))

        await world.start_principal()
        await world.connect()
        await passing(3.0)

        assert (await world.spoke_side().expect("guestbook")).look("operation") == SYNC


@pytest.mark.feature("A-54", "C-66")
async def test_it_runs_also_if_the_spoke_had_other_news_meanwhile() -> None:
    async with a_world(**AUTONOMOUS) as world:
        await world.spoke_side().create(an_application())
        await passing(0.5)
        await world.stop("principal")
        await world.cut()
        shown = await world.hub_side().expect("guestbook")
        await world.hub_side().update(shown.with_fields({"operation": encode(SYNC)}))
        own = await world.spoke_side().expect("guestbook")
        await world.spoke_side().update(own.with_fields({"status": encode(OUT_OF_SYNC)}))

        await world.start_principal()
        await world.connect()
        await passing(3.0)

        assert (await world.spoke_side().expect("guestbook")).look("operation") == SYNC
        assert (await world.hub_side().expect("guestbook")).look("status") == OUT_OF_SYNC


@pytest.mark.feature("A-54", "C-66")
async def test_it_runs_also_if_the_principal_ended_before_its_first_repairs_were_verified() -> None:
    async with a_world(**AUTONOMOUS, is_up=False) as world:
        for name in ("asked", "edited"):
            await world.spoke_side().create(an_application(name))
        await world.start_principal()
        await world.start_agent()
        await world.connect()
        await world.stop("principal")
        await world.cut()
        hub = world.hub_side()
        await hub.update((await hub.expect("asked")).with_fields({"operation": encode(SYNC)}))
        await hub.update(at_path(await hub.expect("edited"), "wrong"))

        await world.start_principal()
        await world.connect()
        await passing(3.0)

        assert (await world.spoke_side().expect("asked")).look("operation") == SYNC


@pytest.mark.feature("A-54", "C-66")
async def test_one_that_ran_while_the_principal_was_down_does_not_run_again() -> None:
    async with a_world(**AUTONOMOUS) as world:
        await world.spoke_side().create(an_application())
        await passing(0.5)
        shown = await world.hub_side().expect("guestbook")
        await world.hub_side().update(shown.with_fields({"operation": encode(SYNC)}))
        await passing(0.5)
        await world.stop("principal")
        await world.cut()
        own = await world.spoke_side().expect("guestbook")
        await world.spoke_side().update(own.with_fields({"operation": None, "status": encode(state("Succeeded"))}))

        await world.start_principal()
        await world.connect()
        await passing(3.0)

        assert "operation" not in (await world.spoke_side().expect("guestbook")).fields
        assert "operation" not in (await world.hub_side().expect("guestbook")).fields


async def test_an_operation_of_the_spokes_own_is_shown_and_does_not_come_back() -> None:
    async with a_world(**AUTONOMOUS) as world:
        made = await world.spoke_side().create(an_application())
        await passing(0.5)

        made = await world.spoke_side().update(made.with_fields({"operation": encode(SYNC)}))
        await passing(0.5)
        assert (await world.hub_side().expect("guestbook")).look("operation") == SYNC
        await world.spoke_side().update(made.with_fields({"operation": None}))
        await passing(5.0)

        assert "operation" not in (await world.spoke_side().expect("guestbook")).fields
        assert "operation" not in (await world.hub_side().expect("guestbook")).fields


@pytest.mark.feature("A-54", "C-13")
async def test_a_running_operation_is_terminated_from_the_hub() -> None:
    async with a_world(**AUTONOMOUS) as world:
        await world.spoke_side().create(an_application(status=state("Running")))
        await passing(0.5)

        shown = await world.hub_side().expect("guestbook")
        await world.hub_side().update(shown.with_fields({"status": encode(state("Terminating"))}))
        await passing(0.5)

        status = (await world.spoke_side().expect("guestbook")).look("status")
        assert status["operationState"]["phase"] == "Terminating"


def about(own: Object, kind: EventType, target: Target = Target.APPLICATION) -> Event:
    return dataclasses.replace(
        an_event(kind, name=own.name), target=target, data=at_path(own, "of the hub").encode(), key=""
    )


@pytest.mark.feature("A-52", "A-55", "A-63")
@pytest.mark.parametrize(
    ("kind", "target", "error"),
    [
        (EventType.CREATE, Target.APPLICATION, EventDiscarded),
        (EventType.DELETE, Target.APPLICATION, EventRefused),
        (EventType.STATUS_UPDATE, Target.APPLICATION, EventRefused),
        (EventType.CREATE, Target.APPPROJECT, EventRefused),
        (EventType.SPEC_UPDATE, Target.APPPROJECT, EventRefused),
        (EventType.DELETE, Target.APPPROJECT, EventRefused),
        (EventType.CREATE, Target.REPOSITORY, EventDiscarded),
        (EventType.SPEC_UPDATE, Target.GPGKEY, EventDiscarded),
    ],
)
async def test_what_the_hub_may_not_do_to_an_autonomous_spoke_is_not_done(
    kind: EventType, target: Target, error: type[Exception]
) -> None:
    async with a_world(**AUTONOMOUS) as world:
        own = await world.spoke_side().create(an_application())
        await passing(0.5)

        with pytest.raises(error):
            await world.spokes[NAME].handle(about(own, kind, target))

        assert path_of(await world.spoke_side().expect("guestbook")) == "guestbook"
        assert await world.spoke_side(api=APPPROJECTS).names() == set()


async def test_of_an_update_of_the_hub_only_refresh_and_operation_count() -> None:
    async with a_world(**AUTONOMOUS) as world:
        own = await world.spoke_side().create(an_application())
        await passing(0.5)

        await world.spokes[NAME].handle(about(own, EventType.SPEC_UPDATE))

        assert (await world.spoke_side().expect("guestbook")).version == own.version
