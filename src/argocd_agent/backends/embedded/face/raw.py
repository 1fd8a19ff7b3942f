"""The `RawApi` port on an embedded cluster: what the HTTP face would answer, without sockets or clients.

Everybody may do everything but what *permits* refuses, which stands for the access rules of a real API server.
"""

import contextlib
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime

from argocd_agent.backends.embedded import faults
from argocd_agent.backends.embedded.cluster import EmbeddedCluster
from argocd_agent.backends.embedded.face import discovery, statuses
from argocd_agent.backends.embedded.face.handling import Answer, Call, Handler, Query, watch_line
from argocd_agent.backends.embedded.face.routes import Form, ListOptions, parse_list, parse_path
from argocd_agent.backends.embedded.face.verbs import fits, has_subresource, verb_of
from argocd_agent.backends.embedded.kinds import ServedKind
from argocd_agent.backends.embedded.listing import select
from argocd_agent.backends.embedded.values import canonical
from argocd_agent.backends.ports import RawAnswer, RawRequest, WatchType
from argocd_agent.errors import ClusterError, Unavailable


class EmbeddedRaw:
    """Calls to *cluster*, which somebody else closes."""

    def __init__(self, cluster: EmbeddedCluster, permits: Callable[[RawRequest], bool] = lambda _: True) -> None:
        self._cluster, self._permits = cluster, permits
        self._handler = Handler(cluster)

    async def call(self, request: RawRequest, limit_bytes: int) -> RawAnswer:
        """See `RawApi.call`."""
        try:
            answer = await self._answer(request)
        except Unavailable:
            raise
        except ClusterError as error:
            return RawAnswer(error.code, canonical(statuses.failure(error)))
        if len(answer.body) > limit_bytes:
            raise Unavailable(f"cannot {request}: the answer is larger than {limit_bytes} bytes")
        return RawAnswer(answer.code, answer.body)

    async def follow(self, request: RawRequest, limit_bytes: int) -> AsyncGenerator[RawAnswer, None]:
        """See `RawApi.follow`."""
        try:
            call, options = self._call(request)
            selection = select(call.kind, options.scope)
        except ClusterError as error:
            yield RawAnswer(error.code, canonical(statuses.failure(error)))
            return
        events = self._cluster.watches.events(selection, options.version)
        async with contextlib.aclosing(events):
            yield RawAnswer(200, b"")
            try:
                async for event in events:
                    if event.type is not WatchType.BOOKMARK or options.wants_bookmarks:
                        yield RawAnswer(200, watch_line(call, event, ""))
            except ClusterError as error:
                yield RawAnswer(200, b'{"type":"ERROR","object":%b}\n' % canonical(statuses.failure(error)))

    async def _answer(self, request: RawRequest) -> Answer:
        parts = request.path.strip("/").split("/")
        document = discovery.document_at(self._cluster.engine.kinds, parts, "embedded")
        if document is not None and request.method == "GET":
            return Answer(canonical(document))
        call, options = self._call(request)
        now = datetime.now(UTC)
        match verb_of(request.method, call.target, options):
            case "get":
                return self._handler.get(call, now)
            case "list":
                return self._handler.list(call, options, now)
            case "create":
                return await self._handler.create(call, now)
            case "update":
                return await self._handler.update(call, now)
            case "patch":
                return await self._handler.patch(call, now)
            case "delete":
                return await self._handler.delete(call, now)
        return await self._handler.delete_collection(call, options, now)

    def _call(self, request: RawRequest) -> tuple[Call, ListOptions]:
        self._cluster.check_open()
        target = parse_path(request.path)
        kind = self._kind(target.group, target.version, target.plural) if target else None
        if target is None or kind is None or not fits(kind, target):
            raise faults.Missing("the server could not find the requested resource", reason="NotFound")
        if not has_subresource(kind, target.subresource):
            raise faults.not_found(kind.api, target.name)
        if not self._permits(request):
            who = f'User "{request.user.name}"' if request.user else "we"
            raise faults.forbidden(kind.api, target.name, f"{who} may not {request.method}")
        query = Query(dict(reversed(request.query)), request.query)
        call = Call(kind, target, query, Form.OBJECT, request.body, request.content_type if request.body else "")
        return call, parse_list(target, query.first)

    def _kind(self, group: str, version: str, plural: str) -> ServedKind | None:
        return self._cluster.engine.kinds.find(group, version, plural)
