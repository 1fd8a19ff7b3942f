"""Autonomous agents: the hub shows what the spoke owns, and keeps showing it."""

from typing import Any

import pytest

from argocd_agent.backends.ports import Propagation
from argocd_agent.codec import encode
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import (
    ANNOTATION_LAST_UPDATED,
    ANNOTATION_NOTIFIED,
    ANNOTATION_SOURCE_UID,
    LABEL_IGNORE_SYNC,
)
from argocd_agent.resources.kinds import APPLICATIONS, NAMESPACES, SECRETS
from argocd_agent.resources.objects import Metadata, OwnerReference, new_object
from tests.support.applications import refusal_of
from tests.support.objects import an_application, at_path, path_of
from tests.support.world import HOME, a_world, passing

NAME = "agent-1"
AUTONOMOUS: dict[str, Any] = {"autonomous": (NAME,)}
FINALIZER = "resources-finalizer.argocd.argoproj.io"
HEALTHY = {"health": {"status": "Healthy"}}
SYNCED = {"sync": {"status": "Synced"}}


@pytest.mark.feature("P-64", "A-51", "C-11")
async def test_an_application_of_the_spoke_appears_on_the_hub_as_the_hubs_own() -> None:
    async with a_world(**AUTONOMOUS) as world:
        made = await world.spoke_side().create(an_application(status=SYNCED, labels={"team": "a"}))
        await passing(0.5)

        shown = await world.hub_side().expect("guestbook")
        spec = shown.look("spec")
        assert spec["project"] == f"{NAME}-default"
        assert spec["destination"] == {"name": NAME, "namespace": "default"}
        assert (shown.labels, shown.look("status")) == ({"team": "a"}, SYNCED)
        assert shown.annotations[ANNOTATION_SOURCE_UID] == made.uid
        assert ANNOTATION_LAST_UPDATED in shown.annotations


@pytest.mark.feature("P-65", "P-81", "A-51")
async def test_what_changes_on_the_spoke_changes_on_the_hub_and_the_hubs_own_word_stays() -> None:
    async with a_world(**AUTONOMOUS) as world:
        await world.spoke_side().create(an_application(labels={"old": "1"}))
        await passing(0.5)
        shown = await world.hub_side().expect("guestbook")
        await world.hub_side().update(shown.with_annotations({ANNOTATION_NOTIFIED: "{}"}))

        own = at_path(await world.spoke_side().expect("guestbook"), "other")
        await world.spoke_side().update(own.with_metadata(labels={"new": "1"}).with_fields({"status": encode(HEALTHY)}))
        await passing(0.5)

        shown = await world.hub_side().expect("guestbook")
        assert (path_of(shown), shown.labels, shown.look("status")) == ("other", {"new": "1"}, HEALTHY)
        assert shown.annotations[ANNOTATION_NOTIFIED] == "{}"


@pytest.mark.feature("P-66")
async def test_child_applications_in_the_status_are_where_the_hub_shows_them() -> None:
    child = {"group": "argoproj.io", "kind": "Application", "namespace": HOME, "name": "child"}
    async with a_world(**AUTONOMOUS) as world:
        await world.spoke_side().create(an_application(status={"resources": [child]}))
        await passing(0.5)

        status = (await world.hub_side().expect("guestbook")).look("status")
        assert status["resources"] == [{**child, "namespace": NAME}]


@pytest.mark.feature("P-67", "A-51", "C-14")
@pytest.mark.parametrize("finalizers", [None, (FINALIZER,)])
async def test_a_deletion_on_the_spoke_removes_it_from_the_hub(finalizers: tuple[str, ...] | None) -> None:
    async with a_world(**AUTONOMOUS) as world:
        made = await world.spoke_side().create(an_application(finalizers=finalizers))
        await passing(0.5)
        assert await world.hub_side().names() == {"guestbook"}

        await world.spoke_side().delete("guestbook")
        if finalizers:
            made = await world.spoke_side().expect("guestbook")
            await world.spoke_side().update(made.with_metadata(finalizers=None))
        await passing(0.5)

        assert await world.hub_side().names() == set()


@pytest.mark.feature("C-14")
async def test_a_deletion_while_disconnected_is_followed_when_the_agent_is_back() -> None:
    async with a_world(**AUTONOMOUS) as world:
        for name in ("goes", "stays"):
            await world.spoke_side().create(an_application(name))
        await passing(0.5)
        await world.cut()
        await world.spoke_side().delete("goes")

        await world.connect()

        assert await world.hub_side().names() == {"stays"}


@pytest.mark.feature("C-66")
@pytest.mark.parametrize("who", ["principal", "agent-1"])
async def test_what_changed_while_one_side_was_down_is_put_right(who: str) -> None:
    async with a_world(**AUTONOMOUS) as world:
        for name in ("goes", "stays", "changes"):
            await world.spoke_side().create(an_application(name))
        await passing(0.5)
        await world.stop(who)
        await world.cut()
        await world.spoke_side().delete("goes")
        await world.spoke_side().create(an_application("new"))
        await world.spoke_side().update(at_path(await world.spoke_side().expect("changes"), "other"))

        await (world.start_principal() if who == "principal" else world.start_agent())
        await world.connect()
        await passing(2.0)

        assert await world.hub_side().names() == {"stays", "changes", "new"}
        assert path_of(await world.hub_side().expect("changes")) == "other"


@pytest.mark.feature("P-68", "C-12")
async def test_an_edit_on_the_hub_is_put_right() -> None:
    async with a_world(**AUTONOMOUS) as world:
        await world.spoke_side().create(an_application(path="right"))
        await passing(0.5)

        await world.hub_side().update(at_path(await world.hub_side().expect("guestbook"), "wrong"))
        await passing(0.5)

        assert path_of(await world.hub_side().expect("guestbook")) == "right"
        assert path_of(await world.spoke_side().expect("guestbook")) == "right"


@pytest.mark.feature("P-68", "P-69", "C-12")
async def test_it_is_put_right_also_after_a_restart_with_the_agent_away() -> None:
    async with a_world(**AUTONOMOUS) as world:
        for name in ("edited", "deleted"):
            await world.spoke_side().create(an_application(name, path="right"))
        await passing(2.0)
        await world.stop("agent-1", "principal")
        await world.start_principal()

        await world.hub_side().update(at_path(await world.hub_side().expect("edited"), "wrong"))
        await world.hub_side().delete("deleted")
        await passing(0.5)

        assert path_of(await world.hub_side().expect("edited")) == "right"
        assert await world.hub_side().names() == {"edited", "deleted"}


@pytest.mark.feature("P-69", "C-12")
@pytest.mark.parametrize("finalizers", [None, (FINALIZER,)])
async def test_a_deletion_on_the_hub_is_undone(finalizers: tuple[str, ...] | None) -> None:
    async with a_world(**AUTONOMOUS) as world:
        made = await world.spoke_side().create(an_application(finalizers=finalizers))
        await passing(0.5)
        before = await world.hub_side().expect("guestbook")

        await world.hub_cluster.delete(APPLICATIONS, NAME, "guestbook", propagation=Propagation.FOREGROUND)
        await passing(1.0)

        again = await world.hub_side().expect("guestbook")
        assert again.uid != before.uid
        assert not again.is_deleting
        assert again.annotations[ANNOTATION_SOURCE_UID] == made.uid
        assert (await world.spoke_side().expect("guestbook")).uid == made.uid


async def test_owners_on_the_spoke_are_nobodys_on_the_hub() -> None:
    owner = OwnerReference(api_version="argoproj.io/v1alpha1", kind="ApplicationSet", name="set", uid="u")
    async with a_world(**AUTONOMOUS) as world:
        made = await world.spoke_side().create(an_application())
        await world.spoke_side().update(made.with_metadata(owner_references=(owner,)))
        await passing(0.5)

        assert (await world.hub_side().expect("guestbook")).metadata.owner_references is None


@pytest.mark.feature("A-64", "C-15")
async def test_what_is_labelled_on_the_spoke_is_not_shown_until_the_label_goes() -> None:
    async with a_world(**AUTONOMOUS) as world:
        made = await world.spoke_side().create(an_application(labels={LABEL_IGNORE_SYNC: "true"}))
        await passing(0.5)
        assert await world.hub_side().names() == set()

        made = await world.spoke_side().update(made.with_metadata(labels=None))
        await passing(0.5)
        assert await world.hub_side().names() == {"guestbook"}

        await world.spoke_side().update(made.with_metadata(labels={LABEL_IGNORE_SYNC: "true"}))
        await passing(0.5)
        assert await world.hub_side().names() == set()


async def test_an_agent_that_is_registered_late_is_shown_then() -> None:
    async with a_world(**AUTONOMOUS, is_up=False) as world:
        await world.hub_cluster.delete(SECRETS, HOME, f"cluster-{NAME}")
        await world.start_principal()
        await world.start_agent()
        await world.connect()
        await world.spoke_side().create(an_application())
        await passing(0.5)
        assert await world.hub_side().names() == set()

        await world.register(NAME)
        await passing(2.0)

        assert await world.hub_side().names() == {"guestbook"}


@pytest.mark.feature("P-70")
async def test_what_was_refused_for_want_of_a_namespace_is_shown_when_somebody_makes_it() -> None:
    async with a_world(**AUTONOMOUS, is_up=False) as world:
        await world.hub_cluster.delete(NAMESPACES, "", NAME)
        await world.start_principal()
        await world.start_agent()
        await world.connect()
        await world.spoke_side().create(an_application())
        await passing(0.5)
        refused = await world.spoke_side().expect("guestbook")

        await world.hub_cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=NAME)))
        await passing(0.5)

        assert "--namespace-create-enable" in refusal_of(refused)
        assert await world.hub_side().names() == {"guestbook"}
        assert refusal_of(await world.spoke_side().expect("guestbook")) == ""


async def test_what_is_made_anew_on_the_spoke_while_apart_is_followed_in_place() -> None:
    async with a_world(**AUTONOMOUS) as world:
        await world.spoke_side().create(an_application(path="old"))
        await passing(0.5)
        shown = await world.hub_side().expect("guestbook")
        await world.stop("agent-1")
        await world.cut()
        await world.spoke_side().delete("guestbook")
        made = await world.spoke_side().create(an_application(path="new"))

        await world.start_agent()
        await world.connect()
        await passing(2.0)

        again = await world.hub_side().expect("guestbook")
        assert path_of(again) == "new"
        assert again.annotations[ANNOTATION_SOURCE_UID] == made.uid
        assert again.uid == shown.uid


async def test_at_rest_nothing_is_written_and_nothing_is_sent() -> None:
    async with a_world(**AUTONOMOUS) as world:
        await world.spoke_side().create(an_application(status=SYNCED, finalizers=(FINALIZER,)))
        await passing(5.0)
        shown, own = await world.hub_side().expect("guestbook"), await world.spoke_side().expect("guestbook")

        await world.cut()
        await world.connect()
        await passing(700.0)

        assert (await world.hub_side().expect("guestbook")).version == shown.version
        assert (await world.spoke_side().expect("guestbook")).version == own.version
        assert world.hub is not None
        agent = world.hub.agents.get(AgentName(NAME))
        assert agent is not None
        assert agent.link.outbox.is_idle
