"""A managed Application from the hub to its Pods on the spoke and back, with Argo CD's own programs on both sides."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from argocd_agent.backends.ports import Cluster
from argocd_agent.demo.seeing import until
from argocd_agent.resources.kinds import CONFIGMAPS, Api
from argocd_agent.resources.objects import Object
from tests.support.applications import FINALIZER, Applications, conditions_of, revision_of, status_of
from tests.support.argocd import ArgoCD
from tests.support.gitserver import GitServer, Repository
from tests.support.guestbook import DEPLOYMENTS, PAGE, SERVERS, a_hook, guestbook
from tests.support.pairs import Pair
from tests.support.sites import a_name, make_namespace

JOBS = Api("batch", "v1", "jobs", "Job")
SECONDS = 30.0


class Shop:
    """One Application on the hub, its repository, and the namespace it deploys to on the spoke."""

    def __init__(self, pair: Pair, argo: ArgoCD, repository: Repository) -> None:
        self.pair, self.argo, self.repository = pair, argo, repository
        self.name, self.target = a_name("shop"), a_name("target")

    async def create(self, hub: Applications, **more: Any) -> Object:
        """The Application, as a user makes it; *more* as for `an_application`."""
        await make_namespace(self.pair.spoke.kubeconfig, self.target)
        source = {"repoURL": self.repository.url, "path": "guestbook", "targetRevision": "main"}
        spec = {"source": source, **more.pop("spec", {})}
        destination = {"name": self.pair.spoke.agent, "namespace": self.target}
        return await hub.create(self.name, destination=destination, spec=spec, **more)

    async def says(self, *arguments: str) -> str:
        """What the command line says to `app` and *arguments*, about this Application."""
        verb, *flags = arguments
        full = f"{self.pair.spoke.agent}/{self.name}"
        return await asyncio.to_thread(self.argo.run, "app", verb, full, *flags)

    async def until_there(self, cluster: Cluster, api: Api, name: str) -> Object:
        """What it has deployed."""
        found = await until(cluster, api, self.target, name, lambda held: held is not None, SECONDS, f"{name} is there")
        assert found is not None, "the claim is about an object"
        return found


@pytest.fixture
def shop(pair: Pair, hub_argo: ArgoCD, git: GitServer) -> Shop:
    repository = git.repository(a_name("shop"))
    repository.commit(guestbook("one"))
    return Shop(pair, hub_argo, repository)


def _is(sync: str, health: str) -> Callable[[Object], bool]:
    def claim(obj: Object) -> bool:
        status = status_of(obj)
        return (status.get("sync", {}).get("status"), status.get("health", {}).get("status")) == (sync, health)

    return claim


def _phase(obj: Object) -> str:
    return str(status_of(obj).get("operationState", {}).get("phase", ""))


def _history(obj: Object) -> list[dict[str, Any]]:
    """What was deployed, oldest first."""
    history: list[dict[str, Any]] = status_of(obj).get("history", [])
    return history


@pytest.mark.feature("C-1", "C-4")
async def test_an_application_made_on_the_hub_becomes_synced_and_healthy_there(shop: Shop) -> None:
    async with shop.pair.open() as (hub, spoke):
        await shop.create(hub, spec={"syncPolicy": {"automated": {}}})

        done = await hub.until(shop.name, _is("Synced", "Healthy"), "synced and healthy", SECONDS)

        servers = await spoke.cluster.get(DEPLOYMENTS, shop.target, SERVERS)
        shown = await shop.says("get", "--output=json")
    assert revision_of(done) == shop.repository.head
    assert conditions_of(done) == {}
    assert servers.look("status")["readyReplicas"] == 1
    assert shop.name in shown


@pytest.mark.feature("C-7")
async def test_a_sync_by_the_command_line_on_the_hub_deploys_on_the_spoke(shop: Shop) -> None:
    async with shop.pair.open() as (hub, spoke):
        await shop.create(hub)
        await hub.until(shop.name, _is("OutOfSync", "Missing"), "compared, and nothing there", SECONDS)

        await shop.says("sync", "--async")
        done = await hub.until(shop.name, _is("Synced", "Healthy"), "synced and healthy", SECONDS)

        page = await spoke.cluster.get(CONFIGMAPS, shop.target, PAGE)
        ended = await hub.until(shop.name, lambda obj: _phase(obj) == "Succeeded", "the sync has ended", SECONDS)
    assert page.look("data") == {"text": "one"}
    assert "operation" not in ended.fields
    assert status_of(ended)["operationState"]["operation"]["initiatedBy"] == {"username": "admin"}
    assert status_of(done)["operationState"]["syncResult"]["revision"] == shop.repository.head


@pytest.mark.feature("P-57", "C-7")
async def test_a_refresh_by_the_command_line_shows_the_newest_revision(shop: Shop) -> None:
    async with shop.pair.open() as (hub, _):
        await shop.create(hub)
        await hub.until(shop.name, _is("OutOfSync", "Missing"), "compared", SECONDS)
        newest = shop.repository.commit(guestbook("two"))

        shown = await shop.says("get", "--refresh", "--output=json")

        await hub.until(shop.name, lambda obj: revision_of(obj) == newest, "the newest revision", SECONDS)
    assert f'"revision": "{newest}"' in shown


@pytest.mark.feature("P-59", "C-7")
async def test_a_running_sync_is_terminated_by_the_command_line(shop: Shop) -> None:
    shop.repository.commit(guestbook("one", hook=a_hook("wait-for-me")))
    async with shop.pair.open() as (hub, spoke):
        await shop.create(hub)
        await hub.until(shop.name, _is("OutOfSync", "Missing"), "compared", SECONDS)
        await shop.says("sync", "--async")
        await shop.until_there(spoke.cluster, JOBS, "wait-for-me")
        await hub.until(shop.name, lambda obj: _phase(obj) == "Running", "the sync runs", SECONDS)

        await shop.says("terminate-op")
        ended = await hub.until(shop.name, lambda obj: _phase(obj) == "Failed", "the sync has ended", SECONDS)

    assert "terminated" in status_of(ended)["operationState"]["message"].lower()


@pytest.mark.feature("C-2")
async def test_a_change_in_git_is_deployed_and_seen_on_the_hub(shop: Shop) -> None:
    async with shop.pair.open() as (hub, spoke):
        await shop.create(hub, spec={"syncPolicy": {"automated": {}}})
        await hub.until(shop.name, _is("Synced", "Healthy"), "synced and healthy", SECONDS)
        newest = shop.repository.commit(guestbook("two", replicas=3))

        await shop.says("get", "--refresh", "--output=json")
        await hub.until(
            shop.name, lambda obj: _is("Synced", "Healthy")(obj) and revision_of(obj) == newest, "the newest", SECONDS
        )

        page = await spoke.cluster.get(CONFIGMAPS, shop.target, PAGE)
    assert page.look("data") == {"text": "two"}


@pytest.mark.feature("C-7")
async def test_a_rollback_by_the_command_line_deploys_what_was_there_before(shop: Shop) -> None:
    first = shop.repository.head
    async with shop.pair.open() as (hub, spoke):
        await shop.create(hub)
        await hub.until(shop.name, _is("OutOfSync", "Missing"), "compared", SECONDS)
        await shop.says("sync", "--async")
        await hub.until(shop.name, lambda obj: len(_history(obj)) == 1, "the first is deployed", SECONDS)
        second = shop.repository.commit(guestbook("two"))
        await shop.says("sync", "--async")
        await hub.until(shop.name, lambda obj: len(_history(obj)) == 2, "the second is deployed", SECONDS)

        await shop.says("rollback", "0", "--timeout=30")
        back = await hub.until(shop.name, lambda obj: len(_history(obj)) == 3, "rolled back", SECONDS)

        page = await spoke.cluster.get(CONFIGMAPS, shop.target, PAGE)
    assert [entry["revision"] for entry in _history(back)] == [first, second, first]
    assert page.look("data") == {"text": "one"}


@pytest.mark.feature("P-51", "C-3")
async def test_a_cascading_deletion_on_the_hub_takes_everything_away_on_the_spoke(shop: Shop) -> None:
    async with shop.pair.open() as (hub, spoke):
        await shop.create(hub, spec={"syncPolicy": {"automated": {}}}, finalizers=(FINALIZER,))
        await hub.until(shop.name, _is("Synced", "Healthy"), "synced and healthy", SECONDS)

        await shop.says("delete", "--yes")

        await hub.until_gone(shop.name, SECONDS)
        await spoke.until_gone(shop.name, SECONDS)
        assert not await _is_there(spoke.cluster, CONFIGMAPS, shop.target, PAGE)
        assert not await _is_there(spoke.cluster, DEPLOYMENTS, shop.target, SERVERS)


async def test_a_deletion_without_cascade_leaves_what_was_deployed(shop: Shop) -> None:
    async with shop.pair.open() as (hub, spoke):
        await shop.create(hub, spec={"syncPolicy": {"automated": {}}})
        await hub.until(shop.name, _is("Synced", "Healthy"), "synced and healthy", SECONDS)

        await shop.says("delete", "--yes", "--cascade=false")

        await hub.until_gone(shop.name, SECONDS)
        await spoke.until_gone(shop.name, SECONDS)
        assert await _is_there(spoke.cluster, CONFIGMAPS, shop.target, PAGE)


async def _is_there(cluster: Cluster, api: Api, namespace: str, name: str) -> bool:
    page = await cluster.list(api)
    return any((obj.namespace, obj.name) == (namespace, name) for obj in page.items)
