"""Live objects of a real kube-apiserver: what the agent reads, writes, watches and refuses there."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from argocd_agent.backends.kubernetes import KubernetesCluster, load
from argocd_agent.backends.kubernetes.raw import KubernetesRaw
from argocd_agent.backends.ports import PatchType
from argocd_agent.codec import decode_any, encode
from argocd_agent.protocol.events import AgentName, EventType
from argocd_agent.protocol.names import ANNOTATION_TRACKING_ID
from argocd_agent.resources.kinds import CONFIGMAPS, EVENTS, Api
from argocd_agent.wire.payloads import decode
from argocd_agent.wire.requests import ResourcePart
from tests.support.clusters import RealCluster, RealClusters
from tests.support.liveline import SHOP, Line, a_line, a_question
from tests.support.objects import an_application

TRACKED = {ANNOTATION_TRACKING_ID: "guestbook:/v1/ConfigMap:shop/x"}
DEPLOYMENTS = Api("apps", "v1", "deployments", "Deployment")
MAPS = f"/api/v1/namespaces/{SHOP}/configmaps"


def a_name() -> str:
    return f"live-{uuid.uuid4().hex[:8]}"


@contextlib.asynccontextmanager
async def on(spoke: RealCluster, **more: Any) -> AsyncIterator[Line]:
    """A line whose agent stands on *spoke*."""
    cluster = spoke.connect()
    try:
        async with a_line(real=(cluster, KubernetesRaw(cluster)), **more) as line:
            yield line
    finally:
        await cluster.close()


@pytest.fixture
def spoke(clusters: RealClusters) -> RealCluster:
    """The cluster of the agent."""
    return clusters[2]


@pytest.mark.feature("A-79", "A-82", "C-39", "C-40", "C-41")
async def test_a_tracked_object_is_read_patched_and_deleted_and_another_is_not(spoke: RealCluster) -> None:
    ours, theirs = a_name(), a_name()
    async with on(spoke) as line:
        await line.create(CONFIGMAPS, ours, annotations=TRACKED, fields={"data": {"a": "1"}})
        await line.create(CONFIGMAPS, theirs)

        read, _ = await line.request("GET", f"{MAPS}/{ours}")
        patched = {
            kind: (await line.request("PATCH", f"{MAPS}/{ours}", body=body, content_type=kind.value, params=params))[0]
            for kind, body, params in (
                (PatchType.MERGE, b'{"data":{"b":"2"}}', {"dryRun": "All"}),
                (PatchType.JSON, b'[{"op":"add","path":"/data/c","value":"3"}]', {}),
                (PatchType.STRATEGIC, b'{"data":{"d":"4"}}', {"fieldManager": "ui"}),
                (
                    PatchType.APPLY,
                    encode({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ours}, "data": {"e": "5"}}),
                    {"fieldManager": "ui", "force": "true"},
                ),
            )
        }
        _, body = await line.request("GET", f"{MAPS}/{ours}")
        refused = [(await line.request(m, f"{MAPS}/{theirs}", body=b"{}"))[0] for m in ("GET", "PATCH", "DELETE")]
        deleted, _ = await line.request("DELETE", f"{MAPS}/{ours}", body=b'{"gracePeriodSeconds":0}')
        gone, why = await line.request("GET", f"{MAPS}/{ours}")

    assert (read, set(patched.values()), deleted, gone) == (200, {200}, 200, 404)
    assert refused == [403, 403, 403]
    assert decode_any(body)["data"] == {"a": "1", "c": "3", "d": "4", "e": "5"}
    assert decode_any(why)["message"] == f'configmaps "{ours}" not found'


@pytest.mark.feature("A-80", "A-83")
async def test_owners_subresources_and_creates_are_decided_as_on_any_cluster(spoke: RealCluster) -> None:
    web, free = a_name(), a_name()
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    async with on(spoke) as line:
        owner = await line.create(DEPLOYMENTS, web, annotations=TRACKED, fields={"spec": spec})
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": web, "uid": owner.uid}
        child = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": web, "ownerReferences": [reference]}}
        path = f"/apis/apps/v1/namespaces/{SHOP}/deployments/{web}/scale"

        created, _ = await line.request("POST", MAPS, body=encode(child))
        read, _ = await line.request("GET", f"{MAPS}/{web}")
        scaled, body = await line.request("PATCH", path, body=b'{"spec":{"replicas":2}}')
        bare = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": free}}
        refused, _ = await line.request("POST", MAPS, body=encode(bare))

    assert (created, read, scaled, refused) == (200, 200, 200, 403)
    assert decode_any(body)["spec"]["replicas"] == 2


@pytest.mark.feature("A-84", "C-42", "C-47")
async def test_discovery_and_events_are_those_of_the_cluster(spoke: RealCluster) -> None:
    name = a_name()
    async with on(spoke) as line:
        about = {"kind": "Pod", "namespace": SHOP, "name": name}
        await line.create(EVENTS, name, fields={"involvedObject": about, "reason": "Started"})

        kinds = [decode_any((await line.request("GET", p))[1])["kind"] for p in ("/api", "/apis", "/apis/apps/v1")]
        params = {"fieldSelector": f"involvedObject.name={name}", "limit": "5"}
        status, body = await line.request("GET", f"/api/v1/namespaces/{SHOP}/events", params=params)

    assert kinds == ["APIVersions", "APIGroupList", "APIResourceList"]
    assert (status, [item["metadata"]["name"] for item in decode_any(body)["items"]]) == (200, [name])


@pytest.mark.feature("A-79")
async def test_what_an_application_lists_needs_no_mark(spoke: RealCluster) -> None:
    name = a_name()
    async with on(spoke) as line:
        await line.create(CONFIGMAPS, name)
        resources = [{"version": "v1", "kind": "ConfigMap", "namespace": SHOP, "name": name}]
        line.held["argocd", "guestbook"] = an_application(status={"resources": resources})

        assert (await line.request("GET", f"{MAPS}/{name}"))[0] == 200
        assert (await line.request("DELETE", f"{MAPS}/{name}"))[0] == 200


async def test_a_watch_shows_what_is_tracked_until_it_is_left(spoke: RealCluster) -> None:
    ours, theirs = a_name(), a_name()
    seen: list[tuple[str, str]] = []
    async with on(spoke) as line:
        _, listed = await line.request("GET", MAPS)
        version = decode_any(listed)["metadata"]["resourceVersion"]
        params = {"watch": "true", "resourceVersion": version}
        question = a_question("GET", MAPS, is_long=True, params=params)
        async with line.ask.asked(AgentName("agent-1"), "ui", question) as replies:
            assert decode((await replies.next()).data, ResourcePart).status == 200
            await line.create(CONFIGMAPS, theirs)
            held = await line.create(CONFIGMAPS, ours, annotations=TRACKED)
            await line.cluster.delete(CONFIGMAPS, SHOP, held.name)
            while len(seen) < 2:
                event = await replies.next()
                assert event.type == EventType.PART
                lines = map(decode_any, (decode(event.data, ResourcePart).data or b"").splitlines())
                seen += [(one["type"], one["object"]["metadata"]["name"]) for one in lines]
                replies.allow_more()

    assert seen == [("ADDED", ours), ("DELETED", ours)]


async def test_whom_the_caller_acts_for_is_who_the_api_server_sees(spoke: RealCluster) -> None:
    name = a_name()
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    async with on(spoke) as line:
        allowed = (await spoke.restricted_user(a_name(), SHOP, rules)).stem
        await line.create(CONFIGMAPS, name, annotations=TRACKED)

        read, _ = await line.request("GET", f"{MAPS}/{name}", user=allowed)
        patched, why = await line.request("PATCH", f"{MAPS}/{name}", body=b"{}", user=allowed)
        other, _ = await line.request("GET", f"{MAPS}/{name}", user="nobody-here")
        admin, _ = await line.request("GET", f"{MAPS}/{name}", user="nobody-here", groups=("system:masters",))

    assert (read, patched, other, admin) == (200, 403, 403, 200)
    assert f'User "{allowed}" cannot patch resource "configmaps"' in decode_any(why)["message"]


async def test_an_agent_that_may_not_impersonate_is_refused_and_does_not_act_as_itself(spoke: RealCluster) -> None:
    name = a_name()
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}]
    async with on(spoke):  # which makes the namespace
        path = await spoke.restricted_user(a_name(), SHOP, rules)
    limited = KubernetesCluster(load(str(path)))
    admin = spoke.connect()
    async with a_line(real=(admin, KubernetesRaw(limited))) as line:
        await line.create(CONFIGMAPS, name, annotations=TRACKED)

        own, _ = await line.request("GET", f"{MAPS}/{name}")
        as_another, why = await line.request("GET", f"{MAPS}/{name}", user="alice")
    await asyncio.gather(limited.close(), admin.close())

    assert (own, as_another) == (200, 403)
    assert "cannot impersonate" in decode_any(why)["message"]
