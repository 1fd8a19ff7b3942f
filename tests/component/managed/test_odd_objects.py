"""An object that no API server should have taken ends neither program, and holds up no other object."""

import dataclasses

from argocd_agent.codec import encode
from argocd_agent.peer.reconcile import Item, Tree
from argocd_agent.principal.senders import ApplicationSender
from argocd_agent.protocol.events import AgentName, Event, EventType
from argocd_agent.protocol.names import CONDITION_AGENT_ERROR
from argocd_agent.resources import application
from argocd_agent.resources.kinds import APPLICATION
from argocd_agent.resources.objects import Metadata, Object
from tests.support.builders import an_event
from tests.support.objects import an_application
from tests.support.world import HOME, HUB_UID, REFERENCE_AGENT, World, a_world, passing

SYNCED = {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}
ODD_SPEC = b'{"source":{"number":1e999}}'  # JSON that no number of ours can hold
ODD_STATUS = encode(f"a text that names {CONDITION_AGENT_ERROR}")


def ended(world: World) -> set[str]:
    return {name for name, task in world.running.items() if task.done()}


def a_status(name: str, status: bytes) -> Event:
    """What an agent sends about its copy of *name*."""
    obj = Object(Metadata(name=name, namespace=HOME, uid="uid-1", resource_version="7"), {"status": status})
    return dataclasses.replace(an_event(EventType.STATUS_UPDATE, name=name, namespace=HOME), data=obj.encode())


async def test_an_odd_specification_ends_only_its_event() -> None:
    async with a_world() as world:
        assert world.hub is not None
        agent = world.hub.agents.get(AgentName("agent-1"))
        assert agent is not None
        odd = Object(Metadata(name="odd", namespace="agent-1", uid="uid-odd", resource_version="1"), {"spec": ODD_SPEC})

        ApplicationSender(HUB_UID, lambda _: None).create(agent.link, odd)
        await passing(3.0)
        await world.hub_side().create(an_application("good"))
        await passing(0.5)

        assert ended(world) == set()
        assert await world.spoke_side().names() == {"good"}
        assert agent.link.outbox.is_idle


async def test_an_odd_status_ends_only_its_event() -> None:
    async with a_world() as world:
        for name in ("odd", "good"):
            await world.hub_side().create(an_application(name))
        await world.connect(agent_is=REFERENCE_AGENT)  # we speak for it, too
        await passing(0.5)
        hub_session = world.running["agent-1 on the hub"]
        stream = world.streams["agent-1"]

        await stream.send(a_status("odd", ODD_STATUS))
        await passing(3.0)
        await stream.send(a_status("good", encode(SYNCED)))
        await passing(0.5)

        assert not hub_session.done()
        assert (await world.hub_side().expect("good")).look("status") == SYNCED


def parts(obj: Object) -> tuple[bytes, ...]:
    return application.digest_parts(obj, is_source=True)


def test_an_odd_object_hides_no_other_from_comparison() -> None:
    objects = [an_application("odd").with_fields({"spec": ODD_SPEC}), an_application("good")]
    tree = Tree(lambda: [Item(APPLICATION, obj.name, obj.uid, obj, parts) for obj in objects])

    built, held = tree.build()

    assert {entry.key for entry in built.entries(range(256))} == {"odd", "good"}
    assert held.keys() == {"odd", "good"}
