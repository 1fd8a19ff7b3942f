"""The live view of Argo CD's own server when the link is cut, when programs are killed, and when a part is left out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from argocd_agent.demo.faults import Link
from tests.support.argocd import SPOKE, ArgoCD, Part, argo_cd
from tests.support.clusters import RealClusters
from tests.support.gitserver import HOST, GitServer
from tests.support.guestbook import PAGE, guestbook
from tests.support.kwok import FakeNode
from tests.support.liveview import View, embedded, eventually
from tests.support.pairs import Pair, ended
from tests.support.programs import LOOPBACK, a_port
from tests.support.shop import AUTOMATED, SECONDS, Shop, is_, revision_is
from tests.support.sites import a_name, install_spoke


async def a_view(pair: Pair, argo: ArgoCD, git: GitServer) -> View:
    """A synced guestbook of a managed agent."""
    repository = git.repository(a_name("shop"))
    repository.commit(guestbook("one"))
    shop = Shop(pair, argo, repository)
    async with pair.open() as (hub, _):
        await shop.create(hub, to=pair.spoke.agent, spec=AUTOMATED)
        await hub.until(shop.name, is_("Synced", "Healthy"), "synced and healthy", SECONDS)
    return View(shop, argo)


async def all_is_seen(view: View, node: FakeNode) -> None:
    """The tree, the live manifests and the logs come, by themselves."""
    line = a_name("line")
    node.says(line)
    await eventually(lambda: view.read("ConfigMap", PAGE), lambda text: '"text": "one"' in text)
    tree = await eventually(view.tree)
    logs = await eventually(lambda: view.says("logs", "--tail=1"), lambda said: said.status == 0)
    assert sorted(tree) == ["ConfigMap", "Deployment", "Pod", "ReplicaSet"]
    assert logs.out.split() == [line]


@contextlib.asynccontextmanager
async def behind_a_link(pair: Pair) -> AsyncIterator[Link]:
    """The pair's agent behind a link that can be spoilt, and as before at the end."""
    link = Link(LOOPBACK, pair.hub.port)
    carrying = asyncio.create_task(link.run(), name="link")
    try:
        async with killed(pair):
            pair.start_agent(f"--server-port={link.port}", *pair.agent_flags)
            await pair.ready()
            yield link
    finally:
        carrying.cancel()
        await asyncio.gather(carrying, return_exceptions=True)


@contextlib.asynccontextmanager
async def killed(pair: Pair) -> AsyncIterator[None]:
    """No agent, or the one that the block starts; after it the pair's own again."""
    pair.agent.kill()
    try:
        yield
    finally:
        pair.agent.kill()
        pair.start_agent()
        await pair.ready()


@pytest.mark.feature("P-124", "P-95", "P-108", "C-43")
async def test_the_view_is_back_after_the_link_was_cut(
    pair: Pair, hub_argo: ArgoCD, git: GitServer, node: FakeNode
) -> None:
    view = await a_view(pair, hub_argo, git)
    async with behind_a_link(pair) as link:
        await all_is_seen(view, node)
        link.cut()
        link.restore()
        await all_is_seen(view, node)


@pytest.mark.feature("P-124", "P-95", "P-108", "C-43")
async def test_the_view_is_back_after_either_program_was_killed_and_the_last_tree_is_shown_meanwhile(
    pair: Pair, hub_argo: ArgoCD, git: GitServer, node: FakeNode
) -> None:
    view = await a_view(pair, hub_argo, git)
    await all_is_seen(view, node)

    async with killed(pair):
        away = await eventually(
            lambda: view.says("get-resource", "--kind=ConfigMap", f"--resource-name={PAGE}"),
            lambda said: said.status != 0,
        )
        known = await view.tree()
    await all_is_seen(view, node)
    pair.principal.kill()
    pair.start_principal()
    await all_is_seen(view, node)

    assert "is not connected" in away.err
    assert sorted(known) == ["ConfigMap", "Deployment", "Pod", "ReplicaSet"]
    assert "as of" in str(known["Deployment"][0]["info"]).lower()


@pytest.mark.feature("C-49")
async def test_without_live_requests_on_the_spoke_the_sync_goes_on(
    pair: Pair, hub_argo: ArgoCD, git: GitServer
) -> None:
    view = await a_view(pair, hub_argo, git)
    async with killed(pair):
        pair.start_agent("--enable-resource-proxy=false", *pair.agent_flags)
        await pair.ready()
        refused = await eventually(
            lambda: view.says("get-resource", "--kind=ConfigMap", f"--resource-name={PAGE}"),
            lambda said: "--enable-resource-proxy is false" in said.err,
        )
        newest = view.shop.repository.commit(guestbook("two"))
        await view.shop.says("get", "--refresh", "--output=json")
        async with pair.open() as (hub, _):
            await hub.until(view.shop.name, revision_is(newest), "the newest", SECONDS)

    assert refused.status != 0


@pytest.fixture
def without_redis(
    clusters: RealClusters, tools: Path, pair: Pair, git: GitServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """An agent that is the cache of its Argo CD, beside the others of the same principal."""
    spoke = asyncio.run(install_spoke(pair.hub, clusters[1].kubeconfig))
    address = f"{LOOPBACK}:{a_port()}"
    flags = embedded(address)
    agent = spoke.start(*flags)
    with ended(agent):
        agent.until_ready()
        redis = [f"--redis={address}"]
        with argo_cd(
            tools,
            tmp_path_factory.mktemp("without-redis"),
            spoke.kubeconfig,
            spoke.namespace,
            [part for part in SPOKE if part is not Part.REDIS],
            trusted={HOST: git.ca},
            flags={Part.CONTROLLER: redis, Part.REPOSITORIES: redis},
        ):
            yield Pair(pair.hub, spoke, pair.principal, agent, pair.principal_flags, flags)


@pytest.mark.feature("P-124", "C-43")
async def test_a_spoke_without_redis_is_seen_likewise(
    without_redis: Pair, hub_argo: ArgoCD, git: GitServer, node: FakeNode
) -> None:
    view = await a_view(without_redis, hub_argo, git)

    await all_is_seen(view, node)
