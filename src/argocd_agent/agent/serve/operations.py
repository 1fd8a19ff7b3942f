"""One live request, from what it names to the API server's answer: the dispatch table of docs/protocol, 3.7.

What exists must belong to an Application before it is shown or changed, what is new must be allowed; the API server
decides the rest. Looking up whom an object belongs to is done as ourselves; what was asked for is done as the user whom
the caller acts for, where one is named. Query parameters are those that the table lists; others are left out.
"""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from argocd_agent.agent.discovery import Discovery
from argocd_agent.agent.serve.creating import Creating
from argocd_agent.agent.serve.filtering import Shows, shown_lines, shown_of
from argocd_agent.agent.tracking import Tracking, read_object
from argocd_agent.backends.ports import PatchType, RawAnswer, RawApi, RawRequest, User
from argocd_agent.errors import BadRequest, ClusterError, DecodeError, Forbidden, NotFound, Unavailable
from argocd_agent.resources.objects import Object, decode_object
from argocd_agent.resources.tracking import Ref, group_and_version
from argocd_agent.wire.kubepaths import KubePath, path_of
from argocd_agent.wire.requests import ResourceRequest

LIMIT_BYTES = 64 << 20  # of one answer; etcd takes objects of 1.5 MiB, so this is a long list
JSON = "application/json"
EVENTS = "events"

_LISTING = ("fieldSelector", "labelSelector", "resourceVersion", "resourceVersionMatch", "continue", "limit")
_WATCHING = (*_LISTING, "watch", "allowWatchBookmarks", "timeoutSeconds", "sendInitialEvents")
_WRITING = ("dryRun", "fieldValidation", "fieldManager")
_PATCHING = (*_WRITING, "force")
_DELETING = ("dryRun", "gracePeriodSeconds", "propagationPolicy", "orphanDependents")
_BOOLEANS = frozenset({"1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"})
_JSON_TYPES = frozenset({"", JSON, "text/json"})
_PATCH_TYPES = frozenset(kind.value for kind in PatchType)


@dataclass(frozen=True, slots=True)
class Operation:
    """A request that was understood. *where*: its path, written.

    *is_ours*: a hub of ours asks, which can do more than the reference.
    """

    request: ResourceRequest
    path: KubePath
    where: str
    method: str
    user: User | None
    is_ours: bool

    @property
    def is_watch(self) -> bool:
        """Whether the answer goes on for ever."""
        asked = self.request.params.get("watch", "").lower() in ("1", "t", "true")
        return self.is_ours and self.method == "GET" and asked and bool(self.path.resource)

    def call(self, *params: str, path: KubePath | None = None, content_type: str = "") -> RawRequest:
        """The call to the API server, with those of *params* that the request has."""
        given = self.request.params
        return RawRequest(
            method=self.method,
            path=self.where if path is None else path_of(path),
            query=tuple((name, given[name]) for name in params if name in given),
            body=b"" if self.method == "GET" else self.request.body or b"",
            content_type=content_type or (self.is_ours and self.request.content_type) or JSON,
            user=self.user,
        )


class Operations:
    """Carries out requests on the cluster behind *raw*."""

    def __init__(self, raw: RawApi, discovery: Discovery, tracking: Tracking, creating: Creating) -> None:
        self._raw, self._discovery, self._tracking, self._creating = raw, discovery, tracking, creating
        self._methods: dict[str, Callable[[Operation], Awaitable[RawAnswer]]] = {
            "GET": self._get,
            "POST": self._post,
            "PUT": self._put,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }

    async def carry_out(self, operation: Operation) -> RawAnswer:
        """What the API server answers. Raises `ClusterError` for what is not asked of it at all."""
        method = self._methods.get(operation.method)
        if method is None or (operation.method == "PUT" and not operation.is_ours):
            raise ClusterError(f"expected the method {', '.join(self._methods)}, found {operation.method!r}")
        self._tracking.refresh()
        return await method(operation)

    async def watch(self, operation: Operation) -> AsyncGenerator[RawAnswer, None]:
        """What the API server says as it comes, and of it only what may be shown. Raises `ClusterError`."""
        async with contextlib.aclosing(self._raw.follow(operation.call(*_WATCHING), LIMIT_BYTES)) as pieces:
            first = await anext(pieces)
            yield first
            if first.status != 200:
                return
            chunks = (piece.body async for piece in pieces)
            async with contextlib.aclosing(shown_lines(chunks, self._shows(operation.path))) as lines:
                async for line in lines:
                    yield RawAnswer(200, line, first.content_type)

    def _shows(self, path: KubePath) -> Shows:
        """Tells whether an object of a list or watch at *path* belongs to an Application, or is an Event."""

        async def shows(obj: Object) -> bool:
            if path.resource == EVENTS:
                return True
            try:
                self._tracking.refresh()
                await self._tracking.require(obj, await self._ref(obj, path))
            except (Forbidden, NotFound):  # an owner that is gone owns nothing
                return False
            return True

        return shows

    async def _get(self, operation: Operation) -> RawAnswer:
        path = operation.path
        if path.name and path.subresource:
            await self._require(path)
            return await self._raw.call(operation.call(), LIMIT_BYTES)
        if path.name:
            answer = await self._raw.call(operation.call(), LIMIT_BYTES)
            if answer.status == 200:
                obj = _object(answer.body, "answer")
                await self._tracking.require(obj, await self._ref(obj, path))
            return answer
        if path.is_discovery:
            return await self._raw.call(operation.call(), LIMIT_BYTES)
        if path.resource != EVENTS and not operation.is_ours:
            raise ClusterError(f"not authorized to list resources: expected {EVENTS}, found {path.resource}")
        answer = await self._raw.call(operation.call(*_LISTING), LIMIT_BYTES)
        if answer.status != 200 or path.resource == EVENTS:
            return answer
        return RawAnswer(200, await shown_of(answer.body, self._shows(path)), answer.content_type)

    async def _post(self, operation: Operation) -> RawAnswer:
        path = operation.path
        _expect_resource(operation)
        if path.name and path.subresource:
            await self._require(path)
            return await self._raw.call(operation.call(*_WRITING), LIMIT_BYTES)
        collection = KubePath(path.is_core, path.group, path.version, path.namespace, path.resource)
        await self._require_new(operation, collection)
        return await self._raw.call(operation.call(*_WRITING, path=collection), LIMIT_BYTES)

    async def _put(self, operation: Operation) -> RawAnswer:
        _expect_name(operation)
        await self._require(operation.path)
        return await self._raw.call(operation.call(*_WRITING), LIMIT_BYTES)

    async def _patch(self, operation: Operation) -> RawAnswer:
        _expect_name(operation)
        force = operation.request.params.get("force", "true")
        if force not in _BOOLEANS:
            raise BadRequest(f"force: expected true or false, found {force!r}")
        content_type = _patch_type(operation)
        try:
            await self._require(operation.path)
        except NotFound:
            if content_type != PatchType.APPLY or operation.path.subresource:
                raise
            await self._require_new(operation, operation.path)  # an apply makes what is not there
        call = operation.call(*_PATCHING, content_type=content_type)
        return await self._raw.call(call, LIMIT_BYTES)

    async def _delete(self, operation: Operation) -> RawAnswer:
        _expect_name(operation)
        if operation.path.subresource:
            raise ClusterError(f"expected no subresource to delete, found {operation.path.subresource}")
        await self._require(operation.path)
        return await self._raw.call(operation.call(*(_DELETING if operation.is_ours else ())), LIMIT_BYTES)

    async def _require(self, path: KubePath) -> None:
        """The object at *path* is there, and belongs to an Application. Raises `NotFound`, `Forbidden` and others."""
        served = await self._discovery.by_plural(path.group, path.version, path.resource)
        if served is None:
            raise NotFound(f"this cluster serves no {path.resource} at {path.group or 'the core API'} {path.version}")
        ref = Ref(path.group, served.kind, path.namespace, path.name)
        if self._tracking.is_listed(ref):
            return
        parent = KubePath(path.is_core, path.group, path.version, path.namespace, path.resource, path.name)
        await self._tracking.require(await read_object(self._raw, parent), ref)

    async def _require_new(self, operation: Operation, path: KubePath) -> None:
        """The body of *operation* may be made at *path*. It must be JSON: who cannot read it cannot check it."""
        given = operation.request.content_type
        if operation.is_ours and operation.method == "POST" and given not in _JSON_TYPES:
            raise _unsupported(JSON, given)
        obj = _object(operation.request.body or b"", "body")
        kind, api_version = _text(obj, "kind"), _text(obj, "apiVersion")
        served = await self._discovery.by_plural(path.group, path.version, path.resource)
        if served is None or kind != served.kind or group_and_version(api_version) != (path.group, path.version):
            expected = f"{served.kind} at {path_of(path)}" if served else f"a kind that stands at {path_of(path)}"
            raise BadRequest(f"body: expected {expected}, found kind {kind!r} of {api_version!r}")
        name = obj.name or f"{obj.metadata.generate_name}*"
        await self._creating.require(obj, Ref(path.group, kind, path.namespace, name))

    async def _ref(self, obj: Object, path: KubePath) -> Ref:
        kind = _text(obj, "kind")
        if not kind:  # items of a list do not say it
            served = await self._discovery.by_plural(path.group, path.version, path.resource)
            kind = served.kind if served is not None else ""
        return Ref(path.group, kind, obj.namespace, obj.name)


def _expect_resource(operation: Operation) -> None:
    if not operation.path.resource:
        raise ClusterError(f"{operation.method}: expected a resource in the path, found {operation.where}")


def _expect_name(operation: Operation) -> None:
    if not operation.path.name:
        raise ClusterError(f"{operation.method}: expected the name of an object, found {operation.where}")


def _patch_type(operation: Operation) -> str:
    """A hub of the reference says it for subresources only, as a parameter; all else is a merge patch."""
    if operation.is_ours:
        found = operation.request.content_type or PatchType.MERGE
        if found not in _PATCH_TYPES:
            raise _unsupported(", ".join(sorted(_PATCH_TYPES)), found)
        return found
    named = operation.request.params.get("content-type", "")
    is_named = bool(operation.path.subresource) and named in (PatchType.JSON, PatchType.STRATEGIC)
    return named if is_named else PatchType.MERGE


def _unsupported(expected: str, found: str) -> BadRequest:
    error = BadRequest(f"Content-Type: expected {expected}, found {found!r}")
    error.code = 415
    return error


def _object(data: bytes, what: str) -> Object:
    try:
        return decode_object(data, what)
    except DecodeError as error:
        if what == "answer":
            raise Unavailable(f"the API server's answer is no object: {error}") from error
        raise BadRequest(f"expected an object in JSON: {error}") from error


def _text(obj: Object, name: str) -> str:
    try:
        found = obj.look(name)
    except DecodeError:
        return ""
    return found if isinstance(found, str) else ""
