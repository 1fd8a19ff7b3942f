"""A Kubernetes API request as a question to an agent, and the agent's reply as an HTTP answer.

An agent of the reference knows get, create, merge patch and delete, and answers in one piece; of what it does not know
only what it would carry out wrongly is refused here. One of ours also knows PUT, every patch, watches and lists, acts
for other users, and answers in pieces: as many as the client takes, so that a slow one holds up nobody else.
"""

import asyncio
import uuid
from dataclasses import dataclass

from aiohttp import web

from argocd_agent.errors import DecodeError, RequestFailed
from argocd_agent.protocol.capabilities import Capability, PeerInfo
from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.proxies.ports import Ask, Question, Replies
from argocd_agent.proxies.resource.callers import Caller
from argocd_agent.proxies.resource.refusals import JSON, Refused, refusal
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.kubepaths import KubePath
from argocd_agent.wire.kubestatus import failure
from argocd_agent.wire.payloads import decode, encode
from argocd_agent.wire.requests import ResourcePart, ResourceRequest, ResourceResponse

log = get_log("ResourceProxy", "resource-proxy")

CREDIT = 8  # pieces under way: 1.5 MiB, enough to fill a link while one piece is written
STALLED_SECONDS = 300.0  # a client that takes nothing for so long is gone
MERGE = "application/merge-patch+json"
CONTENT_TYPE_PARAM = "content-type"  # what the reference's agents look at, for subresources
_TRUE = frozenset({"1", "t", "true"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request, read and understood."""

    caller: Caller
    method: str
    path: KubePath
    params: dict[str, str]
    body: bytes
    content_type: str

    @property
    def is_watch(self) -> bool:
        """Whether the answer is to go on for ever."""
        return self.method == "GET" and bool(self.path.resource) and self.params.get("watch", "").lower() in _TRUE


class Asking:
    """Asks agents through *ask*."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._warned: set[str] = set()  # agents, of which there are only so many

    async def answer(self, request: web.BaseRequest, wanted: Wanted) -> web.StreamResponse:
        """The answer to *request*, sent or to be sent. Raises `RequestFailed`, `Refused`."""
        agent = wanted.caller.agent
        peer = self._ask.peer(agent) or PeerInfo()
        is_ours = peer.can(Capability.LIVE)
        if not is_ours:
            _check_for_reference(wanted)
            self._warn_of_actor(wanted)
        question = _question(wanted, is_ours=is_ours)
        async with self._ask.asked(agent, wanted.caller.shares, question) as replies:
            first = await replies.next()
            if first.type == EventType.PART:
                return await _stream(request, wanted, first, replies)
            return _whole(_response_in(first))

    def _warn_of_actor(self, wanted: Wanted) -> None:
        agent, actor = wanted.caller.agent, wanted.caller.actor
        if actor.user and agent not in self._warned:
            self._warned.add(agent)
            log.warning(
                "An agent of the reference cannot act for another user: its requests are made as the agent",
                {fields.AGENT: agent, fields.USER: actor.user},
            )


def _check_for_reference(wanted: Wanted) -> None:
    """Raises `Refused` for what an agent of the reference would not do, or do as something else."""
    if wanted.method == "PUT":
        raise Refused(
            403, "PUT: the agent of this cluster is of the reference, which knows GET, POST, PATCH and DELETE"
        )
    if wanted.method == "PATCH" and not wanted.path.subresource and wanted.content_type not in ("", MERGE):
        raise Refused(
            415,
            f"Content-Type: expected {MERGE}, found {wanted.content_type!r}: the agent of this cluster is of the "
            "reference, which takes every patch of an object for that",
        )


def _question(wanted: Wanted, *, is_ours: bool) -> Question:
    unique, path, actor = str(uuid.uuid4()), wanted.path, wanted.caller.actor
    params = wanted.params
    if wanted.method == "PATCH" and wanted.content_type and not is_ours:
        params = params | {CONTENT_TYPE_PARAM: wanted.content_type}
    request = ResourceRequest(
        uuid=unique,
        namespace=path.namespace,
        name=path.name,
        subresource=path.subresource,
        method=wanted.method,
        body=wanted.body,
        params=params,
        group=path.group,
        version=path.version,
        resource=path.resource,
        content_type=wanted.content_type if is_ours else "",
        credit=CREDIT if is_ours else 0,
        user=actor.user if is_ours else "",
        user_uid=actor.uid if is_ours else "",
        groups=actor.groups if is_ours else (),
        core=is_ours and path.is_core,
    )
    return Question(
        Target.RESOURCE, wanted.method, unique, encode(request), request.credit, is_long=is_ours and wanted.is_watch
    )


def _response_in(event: Event) -> ResourceResponse:
    try:
        return decode(event.data, ResourceResponse)
    except DecodeError as error:
        raise RequestFailed(f"the agent's answer cannot be understood: {error}") from error


def _part_in(event: Event) -> ResourcePart:
    try:
        return decode(event.data, ResourcePart)
    except DecodeError as error:
        raise RequestFailed(f"a piece of the agent's answer cannot be understood: {error}") from error


def _whole(response: ResourceResponse) -> web.Response:
    """The answer that came in one."""
    if response.status == 200:
        return web.Response(body=response.resource.encode(), content_type=JSON)
    if not 400 <= response.status < 600:
        return refusal(500, f"the agent answered with status {response.status}: expected 200, or 400 to 599")
    if response.resource:  # an agent of ours says why
        return web.Response(status=response.status, body=response.resource.encode(), content_type=JSON)
    return refusal(response.status, f"the agent of this cluster refused, with status {response.status} and no reason")


async def _stream(request: web.BaseRequest, wanted: Wanted, first: Event, replies: Replies) -> web.StreamResponse:
    """The answer that comes in pieces, as they come. A failure on the way ends the connection, or a watch in order."""
    piece = _part_in(first)
    if not 200 <= piece.status < 600:
        raise RequestFailed(f"the agent answered with status {piece.status}: expected 200 to 599")
    response = web.StreamResponse(status=piece.status, headers={"Content-Type": piece.content_type or JSON})
    await response.prepare(request)
    try:
        while True:
            async with asyncio.timeout(STALLED_SECONDS):
                await response.write(piece.data or b"")
            replies.allow_more()
            event = await replies.next()
            if event.type != EventType.PART:
                break
            piece = _part_in(event)
        end = _response_in(event)
        if end.status != 200:
            raise RequestFailed(end.resource or f"the agent gave up with status {end.status}")
    except (RequestFailed, TimeoutError) as error:
        await _break_off(request, response, wanted, error)
        return response
    await response.write_eof()
    return response


async def _break_off(
    request: web.BaseRequest, response: web.StreamResponse, wanted: Wanted, error: RequestFailed | TimeoutError
) -> None:
    """The status is sent, so a watch is told in its own way, and who waits for the rest of a body by its absence."""
    log.info(
        "An answer was broken off",
        {fields.AGENT: wanted.caller.agent, fields.PATH: str(wanted.path), fields.ERROR: str(error)},
    )
    if wanted.is_watch and isinstance(error, RequestFailed):
        await response.write(b'{"type":"ERROR","object":%b}\n' % failure(error.code, str(error)))
        await response.write_eof()
    elif request.transport is not None:
        request.transport.abort()
