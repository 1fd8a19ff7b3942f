"""raw: what goes to an API server and what comes back, against the embedded API server and one of the test's own."""

import asyncio
import contextlib

import pytest
from aiohttp import web

from argocd_agent.backends.embedded import open_memory
from argocd_agent.backends.embedded.face import serve
from argocd_agent.backends.embedded.face.raw import EmbeddedRaw
from argocd_agent.backends.kubernetes import KubeConfig, KubernetesCluster
from argocd_agent.backends.kubernetes.config import User as ConfigUser
from argocd_agent.backends.kubernetes.raw import KubernetesRaw
from argocd_agent.backends.ports import RawApi, RawRequest, User
from argocd_agent.codec import decode_any
from argocd_agent.errors import Unavailable
from argocd_agent.resources.kinds import NAMESPACES
from argocd_agent.resources.objects import Metadata, new_object
from tests.unit.backends.kubernetes.test_client import Handler, a_failure, answers, serving

pytestmark = pytest.mark.real_time(timeout=20)

LIMIT = 1 << 20
MAPS = "/api/v1/namespaces/shop/configmaps"
ONE = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one"},"data":{"a":"1"}}'


async def converse(raw: RawApi) -> list[tuple[int, object]]:
    """What any API server says to a few requests: status, and one word of the body."""
    merge = "application/merge-patch+json"
    requests = [
        (RawRequest("GET", "/api"), "kind"),
        (RawRequest("GET", "/apis/apps/v1"), "groupVersion"),
        (RawRequest("POST", MAPS, (("dryRun", "All"),), ONE), "kind"),
        (RawRequest("GET", f"{MAPS}/one"), "reason"),
        (RawRequest("POST", MAPS, (), ONE), "data"),
        (RawRequest("PATCH", f"{MAPS}/one", (("fieldManager", "x"),), b'{"data":{"b":"2"}}', merge), "data"),
        (RawRequest("PATCH", f"{MAPS}/one", (), b"{}", "text/plain"), "code"),
        (RawRequest("GET", MAPS, (("labelSelector", "a=b"),)), "items"),
        (RawRequest("DELETE", f"{MAPS}/one", (), b"{}"), "status"),
        (RawRequest("GET", "/apis/nowhere.example/v1/things"), "-"),
    ]
    said: list[tuple[int, object]] = []
    for request, word in requests:
        answer = await raw.call(request, LIMIT)
        said.append((answer.status, decode_any(answer.body).get(word) if word != "-" else None))
    return said


async def first_events(raw: RawApi) -> list[str]:
    """A watch: the first piece is empty, then one line for each object."""
    lines: list[str] = []
    async with contextlib.aclosing(raw.follow(RawRequest("GET", MAPS, (("watch", "true"),)), LIMIT)) as pieces:
        async for piece in pieces:
            assert piece.status == 200
            lines += [decode_any(line)["type"] for line in piece.body.splitlines()] or ["-"]
            if len(lines) == 2:
                break
    return lines


async def test_the_embedded_cluster_says_without_a_socket_what_it_says_with_one() -> None:
    said, events = [], []
    for has_socket in (False, True):
        cluster = open_memory()
        await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name="shop")))
        if not has_socket:
            raw: RawApi = EmbeddedRaw(cluster)
            said.append(await converse(raw))
            await raw.call(RawRequest("POST", MAPS, (), ONE), LIMIT)
            events.append(await first_events(raw))
            continue
        async with serve(cluster) as face:
            client = KubernetesCluster(KubeConfig(face.url, user=ConfigUser(token=_token(face.kubeconfig()))))
            raw = KubernetesRaw(client)
            said.append(await converse(raw))
            await raw.call(RawRequest("POST", MAPS, (), ONE), LIMIT)
            events.append(await first_events(raw))
            await client.close()

    assert said[0] == said[1]
    assert [status for status, _ in said[0]] == [200, 200, 201, 404, 201, 200, 415, 200, 200, 404]
    assert events == [["-", "ADDED"]] * 2


def _token(kubeconfig: str) -> str:
    return kubeconfig.partition("token: ")[2].split()[0].strip("'\"")


async def test_whom_we_act_for_goes_as_headers_and_a_second_one_is_refused() -> None:
    handler, seen = answers(b"{}")
    user = User("alice", ("a", "b"), "7")
    async with serving(handler) as url:
        plain, acting = (
            KubernetesCluster(KubeConfig(url, user=one))
            for one in (ConfigUser(), ConfigUser(impersonation=(("Impersonate-Group", "system:masters"),)))
        )

        await KubernetesRaw(plain).call(RawRequest("GET", "/api", user=user), LIMIT)
        refused = await KubernetesRaw(acting).call(RawRequest("GET", "/api", user=user), LIMIT)
        [streamed] = [
            piece async for piece in KubernetesRaw(acting).follow(RawRequest("GET", "/api", user=user), LIMIT)
        ]
        await KubernetesRaw(acting).call(RawRequest("GET", "/api"), LIMIT)
        await plain.close()
        await acting.close()

    headers = seen[0].headers
    assert (headers["Impersonate-User"], headers.getall("Impersonate-Group")) == ("alice", ["a", "b"])
    assert headers["Impersonate-Uid"] == "7"
    assert (refused.status, streamed.status, len(seen)) == (403, 403, 2)
    assert "acts for another user already" in decode_any(refused.body)["message"]


async def test_a_refusal_is_an_answer_and_no_answer_is_unavailable() -> None:
    handler, _ = answers(a_failure(403, "no"), a_failure(500), b"x" * 2048)
    async with serving(handler) as url:
        cluster = KubernetesCluster(KubeConfig(url))
        raw = KubernetesRaw(cluster)

        assert [(await raw.call(RawRequest("GET", "/api"), LIMIT)).status for _ in range(2)] == [403, 500]
        with pytest.raises(Unavailable, match="larger than 1024 bytes"):
            await raw.call(RawRequest("GET", "/api"), 1024)
    with pytest.raises(Unavailable, match="cannot GET /api: no connection"):
        await raw.call(RawRequest("GET", "/api"), LIMIT)
    await cluster.close()


async def test_query_and_body_go_as_they_are() -> None:
    handler, seen = answers(b"{}")
    async with serving(handler) as url:
        cluster = KubernetesCluster(KubeConfig(url))
        query = (("fieldSelector", "a=b,c!=d e"), ("limit", "1"))
        await KubernetesRaw(cluster).call(RawRequest("PUT", "/api/v1/x/system%3Anode", query, b"{}", "text/x"), LIMIT)
        await cluster.close()

    assert (seen[0].method, seen[0].content_type) == ("PUT", "text/x")
    assert seen[0].raw_path.startswith("/api/v1/x/system%3Anode?")
    assert dict(seen[0].query) == dict(query)


async def test_who_gives_up_ends_the_call_at_the_server() -> None:
    gone, came = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        came.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            gone.set()
        return web.Response()

    handler: Handler = slow
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    cluster = KubernetesCluster(KubeConfig(f"http://127.0.0.1:{runner.addresses[0][1]}"))
    task = asyncio.create_task(KubernetesRaw(cluster).call(RawRequest("GET", "/api"), LIMIT))
    await came.wait()

    task.cancel()
    await gone.wait()

    await cluster.close()
    await runner.cleanup()
