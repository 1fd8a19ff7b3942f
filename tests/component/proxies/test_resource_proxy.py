"""The resource proxy on a real socket: who is let in, what is routed, what comes back."""

import asyncio
import io
import ssl

import aiohttp
import pytest
from aiohttp import web

from argocd_agent.backends.embedded import EmbeddedCluster
from argocd_agent.backends.embedded.face.raw import EmbeddedRaw
from argocd_agent.backends.ports import RawAnswer, RawRequest
from argocd_agent.codec import decode_any
from argocd_agent.pki import keys
from argocd_agent.pki.fingerprints import fingerprint
from argocd_agent.pki.tokens import Audience, TokenKey
from argocd_agent.principal.ask import Limits
from argocd_agent.protocol.capabilities import REFERENCE
from argocd_agent.protocol.events import AgentName, EventType
from argocd_agent.protocol.names import ANNOTATION_TRACKING_ID
from argocd_agent.proxies.ports import LogHandler
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.wire.kubepaths import KubePath
from argocd_agent.wire.payloads import decode
from argocd_agent.wire.requests import ResourceRequest
from tests.component.transport.hub import a_ca, a_leaf
from tests.support.liveline import SHOP
from tests.support.proxybench import Proxy, a_proxy, a_token, client_tls

pytestmark = pytest.mark.real_time(timeout=60)

TRACKED = {ANNOTATION_TRACKING_ID: "guestbook:/v1/ConfigMap:shop/x"}
MAPS = f"/api/v1/namespaces/{SHOP}/configmaps"
OURS = f"{MAPS}/ours"


async def an_object(proxy: Proxy) -> None:
    await proxy.line.create(CONFIGMAPS, "ours", annotations=TRACKED, fields={"data": {"a": "1"}})


def message(body: bytes) -> str:
    """Of a Kubernetes Status."""
    found = decode_any(body)
    assert (found["kind"], found["apiVersion"], found["status"]) == ("Status", "v1", "Failure")
    return str(found["message"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.feature("P-87", "C-39")
async def test_the_cn_of_the_certificate_decides_which_agent_is_asked() -> None:
    async with a_proxy() as proxy:
        await an_object(proxy)
        async with proxy.caller("agent-1") as one, proxy.caller("agent-2") as two, proxy.caller("nobody") as other:
            status, body, headers = await one.send("GET", f"{OURS}?agentName=agent-2")

            assert (status, decode_any(body)["data"]) == (200, {"a": "1"})
            assert headers["Content-Type"].startswith("application/json")
            assert (await two.get(OURS))[0] == 502
            assert (await other.get(OURS))[0] == 502
        [event] = proxy.line.received
        assert decode(event.data, ResourceRequest).params == {}


@pytest.mark.feature("P-88")
async def test_a_bearer_token_decides_before_the_cn_and_a_bad_one_never_falls_through() -> None:
    foreign = TokenKey.from_pem(keys.to_pem(keys.generate(rsa_bits=2048)), "foreign")
    async with a_proxy() as proxy, proxy.caller("shared") as shared, proxy.caller("agent-1") as one:
        await an_object(proxy)

        assert (await shared.get(OURS, headers=bearer(a_token("agent-1"))))[0] == 200
        assert (await one.get(OURS, headers=bearer(a_token("agent-1"))))[0] == 200
        for bad in ("", "x.y.z", a_token("agent-1", key=foreign), a_token("agent-1", Audience.ACCESS)):
            status, body = await one.get(OURS, headers=bearer(bad))
            assert (status, message(body)[:22]) == (401, "authentication failed:")
        status, body = await shared.get(OURS, headers=bearer(a_token("Not A Name")))
        assert (status, message(body)[:18]) == (400, "invalid agent name")


@pytest.mark.feature("P-88")
async def test_the_certificate_of_one_agent_with_the_token_of_another_is_refused() -> None:
    async with a_proxy() as proxy, proxy.caller("agent-2") as caller:
        await an_object(proxy)

        status, body = await caller.get(OURS, headers=bearer(a_token("agent-1")))

        assert status == 401
        assert "the certificate is that of agent agent-2 and the bearer token that of another" in message(body)


@pytest.mark.feature("P-89", "C-48")
async def test_without_a_certificate_of_our_ca_there_is_no_handshake() -> None:
    other = a_ca("somebody else's CA")
    async with a_proxy() as proxy:
        for tls in (client_tls(None), client_tls("agent-1", ca=other, server_ca=a_ca())):
            connector = aiohttp.TCPConnector(ssl=tls)
            async with aiohttp.ClientSession(connector=connector) as session:
                with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
                    await session.get(f"https://127.0.0.1:{proxy.listener.port}/version")


async def test_a_blocked_certificate_counts_for_nothing() -> None:
    leaf = a_leaf("agent-1")
    async with a_proxy() as proxy, proxy.caller(leaf) as caller:
        proxy.blocked.add(fingerprint(ssl.PEM_cert_to_DER_cert(leaf.certificate_pem)))

        status, body = await caller.get(OURS, headers=bearer(a_token("agent-1")))

        assert status == 401
        assert "not blocked" in message(body)


@pytest.mark.feature("P-90", "C-48")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/apis/apps", 400),
        ("GET", "/version/", 400),
        ("GET", "/openapi/v2", 400),
        ("GET", "/healthz", 400),
        ("GET", f"{OURS}/proxy/foo", 400),
        ("GET", f"/api/v1/namespaces/{SHOP}/..%2f..%2fsecrets/x", 400),
        ("GET", "/api/v1/namespaces/%2e%2e/configmaps/x", 400),
        ("HEAD", OURS, 403),
        ("OPTIONS", OURS, 403),
        ("POST", "/version", 403),
        ("GET", "/version", 200),
        ("GET", "/api", 200),
        ("GET", "/apis/apps/v1/", 200),
    ],
)  # fmt: skip
async def test_paths_and_methods_go_by_one_table(method: str, path: str, status: int) -> None:
    async with a_proxy() as proxy, proxy.caller() as caller:
        found, body, _ = await caller.send(method, path)

        assert found == status
        if status >= 400 and method != "HEAD":
            assert "expected" in message(body)


@pytest.mark.feature("P-96", "C-42")
async def test_version_is_answered_without_any_agent() -> None:
    async with a_proxy(is_up=False) as proxy, proxy.caller("Whoever It Is") as caller:
        status, body = await caller.get("/version")

        found = decode_any(body)
        assert (status, found["major"], found["minor"]) == (200, "1", "28")
        assert found["gitVersion"] == "1.28.5+argocd-agent"


@pytest.mark.feature("P-92", "C-48")
async def test_the_agents_status_is_the_answers_with_its_reason() -> None:
    async with a_proxy() as proxy, proxy.caller() as caller:
        await an_object(proxy)
        await proxy.line.create(CONFIGMAPS, "theirs")

        missing, why = await caller.get(f"{MAPS}/none")
        unmanaged, because = await caller.get(f"{MAPS}/theirs")
        broken, _, _ = await caller.send("PATCH", f"{OURS}?force=perhaps", data=b"{}")

        assert (missing, unmanaged, broken) == (404, 403, 400)
        assert 'configmaps "none" not found' in message(why)
        assert "belongs to no Application" in message(because)


@pytest.mark.feature("P-93", "C-48")
async def test_a_silent_agent_is_504_and_one_that_is_away_502() -> None:
    async with a_proxy(limits=Limits(seconds=0.2)) as proxy, proxy.caller() as caller:

        async def nothing(_: object) -> None:
            return None

        proxy.line.answering = nothing
        silent, why = await caller.get(OURS)
        await proxy.line.cut()
        away, because = await caller.get(OURS)

        assert (silent, away) == (504, 502)
        assert "did not answer within 0.2 s" in message(why)
        assert "agent agent-1 is not connected" in message(because)


@pytest.mark.feature("P-91", "A-82", "C-41")
async def test_get_create_patch_and_delete_pass_with_parameters_and_body() -> None:
    async with a_proxy() as proxy, proxy.caller() as caller:
        await an_object(proxy)
        merge = {"Content-Type": "application/merge-patch+json"}

        patched, body, _ = await caller.send(
            "PATCH", f"{OURS}?fieldManager=ui", data=b'{"data":{"b":"2"}}', headers=merge
        )
        owner = decode_any(body)["metadata"]
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "ours", "uid": owner["uid"]}
        new = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new", "ownerReferences": [reference]}}
        created, _, _ = await caller.send("POST", MAPS, json=new)
        replaced, _, _ = await caller.send("PUT", f"{MAPS}/new", json=new | {"data": {"c": "3"}})
        deleted, _, _ = await caller.send("DELETE", f"{MAPS}/new", json={"propagationPolicy": "Background"})

        assert (patched, created, replaced, deleted) == (200, 200, 200, 200)
        assert [event.type for event in proxy.line.received] == ["PATCH", "POST", "PUT", "DELETE"]
        assert decode(proxy.line.received[0].data, ResourceRequest).params == {"fieldManager": "ui"}


@pytest.mark.feature("P-91")
async def test_an_agent_of_the_reference_is_asked_only_what_it_can_do() -> None:
    async with a_proxy(agent_is=REFERENCE) as proxy, proxy.caller() as caller:
        await an_object(proxy)
        strategic = {"Content-Type": "application/strategic-merge-patch+json"}
        merge = {"Content-Type": "application/merge-patch+json; charset=utf-8"}

        put, why, _ = await caller.send("PUT", OURS, data=b"{}")
        wrong, because, _ = await caller.send("PATCH", OURS, data=b"{}", headers=strategic)
        right, _, _ = await caller.send("PATCH", OURS, data=b"{}", headers=merge | {"Impersonate-User": "alice"})

        assert (put, wrong, right) == (403, 415, 200)
        assert "which knows GET, POST, PATCH and DELETE" in message(why)
        assert "takes every patch of an object for that" in message(because)
        [event] = proxy.line.received
        request = decode(event.data, ResourceRequest)
        assert request.params == {"content-type": "application/merge-patch+json"}
        assert (request.credit, request.content_type, request.user, request.core) == (0, "", "", False)


@pytest.mark.feature("P-95")
async def test_two_hundred_at_once_are_answered_each_with_its_own() -> None:
    async with a_proxy() as proxy, proxy.caller() as caller:
        for number in range(200):
            await proxy.line.create(CONFIGMAPS, f"m-{number}", annotations=TRACKED)

        answers = await asyncio.gather(*[caller.get(f"{MAPS}/m-{number}") for number in range(200)])

        names = [decode_any(body)["metadata"]["name"] for _, body in answers]
        assert names == [f"m-{number}" for number in range(200)]


class Large(EmbeddedRaw):
    """An API server that takes and gives bodies of any size."""

    taken = 0

    async def call(self, request: RawRequest, limit_bytes: int) -> RawAnswer:
        if request.method == "PATCH":
            Large.taken = len(request.body)
            return RawAnswer(200, b'{"kind":"ConfigMap","data":"%b"}' % (b"x" * (5 << 20)))
        return await super().call(request, limit_bytes)


async def test_bodies_of_five_mebibytes_pass_both_ways_and_too_large_ones_are_refused() -> None:
    async with a_proxy(raw=Large) as proxy, proxy.caller() as caller:
        await an_object(proxy)
        merge = {"Content-Type": "application/merge-patch+json"}
        five = b'{"data":{"a":"%b"}}' % (b"x" * (5 << 20))

        status, body, headers = await caller.send("PATCH", OURS, data=io.BytesIO(five), headers=merge)
        refused, why, _ = await caller.send("PATCH", OURS, data=io.BytesIO(b"x" * (17 << 20)))

        assert (status, len(body) > 5 << 20, Large.taken) == (200, True, len(five))
        assert headers["Content-Type"].startswith("application/json")
        assert (refused, message(why)[:25]) == (413, "body: expected at most 16")


async def test_a_watch_streams_and_ends_on_the_spoke_when_the_client_goes() -> None:
    async with a_proxy() as proxy, proxy.caller() as caller:
        await an_object(proxy)

        async with caller.session.get(f"{caller.base}{MAPS}?watch=true") as response:
            first = decode_any(await response.content.readline())
            await proxy.line.create(CONFIGMAPS, "more", annotations=TRACKED)
            second = decode_any(await response.content.readline())
            watching = len(proxy.line.live.resources)

        await proxy.line.until_received(EventType.CANCEL)
        assert (response.status, first["type"], first["object"]["metadata"]["name"]) == (200, "ADDED", "ours")
        assert (second["object"]["metadata"]["name"], watching) == ("more", 1)


async def test_a_watch_is_told_when_its_agent_goes_away() -> None:
    async with a_proxy() as proxy, proxy.caller() as caller:
        await an_object(proxy)

        async with caller.session.get(f"{caller.base}{MAPS}?watch=true") as response:
            await response.content.readline()
            await proxy.line.cut()
            last = decode_any(await response.content.readline())
            rest = await response.content.read()

        assert (last["type"], last["object"]["code"], rest) == ("ERROR", 502, b"")


async def test_whom_the_caller_acts_for_travels_and_contradictions_are_refused() -> None:
    def raw(cluster: EmbeddedCluster) -> EmbeddedRaw:
        return EmbeddedRaw(cluster, lambda request: request.user is None or request.user.name == "alice")

    async with a_proxy(raw=raw) as proxy, proxy.caller() as caller:
        await an_object(proxy)

        async def as_user(*headers: tuple[str, str]) -> tuple[int, bytes]:
            return await caller.get(OURS, headers=headers)

        alice, _ = await as_user(("Impersonate-User", "alice"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b"))
        bob, why = await as_user(("Impersonate-User", "bob"))
        refused = [
            await as_user(("Impersonate-Group", "system:masters")),
            await as_user(("Impersonate-User", "alice"), ("Impersonate-User", "bob")),
            await as_user(("Impersonate-User", "alice"), ("Impersonate-Extra-scopes", "all")),
            await as_user(("Impersonate-User", "")),
        ]

        assert (alice, bob, [status for status, _ in refused]) == (200, 403, [400] * 4)
        assert 'User "bob"' in message(why)
        first, _ = proxy.line.received
        request = decode(first.data, ResourceRequest)
        assert (request.user, request.groups) == ("alice", ("a", "b"))


async def test_logs_and_terminals_go_to_who_serves_them() -> None:
    seen: list[tuple[str, str, str]] = []

    def handler(name: str) -> LogHandler:
        async def serve(agent: AgentName, request: web.Request, path: KubePath) -> web.StreamResponse:
            seen.append((name, agent, path.name))
            return web.Response(text=request.query.get("container", ""))

        return serve

    async with a_proxy(logs=handler("log"), terminal=handler("exec")) as proxy, proxy.caller() as caller:
        pod = f"/api/v1/namespaces/{SHOP}/pods/web"

        assert (await caller.get(f"{pod}/log?container=c"))[1] == b"c"
        assert (await caller.send("POST", f"{pod}/exec"))[0] == 200
        assert seen == [("log", "agent-1", "web"), ("exec", "agent-1", "web")]


async def test_requests_refused_for_now_say_when_to_come_again() -> None:
    limits = Limits(seconds=5.0, at_once=1, per_caller=1, waiting=0)
    async with a_proxy(limits=limits) as proxy, proxy.caller() as caller:

        async def nothing(_: object) -> None:
            return None

        proxy.line.answering = nothing
        first = asyncio.create_task(caller.get(OURS))
        await proxy.line.until_received("GET")

        status, body, headers = await caller.send("GET", OURS)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

        assert (status, headers["Retry-After"]) == (429, "1")
        assert "try again later" in message(body)
