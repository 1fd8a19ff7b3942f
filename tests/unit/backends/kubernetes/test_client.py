"""client: against a small API server of the test's own, over real sockets."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from argocd_agent.backends.kubernetes import KubeConfig, KubernetesCluster
from argocd_agent.backends.kubernetes.config import Pem, User
from argocd_agent.backends.ports import EVERYTHING, WatchType
from argocd_agent.codec import encode
from argocd_agent.errors import Forbidden, Gone, NotFound, Unauthorized, Unavailable
from argocd_agent.resources.kinds import APPLICATIONS
from argocd_agent.resources.objects import Metadata, new_object
from tests.support.authority import Authority

pytestmark = pytest.mark.real_time(timeout=20)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
OBJECT = b'{"kind":"Application","metadata":{"name":"x","namespace":"n","resourceVersion":"7"},"spec":{"a":1}}'
NOBODY = User()
EMPTY_LIST = b'{"metadata":{"resourceVersion":"1"},"items":[]}'


@contextlib.asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The URL of a server where *handler* answers everything."""
    app = web.Application(client_max_size=16 << 20)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    [address] = runner.addresses
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{address[1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def talking(handler: Handler, user: User = NOBODY) -> AsyncIterator[KubernetesCluster]:
    """A client of a server where *handler* answers."""
    async with serving(handler) as url:
        cluster = KubernetesCluster(KubeConfig(url, user=user))
        try:
            yield cluster
        finally:
            await cluster.close()


def answers(*bodies: bytes | web.Response) -> tuple[Handler, list[web.Request]]:
    """A handler that gives *bodies* one after the other, and the requests that it got."""
    seen: list[web.Request] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        await request.read()
        seen.append(request)
        body = bodies[min(len(seen), len(bodies)) - 1]
        return web.Response(body=body, content_type="application/json") if isinstance(body, bytes) else body

    return handle, seen


def streams(*chunks: bytes) -> Handler:
    """A handler of watches: *chunks*, then silence."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        await asyncio.get_running_loop().create_future()
        return response

    return handle


def a_failure(code: int, message: str = "no", **headers: str) -> web.Response:
    status = encode({"kind": "Status", "code": code, "reason": "R", "message": message})
    return web.Response(status=code, body=status, headers=headers, content_type="application/json")


async def test_an_object_comes_with_its_fields_as_bytes() -> None:
    handler, seen = answers(OBJECT)

    async with talking(handler, User(token="t0ken")) as cluster:
        obj = await cluster.get(APPLICATIONS, "n", "x")

    assert (obj.key, obj.version) == (("n", "x"), "7")
    assert obj.fields == {"kind": b'"Application"', "spec": b'{"a":1}'}
    assert seen[0].path == "/apis/argoproj.io/v1alpha1/namespaces/n/applications/x"
    assert seen[0].headers["Authorization"] == "Bearer t0ken"
    assert seen[0].headers["User-Agent"].startswith("argocd-agent/")


async def test_a_path_in_the_servers_url_is_kept() -> None:
    handler, seen = answers(EMPTY_LIST)

    async with serving(handler) as url:
        cluster = KubernetesCluster(KubeConfig(f"{url}/k8s/clusters/c-1"))
        await cluster.list(APPLICATIONS)
        await cluster.close()

    assert seen[0].path == "/k8s/clusters/c-1/apis/argoproj.io/v1alpha1/applications"


async def test_managed_fields_are_dropped() -> None:
    handler, _ = answers(b'{"metadata":{"name":"x","managedFields":[{"manager":"m"}]}}')

    async with talking(handler) as cluster:
        obj = await cluster.get(APPLICATIONS, "n", "x")

    assert b"managedFields" not in obj.encode()


async def test_a_page_knows_its_version_and_the_next() -> None:
    handler, seen = answers(
        b'{"metadata":{"resourceVersion":"5","continue":"c","remainingItemCount":1},"items":[%b]}' % OBJECT,
        b'{"metadata":{"resourceVersion":"5"},"items":null}',
    )

    async with talking(handler) as cluster:
        first = await cluster.list(APPLICATIONS, limit=1)
        last = await cluster.list(APPLICATIONS, limit=1, token=first.next_token)

    assert ([obj.name for obj in first.items], first.version, first.next_token) == (["x"], "5", "c")
    assert (last.items, last.next_token) == ((), "")
    assert seen[1].query["continue"] == "c"


async def test_too_many_requests_is_waited_out() -> None:
    handler, seen = answers(a_failure(429, **{"Retry-After": "0"}), a_failure(429, **{"Retry-After": "0"}), OBJECT)

    async with talking(handler) as cluster:
        assert (await cluster.get(APPLICATIONS, "n", "x")).name == "x"

    assert len(seen) == 3


async def test_too_many_requests_for_too_long_is_unavailable() -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return a_failure(429, "storage is (re)initializing", **{"Retry-After": "0"})

    async with talking(handler) as cluster:
        with pytest.raises(Unavailable, match=r"storage is \(re\)initializing \(429 R\)") as caught:
            await cluster.list(APPLICATIONS)

    assert caught.value.retry_after_seconds == 0


async def test_a_failed_write_is_not_repeated() -> None:
    handler, seen = answers(a_failure(503, **{"Retry-After": "0"}))

    async with talking(handler) as cluster:
        with pytest.raises(Unavailable):
            await cluster.create(APPLICATIONS, new_object(APPLICATIONS, Metadata(name="x", namespace="n")))

    assert len(seen) == 1


async def test_a_token_that_is_refused_is_read_again_once(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] == "Bearer new":
            return web.Response(body=OBJECT)
        file.write_text("new")
        return a_failure(401)

    async with talking(handler, User(token_file=str(file))) as cluster:
        assert (await cluster.get(APPLICATIONS, "n", "x")).name == "x"


async def test_a_user_whom_nobody_knows_is_unauthorized() -> None:
    handler, seen = answers(a_failure(401, "Unauthorized"), a_failure(401, "Unauthorized"))

    async with talking(handler, User(username="u", password="p")) as cluster:
        with pytest.raises(Unauthorized, match=r'cannot get applications.argoproj.io "n/x": Unauthorized'):
            await cluster.get(APPLICATIONS, "n", "x")

    assert [request.headers["Authorization"] for request in seen] == ["Basic dTpw", "Basic dTpw"]


async def test_a_watch_gives_events_and_ends_by_gone() -> None:
    gone = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'
    added = b'{"type":"ADDED","object":%b}\n' % OBJECT

    async with talking(streams(added[:20], added[20:] + added, gone)) as cluster:
        events = cluster.watch(APPLICATIONS, EVERYTHING, "1")
        seen = [await anext(events), await anext(events)]
        with pytest.raises(Gone, match=r"cannot watch applications\.argoproj\.io in all namespaces: too old"):
            await anext(events)

    assert [(event.type, event.object.name) for event in seen] == [(WatchType.ADDED, "x"), (WatchType.ADDED, "x")]


async def test_a_watch_that_is_refused_says_so() -> None:
    handler, _ = answers(a_failure(403, 'applications is forbidden: User "u" cannot watch'))

    async with talking(handler) as cluster:
        with pytest.raises(Forbidden, match='forbidden: User "u" cannot watch'):
            await anext(cluster.watch(APPLICATIONS, EVERYTHING, "1"))


async def test_a_watch_whose_connection_breaks_is_unavailable() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type":"ADD')
        assert request.transport is not None
        request.transport.abort()
        return response

    async with talking(handler) as cluster:
        with pytest.raises(Unavailable, match=r"cannot watch .*: .*127\.0\.0\.1:\d+"):
            await anext(cluster.watch(APPLICATIONS, EVERYTHING, "1"))


async def test_closing_ends_a_silent_watch() -> None:
    added = b'{"type":"ADDED","object":%b}\n' % OBJECT

    async with talking(streams(added)) as cluster:
        events = cluster.watch(APPLICATIONS, EVERYTHING, "1")
        await anext(events)
        rest = asyncio.create_task(anext(events, None))
        await asyncio.wait([rest], timeout=0.05)
        await cluster.close()

        assert await rest is None


async def test_requests_after_closing_are_refused() -> None:
    handler, _ = answers(OBJECT)

    async with talking(handler) as cluster:
        await cluster.close()
        with pytest.raises(Unavailable, match="was closed by us"):
            await cluster.get(APPLICATIONS, "n", "x")


async def test_a_port_where_nobody_listens_is_named() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        cluster = KubernetesCluster(KubeConfig(f"http://127.0.0.1:{port}"))
        with pytest.raises(Unavailable, match=rf"cannot list .*: no connection to 127\.0\.0\.1:{port}: Connect"):
            await cluster.list(APPLICATIONS)
        await cluster.close()


async def test_a_connection_closed_without_an_answer_is_unavailable() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with talking(handler) as cluster:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:\d+"):
            await cluster.create(APPLICATIONS, new_object(APPLICATIONS, Metadata(name="x", namespace="n")))


@pytest.mark.parametrize("body", [b"<html>welcome</html>", b"[]", b'{"metadata":7,"items":[]}'])
async def test_an_answer_that_is_no_kubernetes_is_unavailable(body: bytes) -> None:
    handler, _ = answers(body)

    async with talking(handler) as cluster:
        with pytest.raises(Unavailable, match="the server's answer is no list"):
            await cluster.list(APPLICATIONS)
        with pytest.raises(Unavailable, match="the server's answer is no object"):
            await cluster.get(APPLICATIONS, "n", "x")


@pytest.mark.feature("A-101")
async def test_a_limit_of_requests_per_second_is_kept() -> None:
    handler, _ = answers(OBJECT)
    clock = asyncio.get_running_loop().time

    async with serving(handler) as url:
        cluster = KubernetesCluster(KubeConfig(url), qps=50, burst=1)
        started = clock()
        await asyncio.gather(*(cluster.get(APPLICATIONS, "n", "x") for _ in range(11)))
        took = clock() - started
        await cluster.close()

    assert took >= 0.2 - 1e-6


async def test_a_missing_object_and_a_missing_kind_are_not_found() -> None:
    handler, _ = answers(web.Response(status=404, body=b"404 page not found"))

    async with talking(handler) as cluster:
        with pytest.raises(NotFound, match="is its CRD installed"):
            await cluster.list(APPLICATIONS)


@contextlib.asynccontextmanager
async def talking_tls(
    folder: Path, config_of: Callable[[str, Authority], KubeConfig]
) -> AsyncIterator[KubernetesCluster]:
    """A client of a server with TLS that shows the client certificate's name as the object's."""
    authority = Authority(folder)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    tls.load_cert_chain(folder / "server.crt", folder / "server.key")
    tls.verify_mode = ssl.CERT_OPTIONAL

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        certificate = request.transport.get_extra_info("peercert") or {}
        name = dict(pair for parts in certificate.get("subject", ()) for pair in parts).get("commonName", "nobody")
        return web.Response(body=encode({"metadata": {"name": name}}))

    async with serving(handler, tls) as url:
        cluster = KubernetesCluster(config_of(url, authority))
        try:
            yield cluster
        finally:
            await cluster.close()


async def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    def config(url: str, authority: Authority) -> KubeConfig:
        certificate, key = authority.issue(tmp_path / "alice", "alice", ())
        return KubeConfig(
            url, User(certificate=Pem(certificate), key=Pem(key)), ca=Pem(path=str(authority.certificate))
        )

    async with talking_tls(tmp_path, config) as cluster:
        assert (await cluster.get(APPLICATIONS, "n", "x")).name == "alice"


async def test_a_server_of_another_authority_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")

    async with talking_tls(tmp_path, lambda url, _: KubeConfig(url, ca=Pem(path=str(other.certificate)))) as cluster:
        with pytest.raises(
            Unavailable, match=r"the TLS certificate of 127\.0\.0\.1:\d+ cannot be verified: .+ \(is the cert"
        ):
            await cluster.get(APPLICATIONS, "n", "x")


async def test_a_server_by_another_name_is_refused_unless_that_name_is_expected(tmp_path: Path) -> None:
    def config(url: str, authority: Authority, name: str) -> KubeConfig:
        return KubeConfig(url, ca=Pem(path=str(authority.certificate)), server_name=name)

    async with talking_tls(tmp_path, lambda url, authority: config(url, authority, "elsewhere")) as cluster:
        with pytest.raises(Unavailable, match=r"cannot be verified: Hostname mismatch"):
            await cluster.get(APPLICATIONS, "n", "x")
    async with talking_tls(tmp_path, lambda url, authority: config(url, authority, "kubernetes")) as cluster:
        assert (await cluster.get(APPLICATIONS, "n", "x")).name == "nobody"


async def test_verification_can_be_switched_off(tmp_path: Path) -> None:
    async with talking_tls(tmp_path, lambda url, _: KubeConfig(url, skips_verification=True)) as cluster:
        assert (await cluster.get(APPLICATIONS, "n", "x")).name == "nobody"


async def test_a_certificate_and_a_key_that_do_not_belong_together_are_named(tmp_path: Path) -> None:
    def config(url: str, authority: Authority) -> KubeConfig:
        certificate, _ = authority.issue(tmp_path / "alice", "alice", ())
        _, key = authority.issue(tmp_path / "bob", "bob", ())
        user = User(name="alice", certificate=Pem(certificate), key=Pem(key))
        return KubeConfig(url, user, ca=Pem(path=str(authority.certificate)))

    async with talking_tls(tmp_path, config) as cluster:
        with pytest.raises(Unavailable, match='user "alice": client certificate and key cannot be used together'):
            await cluster.get(APPLICATIONS, "n", "x")
