"""AppProjects of the hub on managed agents: who gets one, in which edition, and who may change it.

One principal and three agents, two managed and one autonomous, serve all tests that restart nothing.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from argocd_agent.backends.ports import Propagation
from argocd_agent.codec import encode
from argocd_agent.protocol.names import LABEL_IGNORE_SYNC
from argocd_agent.resources.kinds import APPPROJECTS
from argocd_agent.resources.objects import Object, OwnerReference
from tests.support.applications import FINALIZER, Projects, source_of, unborn, with_description
from tests.support.clusters import RealClusters
from tests.support.objects import a_project, description_of
from tests.support.pairs import AUTONOMOUS, Pair, a_pair, ended
from tests.support.sites import Hub, Spoke, a_name, install_hub, install_spoke, opened

IN_CLUSTER = {"name": "in-cluster", "server": "https://kubernetes.default.svc"}
ANYWHERE = [{"name": "*", "namespace": "*"}]
PROXY = "https://resource-proxy:9090"


@dataclass
class Fleet:
    """One hub with its agents, by the first word of their names: north and south are managed, pole is autonomous."""

    hub: Hub
    sites: dict[str, Spoke]

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Projects, dict[str, Projects]]]:
        """The projects of the hub, and those of each agent."""
        async with contextlib.AsyncExitStack() as stack:
            hub = await stack.enter_async_context(opened(self.hub.kubeconfig))
            spokes = {
                name: Projects(await stack.enter_async_context(opened(site.kubeconfig)), site.namespace)
                for name, site in self.sites.items()
            }
            yield Projects(hub, self.hub.namespace), spokes


@pytest.fixture(scope="module")
def fleet(clusters: RealClusters) -> Iterator[Fleet]:
    """All of it, connected."""

    async def install() -> Fleet:
        hub = await install_hub(clusters[0].kubeconfig)
        names = {"north": clusters[1], "south": clusters[2], "pole": clusters[1]}
        return Fleet(
            hub,
            {name: await install_spoke(hub, at.kubeconfig, agent=a_name(name)) for name, at in names.items()},
        )

    whole = asyncio.run(install())
    programs = [whole.hub.start(), *(s.start(*(AUTONOMOUS if n == "pole" else ())) for n, s in whole.sites.items())]
    with ended(*programs):
        for program in programs:
            program.until_ready()
        yield whole


@pytest.fixture
def name() -> str:
    """Of the project that the test is about."""
    return a_name("team")


def spec(destinations: list[dict[str, str]], namespaces: list[str], **more: Any) -> dict[str, Any]:
    """Of a project."""
    return {"destinations": destinations, "sourceNamespaces": namespaces, "sourceRepos": ["*"], **more}


MATRIX: dict[str, tuple[list[dict[str, str]], list[str], set[str]]] = {
    "everybody": (ANYWHERE, ["*"], {"north", "south"}),
    "by-name": ([{"name": "north-*", "namespace": "*"}], ["*"], {"north"}),
    "by-namespace": (ANYWHERE, ["south-*"], {"south"}),
    "by-expression": (ANYWHERE, ["/^north-[0-9a-f]+$/"], {"north"}),
    "by-both": ([{"name": "north-*", "namespace": "*"}], ["south-*"], set()),
    "one-of-several": ([{"name": "nobody"}, {"name": "south-*"}], ["nobody", "s*"], {"south"}),
    "denied": ([*ANYWHERE, {"name": "!south-*", "namespace": "*"}], ["*"], {"north"}),
    "all-denied": ([{"name": "!*", "namespace": "*"}, {"name": "north-*"}], ["*"], set()),
    "any-server": ([{"server": "*", "namespace": "*"}], ["*"], {"north", "south"}),
    "by-server": ([{"server": f"{PROXY}?agentName=north-*", "namespace": "*"}], ["*"], {"north"}),
    "another-server": ([{"server": "https://10.0.0.1", "namespace": "*"}], ["*"], set()),
    "name-before-server": ([{"name": "south-*", "server": "*"}], ["*"], {"south"}),
    "the-hub-itself": ([{"name": "in-cluster", "namespace": "*"}], ["*"], set()),
    "no-namespace": (ANYWHERE, [], set()),
    "no-destination": ([], ["*"], set()),
    "autonomous": ([{"name": "pole-*", "namespace": "*"}], ["*"], set()),
}


@pytest.mark.feature("P-71", "A-56", "C-24")
async def test_a_project_reaches_the_managed_agents_that_it_names_and_nobody_else(fleet: Fleet, name: str) -> None:
    async with fleet.open() as (hub, spokes):
        for case, (destinations, namespaces, _) in MATRIX.items():
            await hub.create(f"{name}-{case}", spec=spec(destinations, namespaces))
        await hub.create(f"{name}-last", spec=spec(ANYWHERE, ["*"]))
        await spokes["pole"].create(f"{name}-own")

        await asyncio.gather(*(_has_its_own(spokes[agent], agent, name) for agent in ("north", "south")))
        await hub.until_there(f"{fleet.sites['pole'].agent}-{name}-own")
        assert {case for case in MATRIX if await spokes["pole"].is_there(f"{name}-{case}")} == set()


async def _has_its_own(spoke: Projects, agent: str, start: str) -> None:
    """Of those that begin with *start*, wait until exactly those that the matrix says are on *agent*."""
    wanted = {f"{start}-{case}" for case, (_, _, agents) in MATRIX.items() if agent in agents} | {f"{start}-last"}
    await spoke.until_there(f"{start}-last")
    await spoke.until_all(lambda found: {name for name in found if name.startswith(start)} == wanted, f"{wanted}")


@pytest.mark.feature("P-72", "A-50", "A-56", "C-25")
async def test_each_agent_gets_its_own_edition(fleet: Fleet, name: str) -> None:
    roles = [{"name": "admin", "policies": [f"p, proj:{name}:admin, applications, *, {name}/*, allow"]}]
    more = {"roles": roles, "description": "of all", "clusterResourceWhitelist": [{"group": "*", "kind": "*"}]}
    destinations = [
        {"name": "north-*", "namespace": "web"},
        {"name": "south-*", "namespace": "db"},
        {"server": "*", "namespace": "both"},
    ]
    owner = OwnerReference(api_version="v1", kind="ConfigMap", name="owner", uid="1-2-3")
    async with fleet.open() as (hub, spokes):
        wanted = a_project(name, hub.namespace, spec=spec(destinations, ["*"], **more), labels={"tier": "web"})
        given = wanted.with_metadata(owner_references=(owner,), annotations={"team": "shop"})
        source = await hub.cluster.create(APPPROJECTS, unborn(given))

        north, south = [await spokes[agent].until_there(name) for agent in ("north", "south")]

    common = {key: source.look("spec")[key] for key in ("sourceRepos", "description", "clusterResourceWhitelist")}
    both = {**IN_CLUSTER, "namespace": "both"}
    assert north.look("spec") == {**common, "destinations": [{**IN_CLUSTER, "namespace": "web"}, both]}
    assert south.look("spec") == {**common, "destinations": [{**IN_CLUSTER, "namespace": "db"}, both]}
    assert (north.labels, north.annotations["team"], source_of(north)) == ({"tier": "web"}, "shop", source.uid)
    assert north.metadata.owner_references is None


@pytest.mark.feature("P-73", "A-56", "C-26")
async def test_a_changed_project_is_followed_and_a_deleted_one_goes(fleet: Fleet, name: str) -> None:
    async with fleet.open() as (hub, spokes):
        await hub.create(name, spec=spec(ANYWHERE, ["*"], description="one"), labels={"tier": "web"})
        before = {agent: await spokes[agent].until_there(name) for agent in ("north", "south")}

        await hub.change(name, lambda obj: with_description("two")(obj).with_metadata(labels={"tier": "db"}))
        for agent, mirror in before.items():
            after = await spokes[agent].until(name, lambda obj: description_of(obj) == "two", "the change")
            assert (after.uid, after.labels) == (mirror.uid, {"tier": "db"})

        await hub.delete(name)
        for agent in before:
            await spokes[agent].until_gone(name)


@pytest.mark.feature("P-73", "C-26")
async def test_agents_that_join_or_leave_the_patterns_follow(fleet: Fleet, name: str) -> None:
    def named(*agents: str) -> Callable[[Object], Object]:
        wanted = spec([{"name": f"{agent}-*", "namespace": "*"} for agent in agents], ["*"])
        return lambda obj: obj.with_fields({"spec": encode(wanted)})

    async with fleet.open() as (hub, spokes):
        north, south = spokes["north"], spokes["south"]
        await hub.create(name, spec=spec([{"name": "north-*", "namespace": "*"}], ["*"]))
        first = await north.until_there(name)
        assert not await south.is_there(name)

        await hub.change(name, named("north", "south"))
        await south.until_there(name)
        await hub.change(name, named("south"))
        await north.until_gone(name)
        await hub.change(name, lambda obj: obj.with_fields({"spec": encode(spec(ANYWHERE, ["north-*"]))}))
        await south.until_gone(name)
        again = await north.until_there(name)

    assert again.uid != first.uid
    assert source_of(again) == source_of(first)


@pytest.mark.feature("P-73", "P-82", "C-24")
async def test_an_agent_that_comes_later_gets_what_is_for_it(fleet: Fleet, clusters: RealClusters, name: str) -> None:
    async with fleet.open() as (hub, spokes):
        await hub.create(name, spec=spec(ANYWHERE, ["*"]))
        await spokes["north"].until_there(name)

        late = await install_spoke(fleet.hub, clusters[2].kubeconfig)
        program = late.start()
        with ended(program):
            async with opened(late.kubeconfig) as cluster:
                mirror = await Projects(cluster, late.namespace).until_there(name)

        assert source_of(mirror) == (await hub.get(name)).uid


@pytest.mark.feature("P-74")
async def test_finalizers_of_a_project_are_taken_off_on_the_hub_and_hold_no_deletion_up(
    fleet: Fleet, name: str
) -> None:
    async with fleet.open() as (hub, spokes):
        await hub.create(name, spec=spec(ANYWHERE, ["*"]), finalizers=(FINALIZER,))
        await hub.until(name, lambda obj: not obj.metadata.finalizers, "no finalizers")
        await spokes["north"].until_there(name)

        await hub.delete(name, Propagation.FOREGROUND)
        await hub.until_gone(name)
        await spokes["north"].until_gone(name)


@pytest.mark.feature("A-56", "C-28")
async def test_a_project_edited_or_deleted_on_the_spoke_is_put_right(fleet: Fleet, name: str) -> None:
    async with fleet.open() as (hub, spokes):
        source = await hub.create(name, spec=spec(ANYWHERE, ["*"], description="right"))
        north = spokes["north"]
        mirror = await north.until_there(name)

        await north.change(name, with_description("wrong"))
        mended = await north.until(name, lambda obj: description_of(obj) == "right", "put right")
        await north.change(name, lambda obj: obj.with_metadata(annotations=None))
        await north.until(name, lambda obj: source_of(obj) == source.uid, "the source again")
        await north.change(name, lambda obj: obj.with_metadata(labels={LABEL_IGNORE_SYNC: "true"}))
        await north.until(name, lambda obj: not obj.labels, "the label taken off")
        await north.delete(name)
        again = await north.until(name, lambda obj: obj.uid != mirror.uid, "made again")

        assert await hub.get(name) == source
    assert mended.uid == mirror.uid
    assert (again.look("spec"), source_of(again)) == (mirror.look("spec"), source.uid)


@pytest.mark.feature("A-56", "C-24")
@pytest.mark.parametrize("is_default", [True, False])
async def test_a_project_that_was_on_the_spoke_before_is_adopted_in_place(
    fleet: Fleet, name: str, is_default: bool
) -> None:
    name = "default" if is_default else name
    async with fleet.open() as (hub, spokes):
        theirs = await spokes["north"].create(name, labels={"theirs": "yes"})

        source = await hub.create(name, spec=spec(ANYWHERE, ["*"], description="of the hub"))
        adopted = await spokes["north"].until(name, lambda obj: source_of(obj) == source.uid, "adopted")

        await spokes["south"].until_there(name)
    assert adopted.uid == theirs.uid
    assert adopted.look("spec") == {
        "destinations": [{**IN_CLUSTER, "namespace": "*"}],
        "sourceRepos": ["*"],
        "description": "of the hub",
    }


@pytest.mark.feature("P-50", "C-15")
async def test_a_project_labelled_ignore_sync_is_on_no_spoke_for_as_long_as_it_is(fleet: Fleet, name: str) -> None:
    async with fleet.open() as (hub, spokes):
        await hub.create(name, spec=spec(ANYWHERE, ["*"]), labels={LABEL_IGNORE_SYNC: "true"})
        await hub.create(f"{name}-later", spec=spec(ANYWHERE, ["*"]), labels={LABEL_IGNORE_SYNC: "false"})
        for agent in ("north", "south"):
            await spokes[agent].until_there(f"{name}-later")
            assert not await spokes[agent].is_there(name)

        await hub.change(name, lambda obj: obj.with_metadata(labels=None))
        for agent in ("north", "south"):
            await spokes[agent].until_there(name)
        await hub.change(name, lambda obj: obj.with_metadata(labels={LABEL_IGNORE_SYNC: "true"}))
        for agent in ("north", "south"):
            await spokes[agent].until_gone(name)

        assert await hub.is_there(name)


async def _end(pair: Pair, who: str) -> None:
    program = {"agent": pair.agent, "principal": pair.principal}[who]
    await asyncio.to_thread(program.kill)


@pytest.mark.feature("P-73", "A-56", "C-26", "C-28", "C-66")
@pytest.mark.parametrize("who", ["agent", "principal"])
async def test_what_happened_to_projects_while_one_side_was_away_is_caught_up_with(
    clusters: RealClusters, who: str
) -> None:
    async with (
        a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig) as pair,
        pair.projects() as (hub, spoke),
    ):
        names = ("changed", "deleted", "left", "joined", "edited", "lost", "kept")
        for name in names:
            namespaces = ["nobody"] if name == "joined" else ["*"]
            await hub.create(name, spec=spec(ANYWHERE, namespaces, description="one"))
        await spoke.until_all(lambda found: found.keys() == {*names} - {"joined"}, "all that are for the agent")
        kept = await spoke.get("kept")

        await _end(pair, who)
        await hub.change("changed", with_description("two"))
        await hub.delete("deleted")
        await hub.change("left", lambda obj: obj.with_fields({"spec": encode(spec(ANYWHERE, ["nobody"]))}))
        await hub.change("joined", lambda obj: obj.with_fields({"spec": encode(spec(ANYWHERE, ["*"]))}))
        await spoke.change("edited", with_description("wrong"))
        await spoke.delete("lost")
        pair.start_agent() if who == "agent" else pair.start_principal()
        await spoke.until_all(lambda found: found.keys() == {*names} - {"deleted", "left"}, "as the hub wants it")
        await spoke.until("changed", lambda obj: description_of(obj) == "two", "the change")
        await spoke.until("edited", lambda obj: description_of(obj) == "one", "put right")

        assert await spoke.get("kept") == kept
