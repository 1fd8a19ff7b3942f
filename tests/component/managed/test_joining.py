"""An agent that comes first in the hub's life is compared with, and sent what it lacks, not all there is."""

import asyncio
import contextlib

from argocd_agent.protocol.capabilities import announce, peer_from
from argocd_agent.protocol.events import AgentName, EventType, Target
from argocd_agent.protocol.modes import Mode
from argocd_agent.resources.kinds import APPPROJECTS
from argocd_agent.transport.gate import Identity
from argocd_agent.transport.memory import memory_pair
from tests.support.objects import a_project
from tests.support.world import HOME, a_world, passing


async def test_what_it_may_have_already_is_not_sent_before_it_was_compared() -> None:
    async with a_world(is_up=False) as world:
        for number in range(5):
            await world.hub_home(APPPROJECTS).create(a_project(f"team-{number}"))
        await world.start_principal()
        assert world.hub is not None
        down, up = memory_pair(
            of_principal=peer_from(announce(principal_uid=world.hub.uid)), of_agent=peer_from(announce())
        )
        identity = Identity(AgentName("agent-1"), Mode.MANAGED, HOME)
        serving = asyncio.create_task(world.hub.sessions.serve(identity, down), name="serve agent-1")

        said = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3.0):
                while True:
                    said.append(await up.receive())

        told = {(event.target, event.type) for event in said if event.target is not Target.HEARTBEAT}
        assert told == {(Target.RESYNC, EventType.DIGEST)}
        await up.close("done")
        await serving


async def test_it_is_sent_what_it_lacks() -> None:
    async with a_world(is_up=False) as world:
        await world.hub_home(APPPROJECTS).create(a_project("team"))
        await world.start_principal()
        await world.start_agent()

        await world.connect()
        await passing(2.0)

        assert await world.spoke_side(api=APPPROJECTS).names() == {"team"}
