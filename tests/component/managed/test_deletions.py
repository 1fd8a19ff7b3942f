"""Deletions that meet something else: a repair, a user, a lost answer, a successor of the same name.

Anti-entropy is off where it would heal by itself what must not go wrong in the first place.
"""

from argocd_agent.codec import encode
from argocd_agent.errors import Unauthorized, Unavailable
from argocd_agent.protocol.events import AgentName, EventType, Target
from argocd_agent.protocol.modes import Mode
from argocd_agent.transport.gate import Identity
from tests.component.managed.unruly import unruly_spoke
from tests.support.objects import a_mirror, an_application
from tests.support.world import a_world, passing

ALONE = {"anti_entropy_interval_seconds": 0.0}
CASCADE = ("resources-finalizer.argocd.argoproj.io",)
SYNCED = {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}


async def test_a_deletion_on_the_hub_ends_a_repair_that_is_due() -> None:
    async with a_world(principal=ALONE, agent=ALONE) as world:
        await world.hub_side().create(an_application())
        await passing(1.0)
        for _ in range(6):  # more often than is put right at once
            await world.spoke_side().delete("guestbook")
            await passing(0.2)
        assert await world.spoke_side().names() == set()

        await world.hub_side().delete("guestbook")
        await passing(60.0)

        assert await world.spoke_side().names() == set()


async def test_a_mirror_that_a_user_is_deleting_stays_away_when_the_hub_deletes_too() -> None:
    async with a_world(principal=ALONE, agent=ALONE) as world:
        await world.hub_side().create(an_application())
        await passing(1.0)
        spoke = world.spoke_side()
        await spoke.update((await spoke.expect("guestbook")).with_metadata(finalizers=("example.com/hold",)))
        await passing(1.0)
        await spoke.delete("guestbook")
        await passing(1.0)
        assert (await spoke.expect("guestbook")).is_deleting

        await world.hub_side().delete("guestbook")
        await passing(1.0)
        await spoke.update((await spoke.expect("guestbook")).with_metadata(finalizers=None))
        await passing(60.0)

        assert await spoke.names() == set()


async def test_a_cascade_ends_on_both_sides_when_a_user_deleted_the_mirror_first() -> None:
    async with a_world(principal=ALONE, agent=ALONE) as world:
        await world.hub_side().create(an_application(finalizers=CASCADE))
        await passing(1.0)
        await world.spoke_side().delete("guestbook")
        await passing(1.0)
        assert (await world.spoke_side().expect("guestbook")).is_deleting

        await world.hub_side().delete("guestbook")
        await passing(1.0)
        mirror = await world.spoke_side().expect("guestbook")
        await world.spoke_side().update(mirror.with_metadata(finalizers=None))
        await passing(60.0)

        assert (await world.spoke_side().names(), await world.hub_side().names()) == (set(), set())


async def test_a_deletion_whose_answer_is_lost_is_not_undone() -> None:
    async with a_world() as world:
        await world.hub_side().create(an_application())
        await passing(1.0)
        spoke = await unruly_spoke(world)
        spoke.losing["delete"] = [Unavailable("cannot delete: timed out")]
        spoke.stop_showing()  # until the answer is lost

        await world.hub_side().delete("guestbook")
        await passing(0.2)
        spoke.go_on_showing()
        await passing(60.0)

        assert await spoke.user.names() == set()
        assert spoke.writes == [("delete", "guestbook")]


async def test_a_mirror_whose_creation_was_not_answered_is_guarded() -> None:
    async with a_world(principal=ALONE, agent=ALONE) as world:
        spoke = await unruly_spoke(world)
        spoke.losing["create"] = [Unavailable("cannot create: timed out")]
        await world.hub_side().create(an_application())
        await passing(20.0)
        mirror = await spoke.user.expect("guestbook")

        await spoke.user.delete("guestbook")
        await passing(5.0)

        assert (await spoke.user.expect("guestbook")).uid != mirror.uid


async def test_nothing_is_lost_while_a_token_is_renewed() -> None:
    async with a_world(principal=ALONE, agent=ALONE) as world:
        await world.hub_side().create(an_application("old"))
        await passing(1.0)
        spoke = await unruly_spoke(world)
        spoke.failing["create"] = [Unauthorized("cannot create: the token has expired")]
        spoke.failing["delete"] = [Unauthorized("cannot delete: the token has expired")]

        await world.hub_side().create(an_application("new"))
        await world.hub_side().delete("old")
        await passing(60.0)

        assert await spoke.user.names() == {"new"}
        assert spoke.failing == {"create": [], "delete": []}


async def test_the_status_of_a_replaced_application_is_never_that_of_its_successor() -> None:
    async with a_world() as world:
        hub, spoke = world.hub_side(), world.spoke_side()
        await hub.create(an_application())
        await passing(1.0)
        await world.cut()
        mirror = await spoke.expect("guestbook")
        await spoke.update(mirror.with_fields({"status": encode(SYNCED)}))
        await hub.delete("guestbook")
        successor = await hub.create(an_application(path="anew"))
        await passing(1.0)

        await world.connect()
        await passing(60.0)

        assert await hub.expect("guestbook") == successor  # not even for a moment: its version says so


async def test_the_end_of_an_older_mirror_does_not_free_its_successor() -> None:
    async with a_world() as world:
        assert world.hub is not None
        hub = world.hub_side()
        await hub.create(an_application(finalizers=CASCADE))
        await world.cut()
        await hub.delete("guestbook")
        dying = await hub.expect("guestbook")
        agent = world.hub.agents.get(AgentName("agent-1"))
        assert agent is not None
        older = a_mirror(source="an-older-uid")
        late = agent.link.about(Target.APPLICATION, EventType.DELETE, older, older.encode())

        taken = await world.hub.sessions.take_pushed(Identity(AgentName("agent-1"), Mode.MANAGED), late)
        await passing(1.0)

        assert not taken
        assert await hub.expect("guestbook") == dying
