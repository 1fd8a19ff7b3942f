"""Requests for live objects, answered: at once, side by side, each with its own end.

A request ends by its answer, its deadline, or because whoever asked has gone; it dies with the session that it came on.
At most `AT_ONCE` are carried out at a time; `WAITING` more wait, and the next is refused, so is a watch beyond
`WATCHES`. The deadline is what remains of the asker's patience, which a hub of ours says and one of the reference does
not: it waits for 30 s. Every refusal says why, in a Kubernetes Status.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from argocd_agent.agent.serve.answers import Answers
from argocd_agent.agent.serve.operations import Operation, Operations
from argocd_agent.backends.ports import RawAnswer, User
from argocd_agent.errors import BadRequest, ClusterError, DecodeError, EventDiscarded, EventRefused
from argocd_agent.peer.link import Link, payload_of
from argocd_agent.protocol.capabilities import Capability
from argocd_agent.protocol.events import Event, EventType
from argocd_agent.protocol.names import EXTENSION_REMAINING
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.kubepaths import KubePath, path_of
from argocd_agent.wire.requests import Credit, ResourceRequest

log = get_log("Resources", "resource-proxy")

AT_ONCE, WAITING, WATCHES = 128, 1024, 256
PATIENCE_SECONDS = 28.0  # of a hub of the reference, less the way back
LONGEST_SECONDS = 300.0
OURS_OF_IT = 0.95  # what remains is for the way back: a late word is better than none
SWITCHED_OFF = "live objects are not served by this agent: --enable-resource-proxy is false there"


@dataclass(slots=True)
class _Running:
    """One request that is being served."""

    task: asyncio.Task[None]
    answers: Answers


class Resources:
    """Serves the requests that come on *link* by *operations*; None: switched off, which every answer says."""

    def __init__(self, link: Link, operations: Operations | None) -> None:
        self._link, self._operations = link, operations
        self._running: dict[str, _Running] = {}
        self._slots, self._waiting, self._watches = asyncio.Semaphore(AT_ONCE), 0, 0
        self._clock = asyncio.get_running_loop().time

    def __len__(self) -> int:
        """How many requests are being served."""
        return len(self._running)

    async def handle(self, event: Event) -> None:
        """Serve a request, or do what a later event says about one. Raises `EventDiscarded`, `EventRefused`."""
        match event.type:
            case EventType.CANCEL:
                self._of(event).task.cancel()
            case EventType.CREDIT:
                self._of(event).answers.allow_more(payload_of(event, Credit).parts)
            case _:
                await self._serve(event)

    def _of(self, event: Event) -> _Running:
        running = self._running.get(event.event_id)
        if running is None:
            raise EventDiscarded(f"request {event.event_id}: it is not being served, or no more")
        return running

    async def _serve(self, event: Event) -> None:
        deadline = self._clock() + _remaining_seconds(event)
        if event.event_id in self._running:
            raise EventDiscarded(f"request {event.event_id}: it is being served already")
        if deadline <= self._clock():
            raise EventDiscarded(f"request {event.event_id}: its deadline had passed before it came")
        try:
            request = payload_of(event, ResourceRequest)
        except EventRefused as error:
            Answers(self._link, event, 0).refuse(400, str(error))
            raise
        answers = Answers(self._link, event, request.credit if self._is_ours else 0)
        # A task of its own: what is cancelled is this request, not the session's handling of its event.
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self._answer(event, request, answers, deadline), name=f"answer {event.event_id}")
            self._running[event.event_id] = _Running(task, answers)
            task.add_done_callback(lambda _: self._running.pop(event.event_id, None))

    async def _answer(self, event: Event, request: ResourceRequest, answers: Answers, deadline: float) -> None:
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                if self._operations is None:
                    answers.refuse(403, SWITCHED_OFF)
                    return
                operation = self._operation(event, request)
                _tell(operation)
                if not operation.is_watch:
                    async with self._slot():
                        answer = await self._operations.carry_out(operation)
                    limit.reschedule(None)  # what is known is given as fast as it is taken
                    await answers.give(_in_terms_of(operation, answer))
                    return
                await self._watch(operation, answers, limit)
        except ClusterError as error:
            answers.refuse(error.code, "; ".join([str(error), *getattr(error, "__notes__", ())]))
        except TimeoutError:
            if not limit.expired():
                raise
            answers.refuse(504, f"{request.method or event.type}: this cluster's API did not answer in time")

    async def _watch(self, operation: Operation, answers: Answers, limit: asyncio.Timeout) -> None:
        assert self._operations is not None, "nothing is watched when switched off"
        if self._watches >= WATCHES:
            raise _too_many(f"{WATCHES} watches are open on this cluster already")
        self._watches += 1
        try:
            async with contextlib.aclosing(self._operations.watch(operation)) as pieces:
                async for piece in pieces:
                    limit.reschedule(None)
                    if piece.status != 200:
                        await answers.give(piece)
                        return
                    await answers.give_piece(piece)
        finally:
            self._watches -= 1
        answers.end()

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """A place among those that are carried out."""
        if self._slots.locked() and self._waiting >= WAITING:
            raise _too_many(f"{AT_ONCE} live requests are under way on this cluster and {WAITING} wait")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    @property
    def _is_ours(self) -> bool:
        return self._link.peer.can(Capability.LIVE)

    def _operation(self, event: Event, request: ResourceRequest) -> Operation:
        """What *request* asks for. Raises `BadRequest` where it cannot be a request at all."""
        path = KubePath(
            is_core=not request.group and (bool(request.version) or request.core),
            group=request.group,
            version=request.version,
            namespace=request.namespace,
            resource=request.resource,
            name=request.name,
            subresource=request.subresource,
        )
        try:
            where = path_of(path)
        except DecodeError as error:
            raise BadRequest(str(error)) from error
        user = User(request.user, request.groups, request.user_uid) if request.user and self._is_ours else None
        if any(not text.isprintable() or not text.isascii() for text in _words(user)):
            raise BadRequest("the user to act for: expected printable ASCII in its name, groups and uid")
        return Operation(request, path, where, request.method or event.type, user, self._is_ours)


def _words(user: User | None) -> tuple[str, ...]:
    return () if user is None else (user.name, user.uid, *user.groups)


def _remaining_seconds(event: Event) -> float:
    text = event.extensions.get(EXTENSION_REMAINING, "")
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        return PATIENCE_SECONDS
    return min(int(text) / 1000 * OURS_OF_IT, LONGEST_SECONDS)


def _in_terms_of(operation: Operation, answer: RawAnswer) -> RawAnswer:
    """*answer* as the contract has it: every success is 200, and that of a deletion is empty for the reference."""
    if not 200 <= answer.status < 300:
        return answer
    is_empty = operation.method == "DELETE" and not operation.is_ours
    return RawAnswer(200, b"" if is_empty else answer.body, answer.content_type)


def _tell(operation: Operation) -> None:
    """Into the log: at info who acts for whom and what is changed, at debug what is only looked at."""
    said: dict[str, object] = {fields.METHOD: operation.method, fields.PATH: operation.where}
    if operation.user is not None:
        said |= {fields.USER: operation.user.name, fields.GROUPS: ",".join(operation.user.groups)}
    if operation.user is not None or operation.method != "GET":
        log.info("A live request from the hub", said)
    else:
        log.debug("A live request from the hub", said)


def _too_many(what: str) -> ClusterError:
    error = ClusterError(f"{what}: try again later")
    error.code = 503
    return error
