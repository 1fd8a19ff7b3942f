"""Who gets in at the HTTP face, and what everybody who is in can find out about it."""

import ssl
import stat
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from argocd_agent.backends.embedded import open_memory
from argocd_agent.backends.embedded.face import Client, serve
from tests.component.embedded.caller import APPS, a_face
from tests.support.authority import Authority

pytestmark = pytest.mark.real_time(timeout=30)


async def test_without_a_token_only_health_and_version_are_shown() -> None:
    async with a_face() as caller:
        wrong = {"Authorization": "Bearer wrong"}
        answers = {
            path: (await caller.ask("GET", path, **wrong))[0]
            for path in ("/healthz", "/livez", "/readyz", "/version", "/api", "/apis", "/openapi/v3", APPS, f"{APPS}/x")
        }

    assert answers == dict.fromkeys(answers, 401) | dict.fromkeys(("/healthz", "/livez", "/readyz", "/version"), 200)


async def test_a_user_may_do_only_what_their_rule_says() -> None:
    reader = Client("r", "reader", lambda attempt: attempt.verb in ("get", "list"))
    async with a_face(reader) as caller:
        allowed, _ = await caller.ask("GET", APPS)
        refused, answer = await caller.ask("DELETE", f"{APPS}/x")

    assert (allowed, refused) == (200, 403)
    assert answer["message"] == (
        'applications.argoproj.io "x" is forbidden: User "reader" cannot delete resource "applications"'
        ' in API group "argoproj.io" in the namespace "default"'
    )


async def test_the_kubeconfig_is_for_its_owner_only_and_carries_the_token(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    async with a_face() as caller:
        caller.face.write_kubeconfig(path, namespace="argocd")
        server = f"{caller.face.url}/token/t0ken"
        async with aiohttp.ClientSession() as nobody, nobody.get(f"{server}{APPS}") as response:
            status = response.status

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f"server: {server}\n" in path.read_text()
    assert "namespace: argocd" in path.read_text()
    assert status == 200


async def test_over_tls_a_client_certificate_is_enough(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue(tmp_path / "alice", "alice", ())
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    server.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    server.verify_mode = ssl.CERT_OPTIONAL
    client = ssl.create_default_context(cafile=str(authority.certificate))
    without = aiohttp.TCPConnector(ssl=client)
    cluster = open_memory()
    async with serve(cluster, tls=server, ca=authority.certificate.read_bytes()) as face:
        async with aiohttp.ClientSession(connector=without) as nobody, nobody.get(face.url + APPS) as response:
            refused = response.status
        client.load_cert_chain(tmp_path / "alice.crt", tmp_path / "alice.key")
        known = aiohttp.TCPConnector(ssl=client)
        async with aiohttp.ClientSession(connector=known) as alice, alice.get(face.url + APPS) as response:
            accepted = response.status
        kubeconfig = face.kubeconfig()

    assert face.url.startswith("https://127.0.0.1:")
    assert (refused, accepted) == (401, 200)
    assert "certificate-authority-data:" in kubeconfig
    assert f"server: {face.url}\n" in kubeconfig


async def test_discovery_in_both_forms_names_every_kind() -> None:
    aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    async with a_face() as caller:
        _, versions = await caller.ask("GET", "/api")
        _, groups = await caller.ask("GET", "/apis")
        _, core = await caller.ask("GET", "/api/v1")
        _, group = await caller.ask("GET", "/apis/apps")
        _, apps = await caller.ask("GET", "/apis/apps/v1")
        _, whole = await caller.ask("GET", "/apis", Accept=aggregated)
        missing, _ = await caller.ask("GET", "/apis/nothing/v1")

    assert versions["versions"] == ["v1"]
    assert {one["name"] for one in groups["groups"]} == {one["metadata"]["name"] for one in whole["items"]}
    assert group["preferredVersion"]["groupVersion"] == "apps/v1"
    assert {"pods", "secrets", "namespaces/status"} <= {one["name"] for one in core["resources"]}
    assert {"deployments", "deployments/scale", "deployments/status"} <= {one["name"] for one in apps["resources"]}
    assert missing == 404


async def test_openapi_documents_resolve_all_their_references() -> None:
    async with a_face() as caller:
        _, index = await caller.ask("GET", "/openapi/v3")
        documents = [
            (await caller.ask("GET", entry["serverRelativeURL"].partition("?")[0]))[1]
            for entry in index["paths"].values()
        ]

    assert len(documents) == len(index["paths"]) == 8
    for document in documents:
        known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
        assert set(_references(document)) <= known
        for path in document["paths"].values():
            assert "fieldValidation" in {parameter["name"] for parameter in path["patch"]["parameters"]}


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in _references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [found for item in value.values() for found in _references(item)]
