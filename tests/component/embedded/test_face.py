"""The HTTP face, spoken to in plain HTTP: status codes and documents."""

import gzip
import json

import aiohttp
import pytest

from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS
from tests.component.embedded.caller import APPS, MAPS, TABLE, a_face
from tests.unit.backends.embedded.builders import SPEC, a_configmap, an_application

pytestmark = pytest.mark.real_time(timeout=30)

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PARTIAL = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
STRATEGIC = "application/strategic-merge-patch+json"
APP = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "x"}, "spec": SPEC}
POD = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
DEPLOYMENT = {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": POD}}


async def test_a_write_of_each_verb_answers_as_kubernetes_does() -> None:
    async with a_face() as caller:
        created, app = await caller.ask("POST", APPS, APP)
        again, taken = await caller.ask("POST", APPS, APP)
        updated, _ = await caller.ask("PUT", f"{APPS}/x", {**app, "operation": {"sync": {}}})
        stale, conflict = await caller.ask("PUT", f"{APPS}/x", {**app, "operation": {"sync": {"prune": True}}})
        patched, _ = await caller.ask("PATCH", f"{APPS}/x", {"operation": None}, Content_Type=MERGE)
        deleted, gone = await caller.ask("DELETE", f"{APPS}/x")
        missing, not_found = await caller.ask("GET", f"{APPS}/x")

    assert (created, again, updated, stale, patched, deleted, missing) == (201, 409, 200, 409, 200, 200, 404)
    assert taken["reason"] == "AlreadyExists"
    assert conflict["message"].startswith('Operation cannot be fulfilled on applications.argoproj.io "x": ')
    uid = app["metadata"]["uid"]
    assert gone["details"] == {"name": "x", "group": "argoproj.io", "kind": "applications", "uid": uid}
    assert not_found == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'applications.argoproj.io "x" not found',
        "reason": "NotFound",
        "details": {"name": "x", "group": "argoproj.io", "kind": "applications"},
        "code": 404,
    }


async def test_an_invalid_object_is_answered_with_all_causes() -> None:
    async with a_face() as caller:
        status, answer = await caller.ask("POST", APPS, {**APP, "spec": {"project": 5}})

    assert status == 422
    assert answer["details"]["kind"] == "Application"
    assert [(cause["field"], cause["reason"]) for cause in answer["details"]["causes"]] == [
        ("spec.project", "FieldValueTypeInvalid"),
        ("spec.destination", "FieldValueRequired"),
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "reason"),
    [
        ("POST", APPS, b"{", {}, 400, "BadRequest"),
        ("POST", APPS, {**APP, "metadata": {"name": "x", "namespace": "other"}}, {}, 400, "BadRequest"),
        ("PUT", f"{APPS}/y", APP, {}, 400, "BadRequest"),
        ("POST", APPS, b"x", {"Content_Type": "text/html"}, 415, "UnsupportedMediaType"),
        ("PATCH", f"{APPS}/x", {}, {}, 415, "UnsupportedMediaType"),
        (
            "PATCH",
            f"{APPS}/x",
            {},
            {"Content_Type": STRATEGIC},
            415,
            "UnsupportedMediaType",
        ),
        ("PATCH", f"{APPS}/x", {}, {"Content_Type": APPLY}, 422, "Invalid"),
        ("GET", APPS, None, {"Accept": "text/html"}, 406, "NotAcceptable"),
        ("PUT", APPS, APP, {}, 405, "MethodNotAllowed"),
        ("GET", f"{APPS}/x/status", None, {}, 404, "NotFound"),
        ("GET", f"{APPS}?labelSelector=a%20b", None, {}, 400, "BadRequest"),
        ("GET", f"{APPS}?limit=many", None, {}, 400, "BadRequest"),
        ("GET", f"{APPS}?resourceVersion=999999", None, {}, 504, "Timeout"),
        ("POST", f"{APPS}?dryRun=Some", APP, {}, 400, "BadRequest"),
        ("POST", f"{APPS}?fieldValidation=Maybe", APP, {}, 400, "BadRequest"),
        ("DELETE", f"{APPS}/x?propagationPolicy=Sideways", None, {}, 400, "BadRequest"),
        ("POST", MAPS, b"x" * (3 * 2**20 + 1), {}, 413, "RequestEntityTooLarge"),
    ],
)
async def test_refusals(
    method: str, path: str, body: object, headers: dict[str, str], status: int, reason: str
) -> None:
    async with a_face() as caller:
        answer = await caller.ask(method, path, body, **headers)

    assert (answer[0], answer[1]["reason"], answer[1]["code"]) == (status, reason, status)


async def test_unknown_fields_are_warned_of_or_refused() -> None:
    body = {**APP, "metadata": {"name": "x", "odd": 1}, "spec": {**SPEC, "typo": 2}}
    async with a_face() as caller:
        strict, refusal = await caller.ask("POST", f"{APPS}?fieldValidation=Strict", body)
        warned, headers, stored = await caller.ask_all("POST", APPS, body)

    assert strict == 400
    assert refusal["message"].endswith('strict decoding error: unknown field "metadata.odd", unknown field "spec.typo"')
    assert warned == 201
    assert headers.getall("Warning") == [
        r'299 - "unknown field \"metadata.odd\""',
        r'299 - "unknown field \"spec.typo\""',
    ]
    assert "typo" not in stored["spec"]


async def test_a_dry_run_leaves_nothing() -> None:
    async with a_face() as caller:
        status, shown = await caller.ask("POST", f"{APPS}?dryRun=All", APP)
        _, listed = await caller.ask("GET", APPS)

    assert (status, shown["metadata"]["name"], listed["items"]) == (201, "x", [])


async def test_yaml_and_server_side_apply_are_understood() -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n"
    async with a_face() as caller:
        created, _ = await caller.ask("POST", MAPS, text, Content_Type="application/yaml")
        apply = {"Content_Type": "application/apply-patch+yaml"}
        applied, _ = await caller.ask(
            "PATCH", f"{MAPS}/d?fieldManager=me", text.replace(b"name: c", b"name: d"), **apply
        )
        again, stored = await caller.ask("PATCH", f"{MAPS}/d?fieldManager=me", b'{"data":{"e":"f"}}', **apply)

    assert (created, applied, again) == (201, 201, 200)
    assert stored["data"] == {"a": "b", "e": "f"}


async def test_a_list_comes_in_pages_of_one_moment() -> None:
    async with a_face() as caller:
        for name in "abc":
            await caller.cluster.create(CONFIGMAPS, a_configmap(name))
        _, first = await caller.ask("GET", f"{MAPS}?limit=2")
        await caller.cluster.delete(CONFIGMAPS, "default", "c")
        _, second = await caller.ask("GET", f"{MAPS}?limit=2&continue={first['metadata']['continue']}")
        caller.cluster.compact()
        late, gone = await caller.ask("GET", f"{MAPS}?limit=2&continue={first['metadata']['continue']}")

    assert (first["kind"], first["metadata"]["remainingItemCount"]) == ("ConfigMapList", 1)
    assert [item["metadata"]["name"] for item in second["items"]] == ["c"]
    assert (late, gone["reason"]) == (410, "Expired")


async def test_a_large_answer_is_compressed_for_those_who_can_read_it() -> None:
    async with a_face() as caller:
        await caller.cluster.create(CONFIGMAPS, a_configmap(data={"a": "x" * 200_000}))
        raw = aiohttp.ClientSession(auto_decompress=False, headers={"Authorization": "Bearer t0ken"})
        async with raw, raw.get(caller.face.url + MAPS, headers={"Accept-Encoding": "gzip"}) as response:
            body = await response.read()

    assert response.headers["Content-Encoding"] == "gzip"
    assert len(body) < 20_000
    assert json.loads(gzip.decompress(body))["items"][0]["data"] == {"a": "x" * 200_000}


async def test_a_table_has_the_columns_and_cells_of_kubectl_get() -> None:
    app = an_application().with_fields({"status": b'{"sync":{"status":"Synced"},"health":{"status":"Healthy"}}'})
    async with a_face() as caller:
        await caller.cluster.create(APPLICATIONS, app)
        _, table = await caller.ask("GET", APPS, Accept=TABLE)

    assert [column["name"] for column in table["columnDefinitions"]][:3] == ["Name", "Sync Status", "Health Status"]
    assert [row["cells"][:3] for row in table["rows"]] == [["guestbook", "Synced", "Healthy"]]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert "spec" not in table["rows"][0]["object"]


async def test_metadata_can_be_had_alone() -> None:
    async with a_face() as caller:
        await caller.cluster.create(APPLICATIONS, an_application())
        _, listed = await caller.ask(
            "GET", APPS, Accept="application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        )

    assert listed["kind"] == "PartialObjectMetadataList"
    assert set(listed["items"][0]) == {"kind", "apiVersion", "metadata"}


async def test_a_collection_is_deleted_by_selector() -> None:
    async with a_face() as caller:
        for name in "abc":
            await caller.cluster.create(CONFIGMAPS, a_configmap(name, labels={"go": "yes"} if name != "b" else None))
        status, _ = await caller.ask("DELETE", f"{MAPS}?labelSelector=go")
        left = (await caller.cluster.list(CONFIGMAPS)).items

    assert (status, [obj.name for obj in left]) == (200, ["b"])


async def test_delete_options_are_read_from_the_body() -> None:
    async with a_face() as caller:
        await caller.ask("POST", APPS, APP)
        refused, _ = await caller.ask("DELETE", f"{APPS}/x", {"preconditions": {"uid": "another"}})
        tried, _ = await caller.ask("DELETE", f"{APPS}/x", {"dryRun": ["All"]})
        kept, _ = await caller.ask("GET", f"{APPS}/x")

    assert (refused, tried, kept) == (409, 200, 200)


async def test_status_and_scale_of_a_deployment_are_written_apart() -> None:
    async with a_face() as caller:
        await caller.ask("POST", DEPLOYMENTS, DEPLOYMENT)
        _, by_status = await caller.ask(
            "PATCH",
            f"{DEPLOYMENTS}/web/status",
            {"status": {"replicas": 2}, "spec": {"replicas": 9}},
            Content_Type=MERGE,
        )
        _, scale = await caller.ask("GET", f"{DEPLOYMENTS}/web/scale")
        scale["spec"]["replicas"] = 4
        scaled, _ = await caller.ask("PUT", f"{DEPLOYMENTS}/web/scale", scale)
        refused, _ = await caller.ask(
            "PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": -1}}, Content_Type=MERGE
        )
        _, deployment = await caller.ask("GET", f"{DEPLOYMENTS}/web")

    assert (by_status["status"], by_status["spec"]["replicas"]) == ({"replicas": 2}, 1)
    assert scale["status"] == {"replicas": 2, "selector": "app=web"}
    assert (scaled, refused, deployment["spec"]["replicas"]) == (200, 422, 4)
