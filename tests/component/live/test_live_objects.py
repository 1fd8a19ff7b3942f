"""Live objects through the link: what may be seen and touched, by whom it is tracked, and what is refused."""

from typing import Any

import pytest

from argocd_agent.backends.embedded import EmbeddedCluster
from argocd_agent.backends.embedded.face.raw import EmbeddedRaw
from argocd_agent.backends.ports import RawRequest, User
from argocd_agent.codec import decode_any
from argocd_agent.protocol.names import ANNOTATION_OLM_GROUP, ANNOTATION_TRACKING_ID
from argocd_agent.resources.kinds import CONFIGMAPS, EVENTS, Api
from argocd_agent.resources.objects import Metadata, Object, OwnerReference
from argocd_agent.resources.tracking import owners_of
from tests.support.liveline import PODS, SHOP, Line, a_line, argocd_settings
from tests.support.objects import an_application
from tests.support.world import HOME, passing

DEPLOYMENTS = Api("apps", "v1", "deployments", "Deployment")
REPLICA_SETS = Api("apps", "v1", "replicasets", "ReplicaSet")
TRACKED = {ANNOTATION_TRACKING_ID: "guestbook:/v1/ConfigMap:shop/x"}
MAPS = f"/api/v1/namespaces/{SHOP}/configmaps"


def owned_by(owner: Object, kind: str, api_version: str = "v1") -> tuple[OwnerReference, ...]:
    return (OwnerReference(api_version=api_version, kind=kind, name=owner.name, uid=owner.uid),)


def message(body: bytes) -> str:
    found = decode_any(body)
    assert found["kind"] == "Status"
    return str(found["message"])


async def a_chain(line: Line, length: int) -> str:
    """ConfigMaps that own each other, the first of them tracked; the name of the last."""
    owner = await line.create(CONFIGMAPS, "c-0", annotations=TRACKED)
    for number in range(1, length):
        references = owned_by(owner, "ConfigMap")
        owner = await line.create(CONFIGMAPS, f"c-{number}", owner_references=references)
    return owner.name


@pytest.mark.feature("A-79", "C-39", "C-40")
async def test_what_is_tracked_can_be_read_and_nothing_else() -> None:
    async with a_line() as line:
        await line.create(CONFIGMAPS, "ours", annotations=TRACKED, fields={"data": {"a": "1"}})
        await line.create(CONFIGMAPS, "theirs")

        status, body = await line.request("GET", f"{MAPS}/ours")
        refused, why = await line.request("GET", f"{MAPS}/theirs")
        missing, _ = await line.request("GET", f"{MAPS}/none")

        assert (status, decode_any(body)["data"]) == (200, {"a": "1"})
        assert refused == 403
        assert "belongs to no Application of this cluster: expected one that lists it" in message(why)
        assert missing == 404


@pytest.mark.feature("A-79")
async def test_what_an_application_lists_is_its_own_without_any_mark() -> None:
    async with a_line() as line:
        await line.create(CONFIGMAPS, "listed")
        resources = [{"version": "v1", "kind": "ConfigMap", "namespace": SHOP, "name": "listed"}]
        line.held[HOME, "guestbook"] = an_application(status={"resources": resources})

        before, _ = await line.request("GET", f"{MAPS}/listed")
        line.held[HOME, "guestbook"] = an_application(status={"resources": []})
        after, _ = await line.request("GET", f"{MAPS}/listed")

        assert (before, after) == (200, 403)


@pytest.mark.feature("A-80")
@pytest.mark.parametrize(("length", "status"), [(2, 200), (5, 200), (6, 500)])
async def test_owners_are_followed_as_far_as_four_above(length: int, status: int) -> None:
    async with a_line() as line:
        name = await a_chain(line, length)

        found, body = await line.request("GET", f"{MAPS}/{name}")

        assert found == status
        if status != 200:
            assert "recursion limit reached" in message(body)


@pytest.mark.feature("A-80")
async def test_an_owner_of_that_name_with_another_uid_is_not_the_owner() -> None:
    async with a_line() as line:
        await line.create(CONFIGMAPS, "owner", annotations=TRACKED)
        false = OwnerReference(api_version="v1", kind="ConfigMap", name="owner", uid="another")
        other = await line.create(CONFIGMAPS, "other")  # keeps it from the garbage collector
        await line.create(CONFIGMAPS, "child", owner_references=(false, *owned_by(other, "ConfigMap")))

        assert (await line.request("GET", f"{MAPS}/child"))[0] == 403


@pytest.mark.feature("A-80")
async def test_an_owner_that_cannot_be_read_does_not_hide_another() -> None:
    async with a_line() as line:
        owner = await line.create(CONFIGMAPS, "owner", annotations=TRACKED)
        gone = OwnerReference(api_version="v1", kind="ConfigMap", name="gone", uid="x")
        unknown = OwnerReference(api_version="nowhere.example/v1", kind="Thing", name="t", uid="y")
        owners = (gone, unknown, *owned_by(owner, "ConfigMap"))
        await line.create(CONFIGMAPS, "child", owner_references=owners)
        other = await line.create(CONFIGMAPS, "other")
        await line.create(CONFIGMAPS, "nobodys", owner_references=(gone, *owned_by(other, "ConfigMap")))

        child, _ = await line.request("GET", f"{MAPS}/child")
        nobodys, why = await line.request("GET", f"{MAPS}/nobodys")

        assert (child, nobodys) == (200, 404)
        assert "looking up the owner ConfigMap gone" in message(why)


@pytest.mark.feature("A-80")
async def test_an_owner_is_asked_for_once_for_many_children() -> None:
    calls: list[str] = []

    class Counting(EmbeddedRaw):
        async def call(self, request: RawRequest, limit_bytes: int) -> Any:
            calls.append(request.path)
            return await super().call(request, limit_bytes)

    async with a_line(raw=Counting) as line:
        owner = await line.create(CONFIGMAPS, "owner", annotations=TRACKED)
        for number in range(5):
            await line.create(CONFIGMAPS, f"child-{number}", owner_references=owned_by(owner, "ConfigMap"))

        for number in range(5):
            assert (await line.request("GET", f"{MAPS}/child-{number}"))[0] == 200

        assert (calls.count(f"{MAPS}/owner"), calls.count("/api/v1")) == (1, 1)


@pytest.mark.feature("A-81", "C-40")
async def test_the_tracking_method_changes_without_a_restart() -> None:
    async with a_line(settings={"application_resourceTrackingMethod": "label"}) as line:
        await line.create(CONFIGMAPS, "annotated", annotations=TRACKED)
        await line.create(CONFIGMAPS, "labelled", labels={"app.kubernetes.io/instance": "guestbook"})
        await line.create(CONFIGMAPS, "custom", labels={"our/app": "guestbook"})

        async def seen() -> list[int]:
            return [(await line.request("GET", f"{MAPS}/{name}"))[0] for name in ("annotated", "labelled", "custom")]

        async def say(**data: str) -> None:
            await line.cluster.update(CONFIGMAPS, argocd_settings(**data))
            await passing(0.1)

        assert await seen() == [403, 200, 403]
        await say(application_resourceTrackingMethod="label", application_instanceLabelKey="our/app")
        assert await seen() == [403, 403, 200]
        await say(application_resourceTrackingMethod="annotation+label")
        assert await seen() == [200, 403, 403]
        await say()
        assert await seen() == [200, 403, 403]
        await say(application_resourceTrackingMethod="nonsense")
        assert await seen() == [500, 500, 500]


@pytest.mark.feature("A-81")
async def test_without_argo_cds_settings_every_check_fails_and_says_why() -> None:
    async with a_line() as line:
        await line.create(CONFIGMAPS, "ours", annotations=TRACKED)
        await line.cluster.delete(CONFIGMAPS, HOME, "argocd-cm")
        await passing(0.1)

        status, body = await line.request("GET", f"{MAPS}/ours")

        assert status == 500
        assert 'ConfigMap "argocd/argocd-cm": there is none' in message(body)


@pytest.mark.feature("A-80")
async def test_a_cluster_service_version_belongs_to_its_operator_group() -> None:
    csv = Object(Metadata(name="csv", annotations={ANNOTATION_OLM_GROUP: "group"}), {})

    [owner] = owners_of(csv, "operators.coreos.com", "ClusterServiceVersion")

    assert (owner.api_version, owner.kind, owner.name) == ("operators.coreos.com/v1", "OperatorGroup", "group")
    assert owners_of(csv, "other.example", "ClusterServiceVersion") == ()


@pytest.mark.feature("A-83", "C-42")
async def test_subresources_of_tracked_objects_are_read_and_patched() -> None:
    async with a_line() as line:
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template}
        await line.create(DEPLOYMENTS, "ours", annotations=TRACKED, fields={"spec": spec})
        await line.create(DEPLOYMENTS, "theirs", fields={"spec": spec})
        path = f"/apis/apps/v1/namespaces/{SHOP}/deployments"

        read, scale = await line.request("GET", f"{path}/ours/scale")
        patched, after = await line.request("PATCH", f"{path}/ours/scale", body=b'{"spec":{"replicas":3}}')
        refused, _ = await line.request("PATCH", f"{path}/theirs/scale", body=b'{"spec":{"replicas":3}}')

        assert (read, decode_any(scale)["spec"]["replicas"]) == (200, 1)
        assert (patched, decode_any(after)["spec"]["replicas"], refused) == (200, 3, 403)


@pytest.mark.feature("A-84", "C-42")
async def test_discovery_is_answered_as_the_cluster_has_it() -> None:
    async with a_line() as line:
        kinds = {}
        for path in ("/api", "/apis", "/api/v1", "/apis/apps/v1"):
            status, body = await line.request("GET", path)
            kinds[path] = (status, decode_any(body)["kind"])

        assert kinds == {
            "/api": (200, "APIVersions"),
            "/apis": (200, "APIGroupList"),
            "/api/v1": (200, "APIResourceList"),
            "/apis/apps/v1": (200, "APIResourceList"),
        }


@pytest.mark.feature("A-84", "C-47")
async def test_events_are_listed_by_selector_and_in_pages() -> None:
    async with a_line() as line:
        for number in range(3):
            about = {"involvedObject": {"name": f"pod-{number % 2}"}, "reason": "Started"}
            await line.create(EVENTS, f"e-{number}", fields=about)
        path = f"/api/v1/namespaces/{SHOP}/events"

        _, chosen = await line.request("GET", path, params={"fieldSelector": "involvedObject.name=pod-0"})
        _, first = await line.request("GET", path, params={"limit": "2"})
        page = decode_any(first)
        _, rest = await line.request("GET", path, params={"limit": "2", "continue": page["metadata"]["continue"]})

        assert [item["metadata"]["name"] for item in decode_any(chosen)["items"]] == ["e-0", "e-2"]
        assert (len(page["items"]), len(decode_any(rest)["items"])) == (2, 1)


async def test_a_list_shows_what_belongs_to_an_application() -> None:
    async with a_line() as line:
        owner = await line.create(CONFIGMAPS, "a", annotations=TRACKED)
        await line.create(CONFIGMAPS, "b", owner_references=owned_by(owner, "ConfigMap"))
        await line.create(CONFIGMAPS, "c")

        status, body = await line.request("GET", MAPS)
        everywhere, all_maps = await line.request("GET", "/api/v1/configmaps")

        found = decode_any(body)
        assert (status, everywhere, found["kind"]) == (200, 200, "ConfigMapList")
        assert [item["metadata"]["name"] for item in found["items"]] == ["a", "b"]
        assert [item["metadata"]["name"] for item in decode_any(all_maps)["items"]] == ["a", "b"]


async def test_whom_the_caller_acts_for_is_used_on_the_spoke() -> None:
    seen: list[User | None] = []

    def raw(cluster: EmbeddedCluster) -> EmbeddedRaw:
        def permits(request: RawRequest) -> bool:
            seen.append(request.user)
            return request.user is None or "admins" in request.user.groups

        return EmbeddedRaw(cluster, permits)

    async with a_line(raw=raw) as line:
        await line.create(CONFIGMAPS, "ours", annotations=TRACKED)

        allowed, _ = await line.request("GET", f"{MAPS}/ours", user="alice", groups=("admins",), user_uid="7")
        refused, why = await line.request("GET", f"{MAPS}/ours", user="bob")
        patched, _ = await line.request("PATCH", f"{MAPS}/ours", body=b"{}", user="bob")
        malformed, _ = await line.request("GET", f"{MAPS}/ours", user="a\r\nX: y")

        assert (allowed, refused, patched, malformed) == (200, 403, 403, 400)
        assert 'User "bob" may not GET' in message(why)
        assert seen[0] == User("alice", ("admins",), "7")


@pytest.mark.feature("A-86", "C-49")
async def test_switched_off_every_request_is_refused_at_once() -> None:
    async with a_line(is_enabled=False) as line:
        await line.create(CONFIGMAPS, "ours", annotations=TRACKED)

        status, body = await line.request("GET", f"{MAPS}/ours")

        assert status == 403
        assert "--enable-resource-proxy is false" in message(body)


async def test_pods_of_a_deployment_are_found_by_their_owners() -> None:
    async with a_line() as line:
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template}
        deployment = await line.create(DEPLOYMENTS, "web", annotations=TRACKED, fields={"spec": spec})
        replicas = await line.create(
            REPLICA_SETS,
            "web-1",
            owner_references=owned_by(deployment, "Deployment", "apps/v1"),
            fields={"spec": spec},
        )
        owners = owned_by(replicas, "ReplicaSet", "apps/v1")
        await line.create(PODS, "web-1-x", owner_references=owners, fields={"spec": template["spec"]})

        assert (await line.request("GET", f"/api/v1/namespaces/{SHOP}/pods/web-1-x"))[0] == 200
