"""A managed Application from the hub to its Pods on the spoke and back, with Argo CD's own programs on both sides."""

import pytest

from argocd_agent.resources.kinds import CONFIGMAPS
from tests.support.applications import FINALIZER, conditions_of, revision_of, status_of
from tests.support.argocd import ArgoCD
from tests.support.gitserver import GitServer
from tests.support.guestbook import DEPLOYMENTS, JOBS, PAGE, SERVERS, a_hook, guestbook
from tests.support.pairs import Pair
from tests.support.shop import AUTOMATED, SECONDS, Shop, history_of, is_, phase_of
from tests.support.sites import a_name


@pytest.fixture
def shop(pair: Pair, hub_argo: ArgoCD, git: GitServer) -> Shop:
    repository = git.repository(a_name("shop"))
    repository.commit(guestbook("one"))
    return Shop(pair, hub_argo, repository)


@pytest.fixture
def to(pair: Pair) -> str:
    return pair.spoke.agent


@pytest.mark.feature("C-1", "C-4")
async def test_an_application_made_on_the_hub_becomes_synced_and_healthy_there(shop: Shop, to: str) -> None:
    async with shop.pair.open() as (hub, spoke):
        await shop.create(hub, to=to, spec=AUTOMATED)

        done = await hub.until(shop.name, is_("Synced", "Healthy"), "synced and healthy", SECONDS)

        servers = await spoke.cluster.get(DEPLOYMENTS, shop.target, SERVERS)
        shown = await shop.says("get", "--output=json")
    assert revision_of(done) == shop.repository.head
    assert conditions_of(done) == {}
    assert servers.look("status")["readyReplicas"] == 1
    assert '"status": "Healthy"' in shown


@pytest.mark.feature("C-7")
async def test_a_sync_by_the_command_line_on_the_hub_deploys_on_the_spoke(shop: Shop, to: str) -> None:
    async with shop.pair.open() as (hub, spoke):
        await shop.create(hub, to=to)
        await hub.until(shop.name, is_("OutOfSync", "Missing"), "compared, and nothing there", SECONDS)

        await shop.says("sync", "--async")
        await hub.until(shop.name, is_("Synced", "Healthy"), "synced and healthy", SECONDS)

        page = await spoke.cluster.get(CONFIGMAPS, shop.target, PAGE)
        ended = await hub.until(shop.name, lambda obj: phase_of(obj) == "Succeeded", "the sync has ended", SECONDS)
    assert page.look("data") == {"text": "one"}
    assert "operation" not in ended.fields
    assert status_of(ended)["operationState"]["operation"]["initiatedBy"] == {"username": "admin"}
    assert status_of(ended)["operationState"]["syncResult"]["revision"] == shop.repository.head


@pytest.mark.feature("P-57", "C-7")
async def test_a_refresh_by_the_command_line_shows_the_newest_revision(shop: Shop, to: str) -> None:
    async with shop.pair.open() as (hub, _):
        await shop.create(hub, to=to)
        await hub.until(shop.name, is_("OutOfSync", "Missing"), "compared", SECONDS)
        newest = shop.repository.commit(guestbook("two"))

        shown = await shop.says("get", "--refresh", "--output=json")

        await hub.until(shop.name, lambda obj: revision_of(obj) == newest, "the newest revision", SECONDS)
    assert f'"revision": "{newest}"' in shown


@pytest.mark.feature("P-59", "C-7")
async def test_a_running_sync_is_terminated_by_the_command_line(shop: Shop, to: str) -> None:
    shop.repository.commit(guestbook("one", hook=a_hook("wait-for-me")))
    async with shop.pair.open() as (hub, spoke):
        await shop.create(hub, to=to)
        await hub.until(shop.name, is_("OutOfSync", "Missing"), "compared", SECONDS)
        await shop.says("sync", "--async")
        await shop.until_deployed(spoke.cluster, JOBS, "wait-for-me")
        await hub.until(shop.name, lambda obj: phase_of(obj) == "Running", "the sync runs", SECONDS)

        await shop.says("terminate-op")
        ended = await hub.until(shop.name, lambda obj: phase_of(obj) == "Failed", "the sync has ended", SECONDS)

    assert "terminated" in status_of(ended)["operationState"]["message"].lower()


@pytest.mark.feature("C-2")
async def test_a_change_in_git_is_deployed_and_seen_on_the_hub(shop: Shop, to: str) -> None:
    async with shop.pair.open() as (hub, spoke):
        await shop.create(hub, to=to, spec=AUTOMATED)
        await hub.until(shop.name, is_("Synced", "Healthy"), "synced and healthy", SECONDS)
        newest = shop.repository.commit(guestbook("two", replicas=3))

        await shop.says("get", "--refresh", "--output=json")
        await hub.until(
            shop.name, lambda obj: is_("Synced", "Healthy")(obj) and revision_of(obj) == newest, "the newest", SECONDS
        )

        page = await spoke.cluster.get(CONFIGMAPS, shop.target, PAGE)
    assert page.look("data") == {"text": "two"}


@pytest.mark.feature("C-7")
async def test_a_rollback_by_the_api_of_the_hub_deploys_what_was_there_before(shop: Shop, to: str) -> None:
    first = shop.repository.head
    async with shop.pair.open() as (hub, spoke):
        await shop.create(hub, to=to)
        await hub.until(shop.name, is_("OutOfSync", "Missing"), "compared", SECONDS)
        await shop.says("sync", "--async")
        await hub.until(shop.name, lambda obj: len(history_of(obj)) == 1, "the first is deployed", SECONDS)
        second = shop.repository.commit(guestbook("two"))
        await shop.says("sync", "--async")
        await hub.until(shop.name, lambda obj: len(history_of(obj)) == 2, "the second is deployed", SECONDS)

        await shop.roll_back(0)
        back = await hub.until(shop.name, lambda obj: len(history_of(obj)) == 3, "rolled back", SECONDS)

        page = await spoke.cluster.get(CONFIGMAPS, shop.target, PAGE)
    assert [entry["revision"] for entry in history_of(back)] == [first, second, first]
    assert page.look("data") == {"text": "one"}


@pytest.mark.feature("P-51", "C-3")
async def test_a_cascading_deletion_on_the_hub_takes_everything_away_on_the_spoke(shop: Shop, to: str) -> None:
    async with shop.pair.open() as (hub, spoke):
        await shop.create(hub, to=to, spec=AUTOMATED, finalizers=(FINALIZER,))
        await hub.until(shop.name, is_("Synced", "Healthy"), "synced and healthy", SECONDS)

        await shop.says("delete", "--yes")

        await hub.until_gone(shop.name, SECONDS)
        await spoke.until_gone(shop.name, SECONDS)
        assert not await shop.is_deployed(spoke.cluster, CONFIGMAPS, PAGE)
        assert not await shop.is_deployed(spoke.cluster, DEPLOYMENTS, SERVERS)


async def test_a_deletion_without_cascade_leaves_what_was_deployed(shop: Shop, to: str) -> None:
    async with shop.pair.open() as (hub, spoke):
        await shop.create(hub, to=to, spec=AUTOMATED)
        await hub.until(shop.name, is_("Synced", "Healthy"), "synced and healthy", SECONDS)

        await shop.says("delete", "--yes", "--cascade=false")

        await hub.until_gone(shop.name, SECONDS)
        await spoke.until_gone(shop.name, SECONDS)
        assert await shop.is_deployed(spoke.cluster, CONFIGMAPS, PAGE)
