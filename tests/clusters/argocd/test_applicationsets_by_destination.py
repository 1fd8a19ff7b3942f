"""One ApplicationSet for many agents: generators read their cluster Secrets, and each agent gets what names it.

The set lives in Argo CD's own namespace on the hub, as cluster generators must, and so do its Applications; on the
spokes they are found in the agents' namespaces. The first spoke has Argo CD's controller, the others show the mirror.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from argocd_agent.protocol.names import ANNOTATION_NAMESPACE_REMAPPED, LABEL_AGENT_NAME
from argocd_agent.resources.objects import Object
from tests.support.applications import Applications, source_of
from tests.support.applicationsets import Generated, Spec, until_synced
from tests.support.argocd import SPOKE, Part, argo_cd
from tests.support.clusters import RealCluster, RealClusters
from tests.support.gitserver import HOST, GitServer
from tests.support.guestbook import guestbook
from tests.support.kwok import FakeNode
from tests.support.pairs import ended
from tests.support.sites import Hub, Spoke, a_name, install_hub, install_spoke, opened

SECONDS = 30.0
AGENTS: Spec = {"clusters": {"selector": {"matchExpressions": [{"key": LABEL_AGENT_NAME, "operator": "Exists"}]}}}
MAPPING = "--destination-based-mapping"


@dataclass(frozen=True, slots=True)
class Fleet:
    """A principal that maps by destination, and two of its agents."""

    hub: Hub
    first: Spoke
    second: Spoke

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Applications, Applications, Applications]]:
        """The Applications of all agents on the hub, and those on each spoke."""
        async with (
            opened(self.hub.kubeconfig) as hub,
            opened(self.first.kubeconfig) as first,
            opened(self.second.kubeconfig) as second,
        ):
            yield (
                Applications(hub, self.hub.namespace),
                Applications(first, self.first.namespace),
                Applications(second, self.second.namespace),
            )


@pytest.fixture(scope="module")
def fleet(
    clusters: RealClusters,
    tools: Path,
    hub_cluster: RealCluster,
    node: FakeNode,
    git: GitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fleet]:
    async def install() -> Fleet:
        hub = await install_hub(hub_cluster.kubeconfig)
        first, second = [await install_spoke(hub, clusters[index].kubeconfig) for index in (1, 2)]
        return Fleet(hub, first, second)

    made, trusted = asyncio.run(install()), {HOST: git.ca}
    with contextlib.ExitStack() as stack:
        for site, parts in ((made.hub, (Part.REDIS, Part.REPOSITORIES, Part.SETS)), (made.first, SPOKE)):
            folder = tmp_path_factory.mktemp(site.namespace)
            stack.enter_context(argo_cd(tools, folder, site.kubeconfig, site.namespace, parts, trusted=trusted))
        programs = [made.hub.start(MAPPING), made.first.start(MAPPING), made.second.start(MAPPING)]
        stack.enter_context(ended(*reversed(programs)))
        for program in programs:
            program.until_ready()
        yield made


@pytest.fixture
def generated(fleet: Fleet, git: GitServer) -> Generated:
    repository = git.repository(a_name("set"))
    repository.commit(guestbook("one"))
    return Generated(fleet.hub.namespace, repository, to="{{.name}}")


def _template(generated: Generated, *fields: str) -> str:
    return "-".join([generated.name, *(f"{{{{.{field}}}}}" for field in fields)])


async def _is_of(spoke: Applications, source: Object) -> Object:
    """The mirror of *source* on *spoke*, which says that it has come from the hub's own namespace."""
    mirror = await spoke.until(source.name, lambda obj: source_of(obj) == source.uid, "the mirror", SECONDS)
    assert mirror.look("spec")["destination"] == {"name": "in-cluster", "namespace": source.name}
    assert mirror.annotations[ANNOTATION_NAMESPACE_REMAPPED] == "true"
    return mirror


@pytest.mark.feature("P-52", "P-55", "C-19", "C-34")
async def test_a_cluster_generator_gives_each_agent_its_application(fleet: Fleet, generated: Generated) -> None:
    names = [f"{generated.name}-{spoke.agent}" for spoke in (fleet.first, fleet.second)]
    async with fleet.open() as (hub, first, second):
        await generated.create(hub.cluster, [AGENTS], _template(generated, "name"))

        (done,) = await until_synced(hub, names[:1])
        await _is_of(first, done)
        await _is_of(second, await hub.until_there(names[1]))

        assert not await first.is_there(names[1])
        assert not await second.is_there(names[0])
    assert ANNOTATION_NAMESPACE_REMAPPED not in done.annotations


@pytest.mark.feature("C-34")
async def test_a_matrix_of_agents_and_a_list_gives_each_agent_all_of_the_list(
    fleet: Fleet, generated: Generated
) -> None:
    tiers = ["web", "store"]
    matrix: Spec = {"matrix": {"generators": [AGENTS, {"list": {"elements": [{"tier": tier} for tier in tiers]}}]}}
    async with fleet.open() as (hub, first, second):
        await generated.create(hub.cluster, [matrix], _template(generated, "name", "tier"))

        for tier in tiers:
            (done,) = await until_synced(hub, [f"{generated.name}-{fleet.first.agent}-{tier}"])
            await _is_of(first, done)
            await _is_of(second, await hub.until_there(f"{generated.name}-{fleet.second.agent}-{tier}"))


@pytest.mark.feature("C-34")
async def test_an_agent_that_is_registered_later_gets_its_application(
    fleet: Fleet, generated: Generated, clusters: RealClusters
) -> None:
    async with fleet.open() as (hub, _, _):
        await generated.create(hub.cluster, [AGENTS], _template(generated, "name"))
        await hub.until_there(f"{generated.name}-{fleet.first.agent}")

        third = await install_spoke(fleet.hub, clusters[2].kubeconfig)
        with ended(third.start(MAPPING)):
            made = await hub.until_there(f"{generated.name}-{third.agent}")
            async with opened(third.kubeconfig) as cluster:
                await _is_of(Applications(cluster, third.namespace), made)


@pytest.mark.feature("P-53", "C-23")
async def test_an_application_that_the_generator_gives_to_another_agent_moves(
    fleet: Fleet, generated: Generated
) -> None:
    generated.to = "{{.agent}}"

    def on(spoke: Spoke) -> list[Spec]:
        return [{"list": {"elements": [{"name": generated.one, "agent": spoke.agent}]}}]

    async with fleet.open() as (hub, first, second):
        await generated.create(hub.cluster, on(fleet.first))
        (before,) = await until_synced(hub, [generated.one])

        await generated.change(hub.cluster, lambda spec: {**spec, "generators": on(fleet.second)})

        await first.until_gone(generated.one, SECONDS)
        await _is_of(second, before)
        assert (await hub.get(generated.one)).uid == before.uid


@pytest.mark.feature("C-34")
async def test_a_deleted_set_takes_its_applications_away_on_the_hub_and_the_spoke(
    fleet: Fleet, generated: Generated
) -> None:
    name = f"{generated.name}-{fleet.first.agent}"
    only: Spec = {"clusters": {"selector": {"matchLabels": {LABEL_AGENT_NAME: fleet.first.agent}}}}
    async with fleet.open() as (hub, first, _):
        await generated.create(hub.cluster, [only], _template(generated, "name"))
        await until_synced(hub, [name])

        await generated.delete(hub.cluster)

        await hub.until_gone(name, SECONDS)
        await first.until_gone(name, SECONDS)
