"""The HTTP face of an embedded cluster: what kubectl and every other Kubernetes client talks to.

    async with serve(cluster) as face:
        face.write_kubeconfig(Path("kubeconfig"))

Plain HTTP on loopback, or TLS; every request but those for health and version needs a known bearer token, as a header
or as the first part of the path (`/token/TOKEN/api/…`), or a client certificate that the TLS context has verified.
Bodies are at most 3 MiB. A watch whose client does not read fills the socket, then waits; when the window of changes
has passed it by, it gets the 410 that makes clients list again.
Leaving the block ends the watches and closes connections within a second.
"""

import asyncio
import contextlib
import os
import secrets
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from argocd_agent.backends.embedded import faults
from argocd_agent.backends.embedded.cluster import EmbeddedCluster
from argocd_agent.backends.embedded.face import discovery, openapi, statuses
from argocd_agent.backends.embedded.face.access import ADMIN, TOKEN_PATH, Access, Attempt, Client, split_token
from argocd_agent.backends.embedded.face.handling import Answer, Call, Handler, Query, watch_line
from argocd_agent.backends.embedded.face.kubeconfig import render
from argocd_agent.backends.embedded.face.routes import Form, ListOptions, Target, parse_accept, parse_list, parse_path
from argocd_agent.backends.embedded.face.verbs import fits, has_subresource, verb_of
from argocd_agent.backends.embedded.kinds import ServedKind
from argocd_agent.backends.embedded.listing import select
from argocd_agent.backends.embedded.values import JsonObject, canonical
from argocd_agent.backends.embedded.watching import Watches
from argocd_agent.backends.ports import WatchType
from argocd_agent.errors import ClusterError
from argocd_agent.resources.kinds import Api

BODY_LIMIT_BYTES = 3 * 2**20
GZIP_FROM_BYTES = 128 * 1024  # smaller answers are not worth it, as in the real server
WATCH_SECONDS = 3600.0
SHUTDOWN_SECONDS = 0.5
PUBLIC_PATHS = frozenset({"/healthz", "/livez", "/readyz", "/version"})
VERSION: JsonObject = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.1+argocd-agent-embedded",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "",
}
DISCOVERY_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_JSON = {"Content-Type": "application/json", "Cache-Control": "no-cache, private"}


@contextlib.asynccontextmanager
async def serve(
    cluster: EmbeddedCluster,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    tls: ssl.SSLContext | None = None,
    ca: bytes | None = None,
    clients: Sequence[Client] = (),
    name: str = "embedded",
) -> "AsyncIterator[Face]":
    """Serve *cluster* until the block is left; the cluster itself stays open.

    Port 0 takes a free one. Without *clients* there is one administrator with a random token. *ca* (PEM) goes into
    kubeconfigs. Raises OSError where the address cannot be listened on.
    """
    face = Face(cluster, Access(clients or [Client(secrets.token_urlsafe(32))]), name, ca)
    server = web.Server(face.handle, handler_cancellation=True, access_log=None)
    runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
        bound = runner.addresses[0][1]
        shown = f"[{host}]" if ":" in host else host
        face.url = f"{'https' if tls else 'http'}://{shown}:{bound}"
        yield face
    finally:
        face.close()
        await runner.cleanup()


class Face:
    """One cluster behind HTTP. Made by `serve`; `url` is where it listens."""

    def __init__(self, cluster: EmbeddedCluster, access: Access, name: str, ca: bytes | None) -> None:
        self.url = ""
        self._cluster, self._access, self._name, self._ca = cluster, access, name, ca
        self._handler = Handler(cluster)
        self._watches = Watches(cluster.engine.store, cluster.watches.bookmark_seconds)

    def kubeconfig(self, user: str = ADMIN, namespace: str = "default") -> str:
        """A kubeconfig for one of the clients, by user name. Raises KeyError for an unknown one."""
        client = next((client for client in self._access.clients if client.user == user), None)
        if client is None:
            raise KeyError(f"no client of the face is called {user!r}")
        # kubectl sends no token without TLS, but keeps a path that the server's address has.
        server = self.url if self.url.startswith("https:") else f"{self.url}{TOKEN_PATH}{client.token}"
        return render(server=server, name=self._name, user=user, token=client.token, namespace=namespace, ca=self._ca)

    def write_kubeconfig(self, path: Path, user: str = ADMIN, namespace: str = "default") -> None:
        """Write it to *path*, readable by its owner only, in one step: readers never see half of it."""
        part = path.with_name(path.name + ".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self.kubeconfig(user, namespace))
        part.replace(path)

    def close(self) -> None:
        """End all watches."""
        self._watches.close()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        try:
            return await self._dispatch(request)
        except ClusterError as error:
            response = _respond(request, Answer(canonical(statuses.failure(error)), error.code))
            if error.retry_after_seconds is not None:
                response.headers["Retry-After"] = str(int(error.retry_after_seconds))
            return response

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        path, authorization = split_token(request.rel_url.raw_path, request.headers.get("Authorization", ""))
        if path in PUBLIC_PATHS or path.startswith(("/livez/", "/readyz/", "/healthz/")):
            return _respond(request, Answer(canonical(VERSION))) if path == "/version" else web.Response(text="ok")
        certificate = request.get_extra_info("peercert")
        client = self._access.authenticate(authorization, certificate)
        target = parse_path(path)
        if target is None:
            return self._describe(request, path.strip("/").split("/"))
        api = Api(target.group, target.version, target.plural, "")
        kind = self._cluster.engine.kinds.find(api.group, api.version, api.plural)
        if kind is None or not fits(kind, target):
            return web.Response(status=404, text="404 page not found\n")
        if not has_subresource(kind, target.subresource):
            raise faults.not_found(kind.api, target.name)
        self._cluster.check_open()
        return await self._resource(request, client, kind, target)

    async def _resource(
        self, request: web.BaseRequest, client: Client, kind: ServedKind, target: Target
    ) -> web.StreamResponse:
        query = Query(dict(request.query), tuple(request.query.items()))
        options = parse_list(target, query.first)
        verb = verb_of(request.method, target, options)
        self._access.authorize(client, _attempt(verb, target))
        form = parse_accept(request.headers.get("Accept", ""))
        body = b"" if request.method in ("GET", "HEAD") else await _read_body(request)
        call = Call(kind, target, query, form, body, request.content_type if body else "")
        now = datetime.now(UTC)
        match verb:
            case "watch":
                return await self._watch(request, call, options)
            case "get":
                answer = self._handler.get(call, now)
            case "list":
                answer = self._handler.list(call, options, now)
            case "create":
                answer = await self._handler.create(call, now)
            case "update":
                answer = await self._handler.update(call, now)
            case "patch":
                answer = await self._handler.patch(call, now)
            case "delete":
                answer = await self._handler.delete(call, now)
            case _:
                answer = await self._handler.delete_collection(call, options, now)
        return _respond(request, answer)

    async def _watch(self, request: web.BaseRequest, call: Call, options: ListOptions) -> web.StreamResponse:
        selection = select(call.kind, options.scope)
        since = options.version
        if since not in ("", "0") and not since.isdigit():
            raise faults.bad_request(f'resourceVersion: Invalid value: "{since}": not a version')
        events = self._watches.events(selection, since, wants_initial_end=options.wants_initial_events)
        response = web.StreamResponse(headers=_JSON)
        await response.prepare(request)
        include = call.query.first.get("includeObject", "")
        limit = options.timeout_seconds or WATCH_SECONDS
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            async with asyncio.timeout(limit), contextlib.aclosing(events):
                try:
                    async for event in events:
                        if event.type is not WatchType.BOOKMARK or options.wants_bookmarks:
                            await response.write(watch_line(call, event, include))
                except ClusterError as error:
                    await response.write(b'{"type":"ERROR","object":%b}\n' % canonical(statuses.failure(error)))
            await response.write_eof()
        return response

    def _describe(self, request: web.BaseRequest, parts: list[str]) -> web.Response:
        """Discovery and OpenAPI."""
        kinds = self._cluster.engine.kinds
        document = discovery.document_at(kinds, parts, self.url.partition("://")[2])
        match parts:
            case ["api"] | ["apis"] if parse_accept(request.headers.get("Accept", "")) is Form.DISCOVERY:
                answer = Answer(canonical(discovery.aggregated(kinds, is_core=parts == ["api"])))
                return _respond(request, answer, DISCOVERY_TYPE)
            case ["openapi", "v3"]:
                document = openapi.index(kinds)
            case ["openapi", "v3", "api", version]:
                document = openapi.document(kinds, "", version)
            case ["openapi", "v3", "apis", group, version]:
                document = openapi.document(kinds, group, version)
            case [""]:
                document = {"paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]}
        if document is None or request.method not in ("GET", "HEAD"):
            return web.Response(status=404, text="404 page not found\n")
        return _respond(request, Answer(canonical(document)))


def _attempt(verb: str, target: Target) -> Attempt:
    resource = f"{target.plural}/{target.subresource}" if target.subresource else target.plural
    return Attempt(verb, resource, target.group, target.namespace or "", target.name)


async def _read_body(request: web.BaseRequest) -> bytes:
    """The body. Raises `BadRequest` (413) when it is too large."""
    if request.content_length is not None and request.content_length > BODY_LIMIT_BYTES:
        raise faults.too_large(BODY_LIMIT_BYTES)
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            raise faults.too_large(BODY_LIMIT_BYTES)
    return bytes(body)


def _respond(request: web.BaseRequest, answer: Answer, content_type: str = "application/json") -> web.Response:
    response = web.Response(body=answer.body, status=answer.code, headers={**_JSON, "Content-Type": content_type})
    for warning in answer.warnings:
        escaped = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{escaped}"')
    if len(answer.body) >= GZIP_FROM_BYTES and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.enable_compression(web.ContentCoding.gzip)
    return response
