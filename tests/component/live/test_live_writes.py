"""Live writes through the link: patches, deletions, replacements, and what may be made."""

from typing import Any

import pytest

from argocd_agent.backends.ports import PatchType
from argocd_agent.codec import decode_any, encode
from argocd_agent.protocol.names import ANNOTATION_TRACKING_ID
from argocd_agent.resources.kinds import APPPROJECTS, CONFIGMAPS
from argocd_agent.resources.objects import Metadata, Object, OwnerReference, new_object
from tests.support.liveline import SHOP, a_line
from tests.support.objects import an_application
from tests.support.world import HOME

TRACKED = {ANNOTATION_TRACKING_ID: "guestbook:/v1/ConfigMap:shop/x"}
MAPS = f"/api/v1/namespaces/{SHOP}/configmaps"


def owned_by(owner: Object, kind: str, api_version: str = "v1") -> tuple[OwnerReference, ...]:
    return (OwnerReference(api_version=api_version, kind=kind, name=owner.name, uid=owner.uid),)


def message(body: bytes) -> str:
    found = decode_any(body)
    assert found["kind"] == "Status"
    return str(found["message"])


@pytest.mark.feature("A-82", "C-41")
async def test_patch_and_delete_reach_tracked_objects_only() -> None:
    async with a_line() as line:
        await line.create(CONFIGMAPS, "ours", annotations=TRACKED, fields={"data": {"a": "1"}})
        await line.create(CONFIGMAPS, "theirs")
        patch: dict[str, Any] = {"body": b'{"data":{"b":"2"}}', "content_type": PatchType.MERGE.value}

        patched, body = await line.request("PATCH", f"{MAPS}/ours", **patch, params={"fieldManager": "ui"})
        untouched, _ = await line.request("PATCH", f"{MAPS}/theirs", **patch)
        spared, _ = await line.request("DELETE", f"{MAPS}/theirs", body=b"{}")
        tried, _ = await line.request("DELETE", f"{MAPS}/ours", body=b'{"dryRun":["All"]}')
        still, _ = await line.request("GET", f"{MAPS}/ours")
        deleted, _ = await line.request("DELETE", f"{MAPS}/ours", body=b'{"propagationPolicy":"Orphan"}')
        gone, _ = await line.request("GET", f"{MAPS}/ours")

        assert (patched, decode_any(body)["data"]) == (200, {"a": "1", "b": "2"})
        assert (untouched, spared, tried, still, deleted, gone) == (403, 403, 200, 200, 200, 404)


@pytest.mark.feature("A-82")
@pytest.mark.parametrize(
    ("kind", "body", "data"),
    [
        (PatchType.JSON, b'[{"op":"replace","path":"/data/a","value":"2"}]', {"a": "2"}),
        (PatchType.STRATEGIC, b'{"data":{"b":"2"}}', {"a": "1", "b": "2"}),
        (
            PatchType.APPLY,
            b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ours"},"data":{"c":"3"}}',
            {"a": "1", "c": "3"},
        ),
    ],
)
async def test_every_kind_of_patch_is_what_it_says(kind: PatchType, body: bytes, data: dict[str, str]) -> None:
    async with a_line() as line:
        await line.create(CONFIGMAPS, "ours", annotations=TRACKED, fields={"data": {"a": "1"}})

        params = {"fieldManager": "ui", "force": "true"}
        status, said = await line.request("PATCH", f"{MAPS}/ours", body=body, content_type=kind.value, params=params)

        assert (status, decode_any(said).get("data")) == (200, data)


async def test_an_unknown_kind_of_patch_is_refused() -> None:
    async with a_line() as line:
        await line.create(CONFIGMAPS, "ours", annotations=TRACKED)

        status, body = await line.request("PATCH", f"{MAPS}/ours", body=b"{}", content_type="text/plain")

        assert status == 415
        assert "application/apply-patch+yaml" in message(body)


@pytest.mark.feature("A-82")
async def test_an_object_is_replaced_and_a_version_that_is_not_current_is_a_conflict() -> None:
    async with a_line() as line:
        held = await line.create(CONFIGMAPS, "ours", annotations=TRACKED, fields={"data": {"a": "1"}})
        new = held.with_fields({"data": encode({"b": "2"})}).encode(CONFIGMAPS)

        replaced, body = await line.request("PUT", f"{MAPS}/ours", body=new)
        again, why = await line.request("PUT", f"{MAPS}/ours", body=new)

        assert (replaced, decode_any(body)["data"]) == (200, {"b": "2"})
        assert again == 409
        assert decode_any(why)["reason"] == "Conflict"


@pytest.mark.feature("A-82", "A-85", "C-41")
async def test_a_new_object_needs_an_owner_of_an_application_or_a_project_that_allows_it() -> None:
    async with a_line() as line:
        owner = await line.create(CONFIGMAPS, "owner", annotations=TRACKED)
        line.held[HOME, "guestbook"] = an_application(spec={"project": "shop"})

        def a_map(name: str, **metadata: Any) -> bytes:
            return new_object(CONFIGMAPS, Metadata(name=name, **metadata)).encode(CONFIGMAPS)

        free, why = await line.request("POST", MAPS, body=a_map("free"))
        owned, _ = await line.request("POST", MAPS, body=a_map("owned", owner_references=owned_by(owner, "ConfigMap")))
        spec = {"destinations": [{"server": "*", "namespace": "sh*"}], "namespaceResourceBlacklist": []}
        project = new_object(APPPROJECTS, Metadata(name="shop", namespace=HOME), spec=spec)
        await line.cluster.create(APPPROJECTS, project)
        allowed, _ = await line.request("POST", MAPS, body=a_map("free"))
        tried, _ = await line.request("POST", MAPS, body=a_map("tried"), params={"dryRun": "All"})
        taken, _ = await line.request("POST", MAPS, body=a_map("free"))
        elsewhere, _ = await line.request("POST", f"/api/v1/namespaces/{HOME}/configmaps", body=a_map("free"))
        wide, _ = await line.request(
            "POST", "/api/v1/namespaces", body=b'{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"x"}}'
        )

        assert (free, owned, allowed, tried, taken, elsewhere, wide) == (403, 200, 200, 200, 409, 403, 403)
        assert "found no such owner and no such AppProject shop" in message(why)
        assert (await line.request("GET", f"{MAPS}/tried"))[0] == 404


@pytest.mark.feature("A-82")
async def test_a_body_of_another_kind_than_the_path_is_refused() -> None:
    async with a_line() as line:
        secret = b'{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}'

        assert (await line.request("POST", MAPS, body=secret))[0] == 400
        assert (await line.request("POST", MAPS, body=b"- yaml"))[0] == 400
        assert (await line.request("POST", MAPS, body=b"k8s\0", content_type="application/vnd.kubernetes.protobuf"))[
            0
        ] == 415
        assert (await line.request("POST", "/api/v1", body=secret))[0] == 500
