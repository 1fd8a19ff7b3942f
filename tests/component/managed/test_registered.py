"""Who the hub knows, and in which mode: nobody is forgotten by mistake, or told what is not for them."""

import asyncio
import contextlib
from typing import Any

from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.errors import EventDiscarded, EventRefused, Forbidden, TransportError
from argocd_agent.principal.agents import Agent
from argocd_agent.principal.connections import Connections
from argocd_agent.protocol.capabilities import REFERENCE, PeerInfo, announce, peer_from
from argocd_agent.protocol.digest import BUCKETS
from argocd_agent.protocol.events import AgentName, Event, EventType, Target
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import (
    CONFIGMAP_CONNECTIONS,
    LABEL_AGENT_NAME,
    LABEL_SECRET_TYPE,
    SECRET_TYPE_CLUSTER,
)
from argocd_agent.resources.kinds import CONFIGMAPS, SECRETS, Api
from argocd_agent.resources.objects import Metadata, Object, new_object
from argocd_agent.transport.gate import Identity
from argocd_agent.transport.memory import memory_pair
from argocd_agent.transport.stream import EventStream
from argocd_agent.wire.antientropy import Digest
from tests.support.objects import an_application
from tests.support.world import HOME, World, a_world, passing

NAME = AgentName("agent-1")
SECRET = "cluster-agent-1"


class Forbidding:
    """A cluster that lets nobody read or write anything. Counts who asks."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self._cluster = cluster
        self.asked = 0

    async def get(self, api: Api, namespace: str, name: str) -> Object:
        self.asked += 1
        raise Forbidden(f"cannot get {api.resource} {namespace}/{name}: forbidden")

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._cluster, verb)


class SlowToClose:
    """A stream whose close does not return before *gate* is set."""

    def __init__(self, stream: EventStream, gate: asyncio.Event) -> None:
        self._stream, self._gate = stream, gate

    async def close(self, reason: str) -> None:
        await self._gate.wait()
        await self._stream.close(reason)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def known(world: World) -> Agent:
    """What the hub keeps of agent-1."""
    assert world.hub is not None
    agent = world.hub.agents.get(NAME)
    assert agent is not None
    return agent


def arriving(world: World, mode: Mode, agent_is: PeerInfo) -> tuple[EventStream, asyncio.Task[None]]:
    """A new stream of agent-1: its end of it, and the hub's task that serves it."""
    hub = world.hub
    assert hub is not None
    down, up = memory_pair(of_principal=peer_from(announce(principal_uid=hub.uid)), of_agent=agent_is)

    async def serve() -> None:
        with contextlib.suppress(TransportError):
            await hub.sessions.serve(Identity(NAME, mode), down)

    return up, asyncio.create_task(serve())


async def told(stream: EventStream) -> list[Event]:
    """All that comes on *stream* until it ends."""
    events: list[Event] = []
    with contextlib.suppress(TransportError):
        while True:
            events.append(await stream.receive())
    return events


async def test_an_agent_stays_registered_when_one_secret_takes_the_place_of_another() -> None:
    async with a_world() as world:
        assert world.hub is not None
        labels = {LABEL_SECRET_TYPE: SECRET_TYPE_CLUSTER, LABEL_AGENT_NAME: "agent-1"}
        second = new_object(SECRETS, Metadata(name="renamed", namespace=HOME, labels=labels))

        await world.hub_cluster.create(SECRETS, second)
        await passing(1.0)
        await world.hub_cluster.delete(SECRETS, HOME, SECRET)
        await passing(1.0)
        await world.hub_side().create(an_application())
        await passing(0.5)

        assert world.hub.clusters.is_registered(NAME)
        assert world.endings == []
        assert await world.spoke_side().names() == {"guestbook"}


async def test_an_agent_is_registered_no_more_when_its_last_secret_goes() -> None:
    async with a_world() as world:
        assert world.hub is not None
        labels = {LABEL_SECRET_TYPE: SECRET_TYPE_CLUSTER, LABEL_AGENT_NAME: "agent-1"}
        await world.hub_cluster.create(
            SECRETS, new_object(SECRETS, Metadata(name="second", namespace=HOME, labels=labels))
        )

        for name in ("second", SECRET):
            await world.hub_cluster.delete(SECRETS, HOME, name)
        await passing(1.0)

        assert not world.hub.clusters.is_registered(NAME)


async def test_an_autonomous_agent_is_told_nothing_about_the_hubs_applications() -> None:
    async with a_world(is_up=False) as world:
        await world.start_principal()
        await world.hub_side().create(an_application("before"))
        stream, served = arriving(world, Mode.AUTONOMOUS, REFERENCE)
        hearing = asyncio.create_task(told(stream))
        await passing(1.0)

        created = await world.hub_side().create(an_application("after"))
        await passing(1.0)
        await world.hub_side().update(created.with_metadata(labels={"x": "y"}))
        await passing(1.0)
        for name in ("before", "after"):
            await world.hub_side().delete(name)
        await passing(1.0)
        await stream.close("it is over")

        assert [event.type for event in await hearing if event.target is Target.APPLICATION] == []
        await served


async def test_an_agent_that_became_autonomous_is_not_told_what_was_kept_for_it() -> None:
    async with a_world() as world:
        await world.hub_side().create(an_application())
        await passing(1.0)
        await world.cut()
        await world.hub_side().delete("guestbook")
        await passing(1.0)

        stream, served = arriving(world, Mode.AUTONOMOUS, REFERENCE)
        hearing = asyncio.create_task(told(stream))
        await passing(10.0)
        await stream.close("it is over")

        assert [event.type for event in await hearing if event.target is Target.APPLICATION] == []
        await served


async def test_an_agent_whose_takeover_broke_off_is_served_when_it_comes_back() -> None:
    async with a_world() as world:
        agent, ours, gate = known(world), peer_from(announce()), asyncio.Event()
        assert agent.stream is not None
        agent.stream = SlowToClose(agent.stream, gate)
        _, taking_over = arriving(world, Mode.MANAGED, ours)
        await passing(0.1)
        taking_over.cancel()  # its network went again
        await asyncio.gather(taking_over, return_exceptions=True)
        gate.set()
        await world.cut()

        stream, served = arriving(world, Mode.MANAGED, ours)
        await passing(1.0)

        assert not served.done()
        assert known(world).session is not None
        await stream.close("it is over")
        await served


async def test_a_late_event_of_a_forgotten_agent_spoils_nothing_for_its_next_life() -> None:
    async with a_world() as world:
        assert world.hub is not None
        old = known(world)
        await world.hub_cluster.delete(SECRETS, HOME, SECRET)
        await passing(1.0)
        digest = Digest(tree="status", buckets=(b"",) * BUCKETS)
        with contextlib.suppress(EventDiscarded, EventRefused):
            await world.hub.resync.handle(old, old.link.message(Target.RESYNC, EventType.DIGEST, digest))

        await world.register("agent-1")
        await world.hub_side().create(an_application())
        await world.connect()
        await passing(5.0)

        assert known(world) is not old
        assert await world.spoke_side().names() == {"guestbook"}


async def test_a_forgotten_agent_leaves_the_list_of_connections() -> None:
    async with a_world("agent-1", "agent-2") as world:
        await passing(2.0)

        await world.hub_cluster.delete(SECRETS, HOME, SECRET)
        await passing(5.0)

        listed = await world.hub_cluster.get(CONFIGMAPS, HOME, CONFIGMAP_CONNECTIONS)
        assert listed.look("data").keys() == {"agent-2"}


async def test_connections_that_may_not_be_written_down_are_tried_once_a_minute() -> None:
    cluster = Forbidding(open_memory())
    connections = Connections(cluster, HOME, now=lambda: "2026-01-01T00:00:00Z")
    task = asyncio.create_task(connections.run())

    connections.connected(NAME, Mode.MANAGED, "192.0.2.1:4711")
    await passing(3600.0)

    assert 60 <= cluster.asked <= 70
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_mode_of_an_agent_is_written_down_as_soon_as_the_first_one_is_there() -> None:
    """A principal that is killed a moment later knows in its next life whose the agent's objects are."""
    async with a_world(is_up=False) as world:
        connections = Connections(world.hub_cluster, HOME, now=lambda: "2026-01-01T00:00:00Z")
        task = world.tasks.create_task(connections.run(), name="connections")
        await passing(0.2)

        connections.connected(NAME, Mode.AUTONOMOUS, "192.0.2.1:4711")
        await passing(0.01)

        assert await connections.modes() == {NAME: Mode.AUTONOMOUS}
        task.cancel()
