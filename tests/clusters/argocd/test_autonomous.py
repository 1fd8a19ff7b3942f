"""An Application of an autonomous spoke, seen and worked with on the hub, with Argo CD's own programs on both sides.

The spoke deploys by itself; the hub's command line shows it, and may ask for a sync, a refresh and an end.
"""

import pytest

from argocd_agent.resources.kinds import APPPROJECTS, CONFIGMAPS
from tests.support.applications import FINALIZER, revision_of, source_of, status_of, with_path
from tests.support.argocd import ArgoCD
from tests.support.gitserver import GitServer
from tests.support.guestbook import DEPLOYMENTS, JOBS, PAGE, SERVERS, a_hook, guestbook
from tests.support.objects import path_of
from tests.support.pairs import Pair
from tests.support.shop import AUTOMATED, SECONDS, Shop, is_, phase_of
from tests.support.sites import a_name

HERE = "in-cluster"


@pytest.fixture
def shop(autonomous: Pair, hub_argo: ArgoCD, git: GitServer) -> Shop:
    repository = git.repository(a_name("shop"))
    repository.commit(guestbook("one"))
    return Shop(autonomous, hub_argo, repository)


@pytest.mark.feature("P-64", "C-11", "C-68")
async def test_what_the_spoke_deploys_is_synced_and_healthy_on_the_hub(shop: Shop) -> None:
    agent = shop.pair.spoke.agent
    async with shop.pair.open() as (hub, spoke):
        source = await shop.create(spoke, to=HERE, spec=AUTOMATED)

        mirror = await hub.until(shop.name, is_("Synced", "Healthy"), "synced and healthy", SECONDS)

        shown = await shop.says("get", "--output=json")
        project = await hub.cluster.get(APPPROJECTS, shop.pair.hub.namespace, f"{agent}-default")
    assert source_of(mirror) == source.uid
    assert mirror.look("spec")["project"] == project.name
    assert mirror.look("spec")["destination"] == {"name": agent, "namespace": shop.target}
    assert '"status": "Healthy"' in shown


@pytest.mark.feature("C-13")
async def test_a_sync_by_the_command_line_on_the_hub_deploys_on_the_autonomous_spoke(shop: Shop) -> None:
    async with shop.pair.open() as (hub, spoke):
        await shop.create(spoke, to=HERE)
        await hub.until(shop.name, is_("OutOfSync", "Missing"), "compared, and nothing there", SECONDS)

        await shop.says("sync", "--async")
        await hub.until(shop.name, is_("Synced", "Healthy"), "synced and healthy", SECONDS)
        ended = await hub.until(shop.name, lambda obj: phase_of(obj) == "Succeeded", "the sync has ended", SECONDS)

        page = await spoke.cluster.get(CONFIGMAPS, shop.target, PAGE)
    assert page.look("data") == {"text": "one"}
    assert status_of(ended)["operationState"]["operation"]["initiatedBy"] == {"username": "admin"}


@pytest.mark.feature("C-13")
async def test_a_refresh_by_the_command_line_shows_the_newest_revision_of_the_autonomous_spoke(shop: Shop) -> None:
    async with shop.pair.open() as (hub, spoke):
        await shop.create(spoke, to=HERE)
        await hub.until(shop.name, is_("OutOfSync", "Missing"), "compared", SECONDS)
        newest = shop.repository.commit(guestbook("two"))

        shown = await shop.says("get", "--refresh", "--output=json")

        await hub.until(shop.name, lambda obj: revision_of(obj) == newest, "the newest revision", SECONDS)
    assert f'"revision": "{newest}"' in shown


@pytest.mark.feature("C-13")
async def test_a_running_sync_of_the_autonomous_spoke_is_terminated_by_the_command_line(shop: Shop) -> None:
    shop.repository.commit(guestbook("one", hook=a_hook("wait-for-me")))
    async with shop.pair.open() as (hub, spoke):
        await shop.create(spoke, to=HERE)
        await hub.until(shop.name, is_("OutOfSync", "Missing"), "compared", SECONDS)
        await shop.says("sync", "--async")
        await shop.until_deployed(spoke.cluster, JOBS, "wait-for-me")
        await hub.until(shop.name, lambda obj: phase_of(obj) == "Running", "the sync runs", SECONDS)

        await shop.says("terminate-op")
        ended = await hub.until(shop.name, lambda obj: phase_of(obj) == "Failed", "the sync has ended", SECONDS)

    assert "terminated" in status_of(ended)["operationState"]["message"].lower()


@pytest.mark.feature("P-68", "C-12")
async def test_an_edit_by_the_command_line_on_the_hub_is_put_right_and_deploys_nothing(shop: Shop) -> None:
    shop.repository.commit({**guestbook("one"), **guestbook("other", path="other")})
    async with shop.pair.open() as (hub, spoke):
        await shop.create(spoke, to=HERE, spec=AUTOMATED)
        before = await hub.until(shop.name, is_("Synced", "Healthy"), "synced and healthy", SECONDS)

        edited = await hub.change(shop.name, with_path("other"))
        after = await hub.until(
            shop.name, lambda obj: obj.version != edited.version and path_of(obj) == "guestbook", "right", SECONDS
        )

        page = await spoke.cluster.get(CONFIGMAPS, shop.target, PAGE)
        source = await spoke.get(shop.name)
    assert (after.uid, path_of(source)) == (before.uid, "guestbook")
    assert page.look("data") == {"text": "one"}


@pytest.mark.feature("P-69", "C-12")
async def test_a_deletion_by_the_command_line_on_the_hub_is_undone(shop: Shop) -> None:
    async with shop.pair.open() as (hub, spoke):
        source = await shop.create(spoke, to=HERE, spec=AUTOMATED, finalizers=(FINALIZER,))
        before = await hub.until(shop.name, is_("Synced", "Healthy"), "synced and healthy", SECONDS)

        await shop.says("delete", "--yes")
        again = await hub.until(
            shop.name, lambda obj: obj.uid != before.uid and is_("Synced", "Healthy")(obj), "made again", SECONDS
        )

        assert await shop.is_deployed(spoke.cluster, DEPLOYMENTS, SERVERS)
        assert (await spoke.get(shop.name)).uid == source.uid
    assert source_of(again) == source.uid


@pytest.mark.feature("P-67", "C-14")
async def test_a_cascading_deletion_on_the_spoke_is_followed_on_the_hub(shop: Shop) -> None:
    async with shop.pair.open() as (hub, spoke):
        await shop.create(spoke, to=HERE, spec=AUTOMATED, finalizers=(FINALIZER,))
        await hub.until(shop.name, is_("Synced", "Healthy"), "synced and healthy", SECONDS)

        await spoke.delete(shop.name)

        await spoke.until_gone(shop.name, SECONDS)
        await hub.until_gone(shop.name, SECONDS)
        assert not await shop.is_deployed(spoke.cluster, CONFIGMAPS, PAGE)
