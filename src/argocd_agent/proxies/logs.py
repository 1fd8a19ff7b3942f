"""Container logs: what an agent sends of them, passed on to whoever asked for them, frame by frame.

A request is known by a uuid of its own, and only the agent that it was sent to may answer it. The next frame is taken
when the one before has been written, so that a slow reader slows down the agent, and nothing is held here. A followed
log that is cut waits for the agent to go on with it: it is told how many bytes have arrived, and sends what follows
them. When the reader goes away the agent is told so at once.

The status line waits for the first word of the agent, a short while: where the log cannot be read the reader is told,
which the reference, with its answer given in advance, cannot do. And where a log breaks off the connection does too:
a truncated log must not look like a whole one.

The HTTP server must cancel a handler whose client has gone (`handler_cancellation`).
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TypeVar
from uuid import uuid4

from aiohttp import web

from argocd_agent.errors import StreamClosed, TransportError
from argocd_agent.protocol.events import AgentName, Event, EventId, ResourceId, Target
from argocd_agent.protocol.names import METADATA_LOG_BYTES
from argocd_agent.proxies.reach import PodPath, Reach, failed, not_connected, refused
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.transport.framestream import LogStream
from argocd_agent.transport.gate import CallerGone, Identity, StreamCut, StreamFailed, UnknownRequest
from argocd_agent.wire.datastreams import LogFrame, LogReply
from argocd_agent.wire.payloads import encode
from argocd_agent.wire.requests import ContainerLogRequest
from argocd_agent.wire.timestamps import format_sent_at

log = get_log("ResourceProxy")

STATIC_SECONDS = 180.0
TIMEOUT_LINE = "Timeout fetching logs from agent"  # the reference's words
FIRST_WORD_SECONDS = 2.0  # how long the status line waits: an agent of the reference says nothing of an empty log
RESUME_SECONDS = 60.0  # an agent gives up after 30 s; of one that is not back by then nothing more will come

_HEADERS = {
    "Content-Type": "text/plain; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "Connection": "keep-alive",
}

_T = TypeVar("_T")


class _Call:
    """One call of an agent for a log. `first` is its first frame; `outcome` is what the call is to end with."""

    def __init__(self, stream: LogStream, first: LogFrame) -> None:
        self.stream, self.first = stream, first
        self._is_accepted = False
        self.outcome: asyncio.Future[LogReply] = asyncio.get_running_loop().create_future()

    async def accept(self, arrived_bytes: int) -> None:
        """Tell the agent from where to go on, if it has not been told yet. Raises `StreamClosed`."""
        if not self._is_accepted:
            self._is_accepted = True
            await self.stream.accept({METADATA_LOG_BYTES: str(arrived_bytes)})

    def end(self, outcome: LogReply | TransportError) -> None:
        """End it, if it has not ended yet."""
        if self.outcome.done():
            return
        if isinstance(outcome, LogReply):
            self.outcome.set_result(outcome)
        else:
            self.outcome.set_exception(outcome)
            self.outcome.exception()  # seen: the call may have been lost meanwhile, and then nobody asks


class _Session:
    """One request, and the calls that its agent answers it with."""

    def __init__(self, agent: AgentName, request: ContainerLogRequest) -> None:
        self.agent, self.request = agent, request
        self.arrived_bytes = 0
        self.is_writing = False  # then the number above is exact, however long the reader takes
        self.is_agent_lost = False  # before it answered
        self.current: _Call | None = None
        self._offered: _Call | None = None
        self._changed = asyncio.Event()
        self.until = asyncio.get_running_loop().time() + STATIC_SECONDS
        """How long a call is waited for."""

    def offer(self, call: _Call) -> None:
        """The agent answers, perhaps again: then the call before has been cut, and we do not know yet."""
        for before in (self.current, self._offered):
            if before is not None:
                before.stream.lost("another call took its place")
                before.end(StreamCut("another call took its place"))
        self._offered = call
        self._changed.set()

    def agent_lost(self) -> None:
        """The agent's session has ended: an answer that has not begun may never come."""
        if self.current is None and self._offered is None:
            self.is_agent_lost = True
            self.until = asyncio.get_running_loop().time() + (RESUME_SECONDS if self.request.follow else 0.0)
            self._changed.set()

    async def next(self) -> _Call:
        """The next call. Raises TimeoutError when none has come in time."""
        while self._offered is None:
            self._changed.clear()
            async with asyncio.timeout_at(self.until):
                await self._changed.wait()
        self.current, self._offered = self._offered, None
        return self.current

    def close(self, reason: TransportError) -> None:
        """Nobody wants it any more."""
        for call in (self.current, self._offered):
            if call is not None:
                call.end(reason)


class Logs:
    """Serves requests for logs of any agent; at most *limit* at one time, more are refused."""

    def __init__(self, reach: Reach, *, limit: int, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._reach, self._limit, self._clock_ns = reach, limit, clock_ns
        self._sessions: dict[str, _Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    async def __call__(self, agent: AgentName, request: web.Request, path: PodPath) -> web.StreamResponse:
        """Answer a GET of `pods/<name>/log`."""
        if not path.namespace or not path.name:
            return refused(400, "a log: expected a namespace and a pod")
        reached = self._reach(agent)
        if reached is None:
            return not_connected(agent)
        if len(self._sessions) >= self._limit:
            return refused(503, f"{self._limit} logs are being passed on already (--logs-max-sessions)")
        wanted = _wanted(request, path)
        session = self._sessions[wanted.uuid] = _Session(agent, wanted)
        answer = _Answer(request, session, self._clock_ns)
        reason: TransportError = CallerGone("client disconnected")
        try:
            reached.send(_event(request.method, wanted))
            return await answer.run()
        except ConnectionResetError:
            reason = CallerGone("HTTP write failed")
            return answer.response
        finally:
            del self._sessions[wanted.uuid]
            session.close(reason)

    async def stream(self, identity: Identity, stream: LogStream) -> LogReply:
        """Take one call of an agent, as `Gate.log_stream`."""
        first = await stream.receive()
        session = self._sessions.get(first.request_uuid)
        if session is None or session.agent != identity.agent:
            about = {fields.AGENT: identity.agent, fields.UID: first.request_uuid}
            log.debug("An agent sent a log that nobody asked it for", about)
            raise UnknownRequest
        call = _Call(stream, first)
        session.offer(call)
        if session.is_writing:  # to a reader that may take long; the agent would give up
            await call.accept(session.arrived_bytes)
        return await call.outcome

    def agent_lost(self, agent: AgentName) -> None:
        """The session of *agent* has ended."""
        for session in self._sessions.values():
            if session.agent == agent:
                session.agent_lost()


class _Answer:
    """The HTTP side of one session."""

    def __init__(self, request: web.Request, session: _Session, clock_ns: Callable[[], int]) -> None:
        self._request, self._session, self._clock_ns = request, session, clock_ns
        self._clock = asyncio.get_running_loop().time
        self.response: web.StreamResponse = web.StreamResponse(headers=_HEADERS)
        self._first_word_by = self._clock() + FIRST_WORD_SECONDS

    async def run(self) -> web.StreamResponse:
        """Pass on what comes, to its end."""
        while True:
            try:
                call = await self._next_call()
                await call.accept(self._session.arrived_bytes)
                is_whole = await self._pass_on(call)
            except TimeoutError:
                return await self._timed_out()
            except StreamClosed as error:
                cut = self._session.current
                if cut is not None:
                    cut.end(StreamCut(str(error)))
                if not self._session.request.follow:
                    return self._broken(str(error))
                self._session.current = None
                self._session.until = self._clock() + RESUME_SECONDS
            else:
                return await self._finished() if is_whole else self.response

    async def _next_call(self) -> _Call:
        if self.response.prepared:
            return await self._session.next()
        coming = asyncio.create_task(self._session.next(), name="wait for an agent's call")
        return await self._with_first_word(coming)

    async def _pass_on(self, call: _Call) -> bool:
        """Whether the log has come whole; False: it failed, and the answer says so. Raises `StreamClosed` where it was
        cut, TimeoutError where nothing came of one that should end."""
        uuid, frame = self._session.request.uuid, call.first
        while True:
            if frame.error:
                call.end(StreamFailed(frame.error))
                if frame.is_end or not self._session.request.follow or not self.response.prepared:
                    self.response = self._failed(frame.error)
                    return False
                raise StreamClosed(frame.error)
            if frame.data:
                await self._write(frame.data)
            if frame.is_end:
                call.end(LogReply(uuid, 200))
                return True
            frame = await self._receive(call)
            if not (frame.error or frame.is_end):  # it is there, even if it is empty
                await self._begin()

    async def _receive(self, call: _Call) -> LogFrame:
        if not self.response.prepared:
            coming = asyncio.create_task(call.stream.receive(), name="receive a log")
            return await self._with_first_word(coming)
        if self._session.request.follow:
            return await call.stream.receive()
        async with asyncio.timeout(STATIC_SECONDS):
            return await call.stream.receive()

    async def _with_first_word(self, coming: "asyncio.Task[_T]") -> "_T":
        """What *coming* gives; the status line is not held back for it any longer than it may be."""
        until = None if self._session.request.follow else self._clock() + STATIC_SECONDS
        try:
            done, _ = await asyncio.wait({coming}, timeout=max(0.0, self._first_word_by - self._clock()))
            if not done:
                await self._begin()
            async with asyncio.timeout_at(until):
                return await coming
        finally:
            coming.cancel()

    async def _write(self, data: bytes) -> None:
        session = self._session
        session.arrived_bytes += len(data)  # counted at once: from here on it is on its way to the reader
        session.is_writing = True
        try:
            await self._begin()
            await self.response.write(data)
        finally:
            session.is_writing = False

    async def _begin(self) -> None:
        if not self.response.prepared:
            await self.response.prepare(self._request)

    async def _finished(self) -> web.StreamResponse:
        await self._begin()
        await self.response.write_eof()
        return self.response

    async def _timed_out(self) -> web.StreamResponse:
        if self._session.arrived_bytes and self._session.request.follow:
            return self._broken("the agent did not go on with it")
        if self._session.is_agent_lost and not self.response.prepared:
            return not_connected(self._session.agent)
        await self._begin()
        stamp = f"{format_sent_at(self._clock_ns())} " if self._session.request.timestamps else ""
        await self.response.write(f"{stamp}{TIMEOUT_LINE}\n".encode())
        return await self._finished()

    def _failed(self, error: str) -> web.StreamResponse:
        return self._broken(error) if self.response.prepared else failed(error)

    def _broken(self, reason: str) -> web.StreamResponse:
        """End the answer so that it can be told from a whole one."""
        if not self.response.prepared:
            return failed(f"the agent's log broke off: {reason}")
        about = {fields.AGENT: self._session.agent, fields.REASON: reason, fields.UID: self._session.request.uuid}
        log.warning("A log broke off on its way from an agent", about)
        if self._request.transport is not None:
            self._request.transport.close()
        return self.response


def _event(method: str, wanted: ContainerLogRequest) -> Event:
    return Event(
        target=Target.CONTAINER_LOG,
        type=method,
        resource_id=ResourceId(wanted.uuid),
        event_id=EventId(wanted.uuid),
        data=encode(wanted),
    )


def _wanted(request: web.Request, path: PodPath) -> ContainerLogRequest:
    query = request.query

    def is_true(name: str) -> bool:
        return query.get(name, "").lower() == "true"

    def number(name: str) -> int | None:
        text = query.get(name, "")
        with contextlib.suppress(ValueError):
            if text.isascii() and len(text) < 20 and -(2**63) <= int(text) < 2**63:
                return int(text)
        return None

    return ContainerLogRequest(
        uuid=str(uuid4()),
        namespace=path.namespace,
        pod_name=path.name,
        container=query.get("container", ""),
        follow=is_true("follow"),
        tail_lines=number("tailLines"),
        since_seconds=number("sinceSeconds"),
        since_time=query.get("sinceTime", ""),
        timestamps=is_true("timestamps"),
        previous=is_true("previous"),
        insecure_skip_tls_verify_backend=is_true("insecureSkipTLSVerifyBackend"),
        limit_bytes=number("limitBytes"),
    )
