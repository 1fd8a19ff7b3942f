"""Applications mapped by destination: the agent that one names has it, in the namespace that it has on the hub."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from argocd_agent.codec import encode
from argocd_agent.errors import NotFound
from argocd_agent.protocol.names import ANNOTATION_NAMESPACE_REMAPPED, ANNOTATION_PRINCIPAL_UID, ANNOTATION_SOURCE_UID
from argocd_agent.resources.kinds import NAMESPACES
from argocd_agent.resources.objects import Object
from tests.support.applications import (
    FINALIZER,
    Applications,
    Claim,
    refusal_of,
    revision_of,
    source_of,
    synced,
    with_path,
)
from tests.support.clusters import RealClusters
from tests.support.fleets import Fleet, shared_fleet
from tests.support.objects import path_of
from tests.support.sites import a_name, make_namespace

MAPPED = ("--destination-based-mapping", "--anti-entropy-interval=1s")
UNBRAKED = "--brake-max-deletions=0"  # these tests delete more within a minute than people do
MAKER, GUEST = 0, 1  # the agent that makes namespaces, and the one that does not


@dataclass(frozen=True)
class Mapped:
    """A hub that maps by destination, and two agents: one for namespaces `<team>-[a-m]…`, which it makes, and one for
    those that `/^<team>-/` finds, which it does not make."""

    fleet: Fleet
    team: str

    def agent(self, number: int) -> str:
        return self.fleet.spokes[number].agent

    async def namespace(self, start: str, *spokes: int) -> str:
        """A namespace of the team, on the hub and on *spokes*."""
        name = f"{self.team}-{a_name(start)}"
        await make_namespace(self.fleet.hub.kubeconfig, name)
        for number in spokes:
            await make_namespace(self.fleet.spokes[number].kubeconfig, name)
        return name

    @contextlib.asynccontextmanager
    async def open(self, namespace: str) -> AsyncIterator["Sides"]:
        async with self.fleet.open() as (hub, spokes):
            yield Sides(
                self,
                Applications(hub, namespace),
                Applications(spokes[0], namespace),
                Applications(spokes[1], namespace),
            )


@dataclass(frozen=True)
class Sides:
    """One namespace, on the hub and on the spokes of both."""

    mapped: Mapped
    hub: Applications
    maker: Applications
    guest: Applications

    async def create(
        self, name: str, number: int, path: str = "p", finalizers: tuple[str, ...] | None = None
    ) -> Object:
        """An Application for an agent."""
        return await self.hub.create(name, destination=self.for_agent(number), path=path, finalizers=finalizers)

    async def move(self, name: str, number: int, path: str = "moved") -> None:
        """Give it to another agent."""

        def moved(obj: Object) -> Object:
            changed = with_path(path)(obj)
            return changed.with_fields(
                {"spec": encode({**changed.look("spec"), "destination": self.for_agent(number)})}
            )

        await self.hub.change(name, moved)

    def for_agent(self, number: int) -> dict[str, str]:
        return {"name": self.mapped.agent(number), "namespace": "default"}

    async def arrived(self) -> None:
        """Whatever else was to arrive by now has had its turn: Applications that were created later are there."""
        home = Applications(self.hub.cluster, self.mapped.fleet.hub.namespace)
        for number, side in enumerate((self.maker, self.guest)):
            name = a_name("later")
            await home.create(name, destination=self.for_agent(number))
            spoke = self.mapped.fleet.spokes[number]
            await Applications(side.cluster, spoke.namespace).until_there(name)
            await home.delete(name)


@pytest.fixture(scope="module")
def mapped(clusters: RealClusters) -> Iterator[Mapped]:
    team = a_name("team")
    principal = [*MAPPED, f"--allowed-namespaces={team}-*,/^guests-[0-9a-f]+-{team}$/"]
    agents = [
        [*MAPPED, UNBRAKED, "--create-namespace", f"--allowed-namespaces={team}-[a-m]*"],
        [*MAPPED, UNBRAKED, f"--allowed-namespaces=/^{team}-/,guests-*-{team}"],
    ]
    kubeconfigs = [clusters[1].kubeconfig, clusters[2].kubeconfig]
    with shared_fleet(clusters[0].kubeconfig, kubeconfigs, principal=principal, agents=agents) as fleet:
        yield Mapped(fleet, team)


@pytest.mark.feature("P-48", "P-52", "A-67", "A-68", "C-18", "C-19", "C-21")
async def test_applications_of_several_namespaces_reach_the_agents_that_they_name(mapped: Mapped) -> None:
    first, second = await mapped.namespace("a"), await mapped.namespace("b", GUEST)
    async with mapped.open(first) as one, mapped.open(second) as other:
        made = await one.create("guestbook", MAKER, path="of-maker")
        others = await other.create("guestbook", GUEST, path="of-guest")
        mirror = await one.maker.until_there("guestbook")
        others_mirror = await other.guest.until_there("guestbook")
        await one.maker.change("guestbook", synced("r1"))
        await other.guest.change("guestbook", synced("r2"))
        await one.hub.until("guestbook", _has_revision("r1"), "the first status")
        await other.hub.until("guestbook", _has_revision("r2"), "the second status")

        await one.hub.change("guestbook", with_path("changed"))
        await one.maker.until("guestbook", lambda obj: path_of(obj) == "changed", "the change")
        await one.maker.change("guestbook", with_path("drifted"))
        await one.maker.until("guestbook", lambda obj: path_of(obj) == "changed", "the drift put right")
        await other.guest.delete("guestbook")
        await other.guest.until("guestbook", lambda obj: obj.uid != others_mirror.uid, "made again")
        await one.hub.delete("guestbook")
        await one.maker.until_gone("guestbook")

        assert (source_of(mirror), source_of(others_mirror)) == (made.uid, others.uid)
        assert (path_of(mirror), path_of(others_mirror)) == ("of-maker", "of-guest")
        assert mirror.look("spec")["destination"] == {"name": "in-cluster", "namespace": "default"}
        assert ANNOTATION_NAMESPACE_REMAPPED not in mirror.annotations
        assert not await one.guest.is_there("guestbook")
        assert not await other.maker.is_there("guestbook")


@pytest.mark.feature("P-55", "A-67")
async def test_the_hubs_own_namespace_becomes_the_agents_home_and_statuses_find_their_way_back(mapped: Mapped) -> None:
    name, home, spoke = a_name("app"), mapped.fleet.hub.namespace, mapped.fleet.spokes[MAKER]
    async with mapped.open(home) as sides:
        at_home = Applications(sides.maker.cluster, spoke.namespace)
        await sides.create(name, MAKER, path="one")
        mirror = await at_home.until_there(name)
        await at_home.change(name, synced("r1"))
        told = await sides.hub.until(name, _has_revision("r1"), "the status")
        await sides.hub.change(name, with_path("two"))
        await at_home.until(name, lambda obj: path_of(obj) == "two", "the change")
        await at_home.delete(name)
        again = await at_home.until(name, lambda obj: obj.uid != mirror.uid, "made again")

        assert mirror.annotations[ANNOTATION_NAMESPACE_REMAPPED] == "true"
        assert again.annotations[ANNOTATION_NAMESPACE_REMAPPED] == "true"
        assert ANNOTATION_NAMESPACE_REMAPPED not in told.annotations
        assert not await _is_namespace(sides.maker, home)

        await sides.hub.delete(name)
        await at_home.until_gone(name)


@pytest.mark.feature("A-69", "C-20")
async def test_a_missing_namespace_is_made_where_the_agent_was_told_so_and_said_on_the_hub_elsewhere(
    mapped: Mapped,
) -> None:
    async with mapped.open(await mapped.namespace("a")) as sides:
        for name in ("one", "two"):
            await sides.create(name, MAKER)
        await sides.create("missing", GUEST)
        for name in ("one", "two"):
            await sides.maker.until_there(name)
        refused = await sides.hub.until("missing", lambda obj: bool(refusal_of(obj)), "the refusal")

        assert f"namespace {sides.hub.namespace} is not on the spoke" in refusal_of(refused)
        assert "--create-namespace" in refusal_of(refused)
        assert not await _is_namespace(sides.guest, sides.hub.namespace)
        made = [said for _, said in mapped.fleet.agents[MAKER].lines if "Created a namespace" in said]
        assert sum(sides.hub.namespace in line for line in made) == 1

        await make_namespace(mapped.fleet.spokes[GUEST].kubeconfig, sides.hub.namespace)
        await sides.guest.until_there("missing")
        await sides.hub.until("missing", lambda obj: not refusal_of(obj), "no refusal")


@pytest.mark.feature("A-68", "C-21")
async def test_a_namespace_that_the_agent_may_not_use_is_said_on_the_hub(mapped: Mapped) -> None:
    async with mapped.open(await mapped.namespace("z", MAKER, GUEST)) as sides:
        await sides.create("guestbook", MAKER)
        refused = await sides.hub.until("guestbook", lambda obj: bool(refusal_of(obj)), "the refusal")
        own = await sides.maker.create("theirs", annotations={ANNOTATION_SOURCE_UID: "another"})
        await sides.create("fine", GUEST)
        await sides.guest.until_there("fine")
        await sides.arrived()

        assert "expected a namespace that the agent may use" in refusal_of(refused)
        assert "--allowed-namespaces" in refusal_of(refused)
        assert not await sides.maker.is_there("guestbook")
        assert await sides.maker.get("theirs") == own

        await sides.move("guestbook", GUEST)
        await sides.guest.until_there("guestbook")
        await sides.hub.until("guestbook", lambda obj: not refusal_of(obj), "no refusal")


@pytest.mark.feature("P-48", "C-21")
async def test_namespaces_that_the_hub_does_not_allow_keep_their_applications(mapped: Mapped) -> None:
    unique = a_name("n")[2:]
    names = {"allowed": f"guests-{unique}-{mapped.team}", "refused": f"guests-x{unique}-{mapped.team}"}
    for name in names.values():
        await make_namespace(mapped.fleet.hub.kubeconfig, name)
        await make_namespace(mapped.fleet.spokes[GUEST].kubeconfig, name)
    async with mapped.open(names["allowed"]) as allowed, mapped.open(names["refused"]) as refused:
        made = await refused.create("guestbook", GUEST)
        await allowed.create("guestbook", GUEST)
        await allowed.guest.until_there("guestbook")
        await allowed.arrived()

        assert not await refused.guest.is_there("guestbook")
        assert await refused.hub.get("guestbook") == made


@pytest.mark.feature("P-54")
@pytest.mark.parametrize("destination", [{"name": "in-cluster"}, {"server": "https://kubernetes.default.svc"}])
async def test_applications_for_the_hub_or_for_nobody_stay_until_they_name_an_agent(
    mapped: Mapped, destination: dict[str, str]
) -> None:
    async with mapped.open(await mapped.namespace("a", MAKER, GUEST)) as sides:
        made = await sides.hub.create("guestbook", destination={**destination, "namespace": "default"})
        await sides.arrived()
        assert await sides.hub.get("guestbook") == made
        assert not await sides.maker.is_there("guestbook")

        await sides.move("guestbook", MAKER)
        await sides.maker.until_there("guestbook")

        own = {**destination, "namespace": "default"}
        await sides.hub.change(
            "guestbook", lambda obj: obj.with_fields({"spec": encode({**obj.look("spec"), "destination": own})})
        )
        await sides.maker.until_gone("guestbook")
        await sides.arrived()
        assert await sides.hub.is_there("guestbook")


@pytest.mark.feature("P-53", "C-23")
async def test_a_new_destination_moves_an_application_and_the_status_follows(mapped: Mapped) -> None:
    async with mapped.open(await mapped.namespace("a", MAKER, GUEST)) as sides:
        made = await sides.create("guestbook", MAKER)
        await sides.maker.until_there("guestbook")
        await sides.maker.change("guestbook", synced("at-maker"))
        await sides.hub.until("guestbook", _has_revision("at-maker"), "the first status")

        await sides.move("guestbook", GUEST)
        await sides.maker.until_gone("guestbook")
        mirror = await sides.guest.until_there("guestbook")
        await sides.guest.change("guestbook", synced("at-guest"))
        await sides.hub.until("guestbook", _has_revision("at-guest"), "the second status")

        assert (source_of(mirror), path_of(mirror)) == (made.uid, "moved")

        await sides.move("guestbook", MAKER, path="back")
        await sides.guest.until_gone("guestbook")
        back = await sides.maker.until_there("guestbook")
        assert path_of(back) == "back"


@pytest.mark.feature("P-53", "C-23")
async def test_an_application_moves_though_the_old_agents_cascade_takes_its_time(mapped: Mapped) -> None:
    async with mapped.open(await mapped.namespace("a", MAKER, GUEST)) as sides:
        made = await sides.create("guestbook", MAKER, finalizers=(FINALIZER,))
        await sides.maker.until_there("guestbook")

        await sides.move("guestbook", GUEST)
        await sides.maker.until("guestbook", lambda obj: obj.is_deleting, "the cascade")
        await sides.guest.until_there("guestbook")
        await sides.maker.change("guestbook", synced("late"))
        await sides.maker.finish("guestbook")
        await sides.maker.until_gone("guestbook")
        await sides.guest.change("guestbook", synced("at-guest"))
        held = await sides.hub.until("guestbook", _has_revision("at-guest"), "the status of the new agent")
        await sides.arrived()

        assert (held.uid, held.is_deleting) == (made.uid, False)
        assert revision_of(await sides.hub.get("guestbook")) == "at-guest"


@pytest.mark.feature("C-60")
async def test_no_agent_writes_an_application_of_another(mapped: Mapped) -> None:
    async with mapped.open(await mapped.namespace("a", MAKER, GUEST)) as sides:
        made = await sides.create("guestbook", MAKER)
        mirror = await sides.maker.until_there("guestbook")
        mark = mapped.fleet.principal.mark
        stamps = {name: mirror.annotations[name] for name in (ANNOTATION_SOURCE_UID, ANNOTATION_PRINCIPAL_UID)}

        await sides.guest.create("guestbook", annotations=stamps)
        with contextlib.suppress(NotFound):  # the hub may have had it deleted by now
            await sides.guest.change("guestbook", synced("forged"))
        await sides.guest.until_gone("guestbook")
        await sides.arrived()

        assert await sides.hub.get("guestbook") == made
        line = mapped.fleet.principal.said("guestbook", mapped.agent(GUEST), since=mark)
        assert f"is not agent {mapped.agent(GUEST)}'s" in line


@pytest.mark.feature("P-53", "A-37", "C-66")
@pytest.mark.parametrize("who", ["principal", "old agent", "new agent"])
async def test_what_happened_while_a_program_was_away_is_caught_up_with(mapped: Mapped, who: str) -> None:
    fleet, number = mapped.fleet, {"old agent": MAKER, "new agent": GUEST}.get(who, -1)
    async with mapped.open(await mapped.namespace("a", MAKER, GUEST)) as sides:
        for name in ("moved", "changed", "deleted"):
            await sides.create(name, MAKER)
        await asyncio.gather(*(sides.maker.until_there(name) for name in ("moved", "changed", "deleted")))
        (fleet.agents[number] if number >= 0 else fleet.principal).kill()

        await sides.move("moved", GUEST)
        await sides.hub.change("changed", with_path("two"))
        await sides.hub.delete("deleted")
        await sides.create("new", GUEST)
        await sides.maker.change("changed", synced("r1"))
        fleet.start_agent(number) if number >= 0 else fleet.start_principal()

        await sides.maker.until_gone("moved")
        await sides.guest.until("moved", lambda obj: path_of(obj) == "moved", "the move")
        await sides.maker.until("changed", lambda obj: path_of(obj) == "two", "the change")
        await sides.hub.until("changed", _has_revision("r1"), "the status")
        await sides.maker.until_gone("deleted")
        await sides.guest.until_there("new")


@pytest.mark.feature("P-84", "C-66")
async def test_nothing_is_written_when_all_is_right_not_even_after_restarts(mapped: Mapped) -> None:
    fleet, home = mapped.fleet, mapped.fleet.hub.namespace
    async with mapped.open(await mapped.namespace("a", GUEST)) as sides, mapped.open(home) as at_home:
        for side in (sides, at_home):
            for number, name in enumerate(("for-maker", "for-guest")):
                await side.create(name, number)
        places = [
            (sides.maker, "for-maker"),
            (sides.guest, "for-guest"),
            (Applications(sides.maker.cluster, fleet.spokes[MAKER].namespace), "for-maker"),
            (Applications(sides.guest.cluster, fleet.spokes[GUEST].namespace), "for-guest"),
        ]
        for where, name in places:
            await where.until_there(name)
            await where.change(name, synced("r1"))
        sources = [(side.hub, name) for side in (sides, at_home) for name in ("for-maker", "for-guest")]
        for where, name in sources:
            await where.until(name, _has_revision("r1"), "the status")
        before = [await where.get(name) for where, name in (*places, *sources)]

        fleet.end()
        fleet.start_principal()
        for number in (MAKER, GUEST):
            fleet.start_agent(number)
        await fleet.ready()
        await sides.arrived()
        await sides.arrived()

        assert [await where.get(name) for where, name in (*places, *sources)] == before


def _has_revision(revision: str) -> Claim:
    return lambda obj: revision_of(obj) == revision


async def _is_namespace(side: Applications, name: str) -> bool:
    try:
        await side.cluster.get(NAMESPACES, "", name)
    except NotFound:
        return False
    return True
