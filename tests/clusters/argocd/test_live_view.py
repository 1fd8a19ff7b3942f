"""What people look at all day: the hub's argocd-server and command line on objects of the spokes, in both modes."""

import asyncio
import base64
from typing import Any

import aiohttp
import pytest

from argocd_agent.backends.kubernetes import KubernetesCluster
from argocd_agent.backends.ports import PatchType
from argocd_agent.backends.redis.client import RedisCache, RedisOptions
from argocd_agent.codec import decode_any, encode
from argocd_agent.demo.seeing import until
from argocd_agent.protocol.names import CONFIGMAP_ARGOCD
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.settings.values import Secret
from tests.support.argocd import REDIS_PASSWORD, ArgoCD
from tests.support.gitserver import GitServer
from tests.support.guestbook import DEPLOYMENTS, PAGE, SERVERS, guestbook
from tests.support.kwok import FakeNode
from tests.support.liveview import View, eventually
from tests.support.pairs import Pair, ended
from tests.support.programs import LOOPBACK
from tests.support.shop import AUTOMATED, SECONDS, Shop, is_
from tests.support.sites import a_name, opened

SPARE: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "spare"}, "data": {"a": "b"}}
MARK = """
discovery.lua: |
  return {["mark"] = {}}
definitions:
- name: mark
  action.lua: |
    obj.data["mark"] = "made by Lua"
    return obj
"""


@pytest.fixture(scope="module")
def settings(hub_argo: ArgoCD) -> None:
    """The web terminal is on, and ConfigMaps have an action of their own."""
    data = {"exec.enabled": "true", "resource.customizations.actions.ConfigMap": MARK}

    async def patch() -> None:
        async with opened(hub_argo.site.kubeconfig) as cluster:
            body = encode({"data": data})
            await cluster.patch(CONFIGMAPS, hub_argo.site.namespace, CONFIGMAP_ARGOCD, body, PatchType.MERGE)

    asyncio.run(patch())


@pytest.fixture(scope="module", params=["managed", "autonomous"])
def view(
    request: pytest.FixtureRequest, pair: Pair, autonomous: Pair, hub_argo: ArgoCD, git: GitServer, settings: None
) -> View:
    """A synced guestbook of an agent in each mode. `pair` before `autonomous`, whose principal it is."""
    is_managed = request.param == "managed"
    repository = git.repository(a_name("shop"))
    repository.commit(guestbook("one", replicas=2, spare=SPARE))
    shop = Shop(pair if is_managed else autonomous, hub_argo, repository)

    async def create() -> None:
        async with shop.pair.open() as (hub, spoke):
            to = shop.pair.spoke.agent if is_managed else "in-cluster"
            await shop.create(hub if is_managed else spoke, to=to, spec=AUTOMATED)
            await hub.until(shop.name, is_("Synced", "Healthy"), "synced and healthy", SECONDS)

    asyncio.run(create())
    return View(shop, hub_argo)


def identity(token: str) -> str:
    """The name under which a session is revoked."""
    middle = token.split(".")[1]
    return str(decode_any(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))["jti"])


async def scale(view: View, cluster: KubernetesCluster, replicas: int) -> None:
    body = encode({"spec": {"replicas": replicas}})
    await cluster.patch(DEPLOYMENTS, view.shop.target, SERVERS, body, PatchType.MERGE)


@pytest.mark.feature("P-124", "C-43")
async def test_the_resource_tree_is_shown_and_a_browser_is_sent_each_change(view: View) -> None:
    async with opened(view.shop.pair.spoke.kubeconfig) as spoke, view.trees() as trees:
        first = await anext(trees)
        await scale(view, spoke, 3)
        async for tree in trees:
            if len(tree["Pod"]) == 3:
                break
        shown = await view.shop.says("get", "--output=tree")

    assert {kind: len(nodes) for kind, nodes in first.items()} == {
        "ConfigMap": 2,
        "Deployment": 1,
        "ReplicaSet": 1,
        "Pod": 2,
    }
    assert shown.count("Pod/") == 3


@pytest.mark.feature("P-124", "C-39")
async def test_live_manifests_and_differences_are_those_of_the_spoke(view: View) -> None:
    async with opened(view.shop.pair.spoke.kubeconfig) as spoke:
        before = await view.says("diff")
        body = encode({"data": {"text": "by hand"}})
        await spoke.patch(CONFIGMAPS, view.shop.target, PAGE, body, PatchType.MERGE)

        live = await view.read("ConfigMap", PAGE)
        differs = await eventually(lambda: view.says("diff"), lambda said: said.status == 1)

        shown = await view.says("manifests", "--source=live")

    assert '"text": "by hand"' in live
    assert "text: by hand" in shown.out
    assert ("by hand" in before.out, "by hand" in differs.out) == (False, True)


@pytest.mark.feature("P-124", "C-47")
async def test_events_of_a_resource_come_from_the_spoke(view: View) -> None:
    (deployment,) = (await view.tree())["Deployment"]

    found = await view.ask(
        "events", resourceNamespace=view.shop.target, resourceName=SERVERS, resourceUID=deployment["uid"]
    )

    assert "ScalingReplicaSet" in {event["reason"] for event in found["items"]}
    assert {event["involvedObject"]["uid"] for event in found["items"]} == {deployment["uid"]}


@pytest.mark.feature("P-124", "C-45")
async def test_logs_of_all_pods_are_shown_and_followed(view: View, node: FakeNode) -> None:
    first, second, third = (a_name("line") for _ in range(3))
    node.says(first, second)
    pods = len((await view.tree())["Pod"])

    tail = await view.says("logs", "--tail=1")
    following = await asyncio.to_thread(view.keeps_saying, "logs", "--follow", "--tail=1")
    with ended(following):
        await asyncio.to_thread(following.until_said, second)
        node.says(third)
        await asyncio.to_thread(following.until_said, third)

    assert tail.out.split() == [second] * pods


@pytest.mark.feature("P-124", "C-41", "A-85")
async def test_actions_built_in_and_in_lua_change_the_spoke(view: View) -> None:
    async with opened(view.shop.pair.spoke.kubeconfig) as spoke:
        await eventually(lambda: view.on("actions list", "ConfigMap", PAGE), lambda text: "mark" in text)
        await view.act("mark", "ConfigMap", PAGE)
        await view.act("restart", "Deployment", SERVERS)

        page = await spoke.get(CONFIGMAPS, view.shop.target, PAGE)
        servers = await spoke.get(DEPLOYMENTS, view.shop.target, SERVERS)

    assert page.look("data")["mark"] == "made by Lua"
    assert "kubectl.kubernetes.io/restartedAt" in servers.look("spec")["template"]["metadata"]["annotations"]


@pytest.mark.feature("P-124", "C-46")
async def test_the_web_terminal_runs_a_shell_in_a_pod_of_the_spoke(view: View) -> None:
    pod = next(node["name"] for node in (await view.tree())["Pod"] if node["health"]["status"] == "Healthy")
    async with view.shop.pair.open() as (hub, _):
        project = (await hub.get(view.shop.name)).look("spec")["project"]

    said = ""
    async with view.terminal(pod, project) as terminal:
        await terminal.send_json({"operation": "resize", "rows": 30, "cols": 100})
        await terminal.send_json({"operation": "stdin", "data": "echo hel''lo\n"})
        async for message in terminal:
            assert message.type is aiohttp.WSMsgType.TEXT
            said += decode_any(message.data)["data"]
            if "hello" in said:
                break

    assert "hello" in said


@pytest.mark.feature("P-124", "C-41")
async def test_a_resource_that_is_deleted_on_the_hub_goes_on_the_spoke(view: View) -> None:
    async with opened(view.shop.pair.spoke.kubeconfig) as spoke:
        await view.on("delete-resource", "ConfigMap", "spare")

        await until(spoke, CONFIGMAPS, view.shop.target, "spare", lambda held: held is None, SECONDS, "it is gone")


@pytest.mark.feature("C-38")
async def test_each_agent_is_shown_as_a_connected_cluster_and_a_managed_one_with_what_it_holds(
    view: View, pair: Pair
) -> None:
    agent = view.shop.pair.spoke.agent
    is_managed = view.shop.pair is pair

    async def ask() -> dict[str, Any]:
        found = await asyncio.to_thread(view.argo.ask, "GET", "clusters")
        info: dict[str, Any] = {one["name"]: one["info"] for one in found["items"]}[agent]
        return info

    def is_whole(info: dict[str, Any]) -> bool:
        return info["connectionState"]["status"] == "Successful" and ("serverVersion" in info or not is_managed)

    info = await eventually(ask, is_whole)

    assert "is connected with principal" in info["connectionState"]["message"]
    if is_managed:
        assert info["applicationsCount"] >= 1
        assert info["cacheInfo"]["resourcesCount"] > info["cacheInfo"]["apisCount"] > 10
        assert info["serverVersion"].startswith("1.")


@pytest.mark.feature("C-44", "P-103")
async def test_the_hubs_own_keys_stay_in_its_redis_and_a_session_that_was_ended_is_over(
    view: View, hub_argo: ArgoCD
) -> None:
    token = await asyncio.to_thread(hub_argo.token)
    headers, base = {"Cookie": f"argocd.token={token}"}, f"http://{hub_argo.site.server}"
    redis = RedisOptions(host=LOOPBACK, port=hub_argo.site.redis_port, password=Secret(REDIS_PASSWORD))

    async with aiohttp.ClientSession(headers=headers) as session:

        async def status() -> int:
            async with session.get(f"{base}/api/v1/applications") as response:
                return response.status

        before = await status()
        async with session.get(f"{base}/auth/logout", allow_redirects=False) as response:
            assert response.status < 400
        after = await eventually(status, lambda found: found != 200)
    manifests = await view.says("manifests", "--source=git")
    cache = RedisCache(lambda: redis)
    kept = await cache.get(f"revoked-token|{identity(token)}")
    await cache.close()

    assert (before, after) == (200, 401)
    assert kept is not None
    assert "text: one" in manifests.out
