"""The `Cluster` port on a real Kubernetes API: HTTP by aiohttp, JSON by msgspec, nothing between.

One connection pool, made when first used, on the loop that uses it. At most `REQUESTS_AT_ONCE` requests are under way,
more wait; watches have connections of their own. "Too many requests" is waited out as the server asks, a bounded
number of times; 401 makes the credentials fresh, once. A request without an answer is not repeated: whether it
took effect is unknown here, and the caller knows whether that matters. See `requests` for what is sent, `watch`
for the life of a watch.
"""

import asyncio
import contextlib
import io
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

import aiohttp
import msgspec
from yarl import URL

from argocd_agent.backends.kubernetes import requests
from argocd_agent.backends.kubernetes.config import KubeConfig
from argocd_agent.backends.kubernetes.connections import Call, Connections, network_failure
from argocd_agent.backends.kubernetes.credentials import Credential, Credentials
from argocd_agent.backends.kubernetes.requests import Request
from argocd_agent.backends.kubernetes.throttle import TokenBucket
from argocd_agent.backends.kubernetes.watch import events, server_timeout_seconds
from argocd_agent.backends.ports import EVERYTHING, Page, PatchType, Propagation, Scope, WatchEvent
from argocd_agent.codec import decode
from argocd_agent.errors import ClusterError, DecodeError, Unauthorized, Unavailable
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object, decode_object, object_from

REQUESTS_AT_ONCE = 64  # a kube-apiserver takes 600 from everybody; 32 in parallel already saturate one
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 65.0  # a kube-apiserver gives up after 60 and says so
PAUSES = 5  # how often a request waits because of 429
LONGEST_PAUSE_SECONDS = 5.0
LARGEST_ANSWER_BYTES = 512 << 20  # a page of 500 objects, each as large as etcd takes
LARGE_BODY_BYTES = 1 << 18

_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=ANSWER_SECONDS)
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=None)

T = TypeVar("T")


class _ListMeta(msgspec.Struct, frozen=True):
    resourceVersion: str = ""  # noqa: N815  as on the wire
    next: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct, frozen=True):
    metadata: _ListMeta
    items: list[dict[str, msgspec.Raw]] | None = None


class _ClosedByUs(Unavailable):
    """A watch that ends because its cluster was closed."""


class KubernetesCluster:
    """One Kubernetes API as one user. *qps* and *burst* limit requests on our side; without *qps* there is no limit."""

    def __init__(
        self,
        config: KubeConfig,
        *,
        qps: float | None = None,
        burst: int | None = None,
        field_manager: str = "argocd-agent",
    ) -> None:
        self._config = config
        self._manager = field_manager
        self._credentials = Credentials(config)
        self._current: Connections | None = None
        self._retired: Connections | None = None
        self._slots = asyncio.Semaphore(REQUESTS_AT_ONCE)
        self._rate = (qps, burst if burst is not None else max(1, int(qps * 2))) if qps else None
        self._bucket: TokenBucket | None = None
        self._closed = asyncio.Event()
        self._streams: set[aiohttp.StreamReader] = set()  # answers being read
        self._proxy = config.proxy or None
        self._server_name = config.server_name or None
        url = URL(config.server)
        self._address = f"{url.host}:{url.port}"

    @property
    def address(self) -> str:
        """Host and port of the API server, for messages."""
        return self._address

    @property
    def is_acting_for_another(self) -> bool:
        """Whether the kubeconfig says to impersonate somebody: then nobody else can be."""
        return bool(self._config.user.impersonation)

    async def get(self, api: Api, namespace: str, name: str) -> Object:
        return await self._object(requests.get(api, namespace, name))

    async def list(self, api: Api, scope: Scope = EVERYTHING, *, limit: int = 500, token: str = "") -> Page:
        request = requests.list_page(api, scope, limit, token)
        body = await self._ask(request)
        try:
            page = decode(body, _List, "list")
            items = tuple(object_from(item, "list item") for item in page.items or ())
        except DecodeError as error:
            raise Unavailable(f"cannot {request.what}: the server's answer is no list: {error}") from error
        return Page(items, page.metadata.resourceVersion, page.metadata.next)

    async def watch(self, api: Api, scope: Scope, since: str) -> AsyncGenerator[WatchEvent, None]:
        """As the port says. An empty *since* starts with an ADDED for every object that is there."""
        timeout_seconds = server_timeout_seconds(random.random())
        request = requests.watch(api, scope, since, timeout_seconds)
        clock = asyncio.get_running_loop().time
        with contextlib.suppress(_ClosedByUs):
            async with self.exchange(request, is_watch=True) as response:
                if not 200 <= response.status < 300:
                    raise await self._failure(request, response)
                async with contextlib.aclosing(events(response.content, request.what, timeout_seconds, clock)) as lines:
                    async for event in lines:
                        yield event

    async def create(self, api: Api, obj: Object) -> Object:
        return await self._object(requests.create(api, obj, self._manager))

    async def update(self, api: Api, obj: Object, *, subresource: str = "") -> Object:
        return await self._object(requests.update(api, obj, self._manager, subresource))

    async def patch(
        self, api: Api, namespace: str, name: str, patch: bytes, kind: PatchType, *, subresource: str = ""
    ) -> Object:
        return await self._object(requests.patch(api, namespace, name, patch, kind, self._manager, subresource))

    async def delete(
        self,
        api: Api,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        version: str = "",
        propagation: Propagation = Propagation.BACKGROUND,
    ) -> None:
        await self._ask(requests.delete(api, namespace, name, uid, version, propagation))

    @contextlib.asynccontextmanager
    async def reading(self, request: Request) -> AsyncGenerator[aiohttp.StreamReader, None]:
        """The body of the answer to *request*, for as long as the block takes to read it."""
        async with self.exchange(request, is_watch=True) as response:
            if not 200 <= response.status < 300:
                raise await self._failure(request, response)
            yield response.content

    async def upgrading(self, request: Request, upgrade: Callable[[Call], Awaitable[T]]) -> T:
        """What *upgrade* makes of a connection for *request*. Asked again, once, where it raises `Unauthorized`."""
        await self._wait_for_token()
        credential = await self._credentials.current()
        for is_last in (False, True):
            call = await self._call(request, credential)
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await upgrade(call)
            except Unauthorized:
                if is_last:
                    raise
                self._credentials.forget(credential)
                credential = await self._credentials.current()
            except (aiohttp.ClientError, OSError) as error:
                raise self._unreachable(request, error) from error
        raise AssertionError("the last try returns or raises")

    async def close(self) -> None:
        self._closed.set()
        # aiohttp forgets who reads from a connection that it closes, and they would wait for ever.
        for stream in self._streams:
            stream.set_exception(aiohttp.ClientConnectionError("closed by us"))
        await self._credentials.close()
        for connections in (self._current, self._retired):
            if connections is not None:
                await connections.session.close()
        self._current = self._retired = None

    async def _object(self, request: Request) -> Object:
        body = await self._ask(request)
        try:
            return decode_object(body, "answer")
        except DecodeError as error:
            raise Unavailable(f"cannot {request.what}: the server's answer is no object: {error}") from error

    async def _ask(self, request: Request) -> bytes:
        async with self._slots, self.exchange(request) as response:
            if not 200 <= response.status < 300:
                raise await self._failure(request, response)
            return await read_body(response)

    @contextlib.asynccontextmanager
    async def exchange(
        self, request: Request, *, is_watch: bool = False
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """The response to *request*, whatever it says; its body is read in the block. Raises `Unavailable`."""
        await self._wait_for_token()
        response = await self._respond(request, _WATCH_TIMEOUT if is_watch else _REQUEST_TIMEOUT)
        self._streams.add(response.content)
        try:
            yield response
        except (aiohttp.ClientError, OSError) as error:
            if is_watch and self._closed.is_set():
                raise _ClosedByUs(f"cannot {request.what}: closed by us") from error
            raise self._unreachable(request, error) from error
        finally:
            self._streams.discard(response.content)
            if is_watch:
                _hang_up(response)
            else:
                response.release()

    async def _respond(self, request: Request, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """The response to *request*, whatever it says, once credentials and patience are used up; its body not read."""
        is_renewed = False
        pauses = 0
        while True:
            credential = await self._credentials.current()
            response = await self._send(request, credential, timeout)
            if response.status == 401 and not is_renewed:
                is_renewed = True
                self._credentials.forget(credential)
                response.release()
            elif response.status == 429 and "Retry-After" in response.headers and pauses < PAUSES:
                pauses += 1
                error = await self._failure(request, response)
                await self._pause(min(error.retry_after_seconds or 0.0, LONGEST_PAUSE_SECONDS))
            else:
                return response

    async def _send(
        self, request: Request, credential: Credential, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        call = await self._call(request, credential)
        try:
            return await call.session.request(
                request.method,
                call.url,
                data=_body(request),
                headers=call.headers,
                timeout=timeout,
                allow_redirects=False,
                proxy=call.proxy,
                server_hostname=call.server_name,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable(request, error) from error

    async def _call(self, request: Request, credential: Credential) -> "Call":
        if self._closed.is_set():
            raise Unavailable(f"cannot {request.what}: the connection to {self._address} was closed by us")
        connections = await self._connections(credential)
        headers = [("Authorization", credential.authorization)] if credential.authorization else []
        if request.body:
            headers.append(("Content-Type", request.content_type))
        query = f"?{request.query}" if request.query else ""
        url = URL(f"{self._config.server}{request.path}{query}", encoded=True)
        everything = [*headers, *request.headers]
        return Call(connections.session, url, everything, self._proxy, self._server_name, connections.tls)

    async def _failure(self, request: Request, response: aiohttp.ClientResponse) -> ClusterError:
        try:
            body = await read_body(response)
        except (aiohttp.ClientError, OSError):
            body = b""  # the status line is enough to say what happened
        finally:
            response.release()
        return requests.failure(request, response.status, body, response.headers.get("Retry-After", ""))

    async def _connections(self, credential: Credential) -> Connections:
        """The pool for *credential*. When the certificate changes, the pool before it stays for what is under way."""
        current = self._current
        if current is not None and current.certificate == (credential.certificate, credential.key):
            return current
        made = self._current = Connections(self._config, credential)
        outdated, self._retired = self._retired, current
        if outdated is not None:
            await outdated.session.close()
        return made

    async def _wait_for_token(self) -> None:
        if self._rate is not None:
            now = asyncio.get_running_loop().time()
            if self._bucket is None:
                self._bucket = TokenBucket(*self._rate, now)
            await self._pause(self._bucket.take(now))

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until `close`."""
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._closed.wait()
            except TimeoutError:
                return

    def _unreachable(self, request: Request, error: Exception) -> Unavailable:
        return Unavailable(f"cannot {request.what}: {network_failure(self._address, error)}")


def _body(request: Request) -> bytes | io.BytesIO | None:
    """Large ones as a file: aiohttp writes bytes in one go, and nothing else would run meanwhile."""
    return io.BytesIO(request.body) if len(request.body) > LARGE_BODY_BYTES else request.body or None


async def read_body(response: aiohttp.ClientResponse, limit_bytes: int = LARGEST_ANSWER_BYTES) -> bytes:
    """The whole body. Raises `ClientPayloadError` above *limit_bytes*."""
    chunks: list[bytes] = []
    read_bytes = 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        read_bytes += len(chunk)
        if read_bytes > limit_bytes:
            response.close()
            raise aiohttp.ClientPayloadError(f"the answer is larger than {limit_bytes} bytes")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _hang_up(response: aiohttp.ClientResponse) -> None:
    """End a watch without TLS's farewell: the server, which may have more to say, would be waited for."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()
