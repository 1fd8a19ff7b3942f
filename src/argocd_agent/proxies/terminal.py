"""Web terminals: Argo CD's WebSocket joined with the call of an agent, until either end has enough.

Known by a uuid of its own, and only the agent that it was asked of may answer. What comes on one side is taken when
what came before has been written on the other, so that neither can flood the other through us. The end is said on the
error channel, as a cluster says it: from that Argo CD knows that a shell is missing, and tries the next one.

The HTTP server must cancel a handler whose client has gone (`handler_cancellation`).
"""

import asyncio
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from aiohttp import WSCloseCode, WSMsgType, web

from argocd_agent.errors import StreamClosed, TransportError
from argocd_agent.protocol.events import AgentName, Event, EventId, EventType, ResourceId, Target
from argocd_agent.protocol.modes import Mode
from argocd_agent.proxies.reach import PodPath, Reach, Reached, not_connected, refused
from argocd_agent.proxies.recording import Recording, Subject, Unrecorded, record
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.transport.framestream import TerminalStream
from argocd_agent.transport.gate import Identity, UnknownRequest
from argocd_agent.wire.datastreams import TerminalFrame
from argocd_agent.wire.execframes import (
    PROTOCOLS,
    SUCCESS,
    Ended,
    choose,
    ended_of_text,
    ending_to_client,
    from_client,
    to_client,
)
from argocd_agent.wire.payloads import encode
from argocd_agent.wire.requests import MAX_COMMAND_WORDS, ContainerTerminalRequest

log = get_log("ResourceProxy")

ANSWER_SECONDS = 30.0  # how long an agent's call is waited for
LARGEST_MESSAGE_BYTES = 1 << 20
MANAGED_ONLY = "web terminal is only supported for managed agents"  # the reference's words


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`total_seconds` ends any terminal, `idle_seconds` one over which nothing passes (0: never). `recordings` is the
    folder to record them in; None: they are not recorded."""

    sessions: int
    total_seconds: float = 1800.0
    idle_seconds: float = 0.0
    recordings: Path | None = None
    recording_bytes: int = 64 << 20


class _ClientGone(Exception):
    """The WebSocket was closed from the other end."""


class _Session:
    """One terminal: the agent's call, once it comes, and what it waits for then."""

    def __init__(self, agent: AgentName, request: ContainerTerminalRequest) -> None:
        self.agent, self.request = agent, request
        loop = asyncio.get_running_loop()
        self.call: asyncio.Future[TerminalStream] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()

    def end(self) -> None:
        """Let go of the agent's call. Calling it twice is fine."""
        self.call.cancel()
        if not self.over.done():
            self.over.set_result(None)


class Terminals:
    """Serves requests for terminals of any agent."""

    def __init__(self, reach: Reach, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self._reach, self._limits, self._clock = reach, limits, clock
        self._sessions: dict[str, _Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    async def __call__(self, agent: AgentName, request: web.Request, path: PodPath) -> web.StreamResponse:
        """Answer a GET of `pods/<name>/exec`."""
        reached = self._reach(agent)
        if reached is None:
            return not_connected(agent)
        protocol = choose(_offered(request))
        if problem := self._problem(reached, request, path, protocol):
            return problem
        wanted = _wanted(request, path)
        try:
            recording = await self._recording(agent, request, wanted)
        except OSError as error:
            log.error(
                "A terminal was refused, because it cannot be recorded", {fields.AGENT: agent, fields.ERROR: str(error)}
            )
            return refused(500, "terminals are recorded here, and this one cannot be: see the principal's log")
        session = self._sessions[wanted.uuid] = _Session(agent, wanted)
        try:
            return await self._serve(session, reached, request, protocol or PROTOCOLS[-1], recording)
        finally:
            del self._sessions[wanted.uuid]
            session.end()
            await asyncio.shield(recording.close())

    async def stream(self, identity: Identity, stream: TerminalStream) -> None:
        """Take the call of an agent, as `Gate.terminal_stream`."""
        first = await stream.receive()
        session = self._sessions.get(first.request_uuid)
        if session is None or session.agent != identity.agent or session.call.done():
            about = {fields.AGENT: identity.agent, fields.UID: first.request_uuid}
            log.debug("An agent opened a terminal that nobody asked it for", about)
            raise UnknownRequest
        session.call.set_result(stream)
        await asyncio.shield(session.over)

    def agent_lost(self, agent: AgentName) -> None:
        """The session of *agent* has ended: an answer that has not begun will not come."""
        for session in self._sessions.values():
            if session.agent == agent and not session.call.done():
                session.call.set_exception(StreamClosed(f"agent {agent} is not connected any more"))
                session.call.exception()  # seen: its browser may have gone, and then nobody asks

    def _problem(
        self, reached: Reached, request: web.Request, path: PodPath, protocol: str | None
    ) -> web.Response | None:
        """Why there can be no such terminal. None: there can."""
        if reached.mode is not Mode.MANAGED and reached.is_reference:
            return refused(400, MANAGED_ONLY)
        if not path.namespace or not path.name:
            return refused(400, "a terminal: expected a namespace and a pod")
        if protocol is None or not web.WebSocketResponse(protocols=PROTOCOLS).can_prepare(request):
            return refused(400, f"a terminal: expected a WebSocket upgrade that offers one of {', '.join(PROTOCOLS)}")
        if len(request.query.getall("command", [])) > MAX_COMMAND_WORDS:
            return refused(400, f"a terminal: expected at most {MAX_COMMAND_WORDS} words of a command")
        if len(self._sessions) >= self._limits.sessions:
            return refused(503, f"{self._limits.sessions} terminals are open already (--terminal-max-sessions)")
        return None

    async def _recording(self, agent: AgentName, request: web.Request, wanted: ContainerTerminalRequest) -> Recording:
        folder = self._limits.recordings
        if folder is None:
            return Unrecorded()
        subject = Subject(
            agent=agent,
            namespace=wanted.namespace,
            pod=wanted.pod_name,
            container=wanted.container_name,
            command=shlex.join(wanted.command),
            user=request.headers.get("Impersonate-User", ""),
            uuid=wanted.uuid,
        )
        clock = asyncio.get_running_loop().time
        return await record(folder, subject, limit_bytes=self._limits.recording_bytes, clock=clock, now=self._clock())

    async def _serve(
        self, session: _Session, reached: Reached, request: web.Request, protocol: str, recording: Recording
    ) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=(protocol,), max_msg_size=LARGEST_MESSAGE_BYTES)
        about = {
            fields.AGENT: session.agent,
            fields.UID: session.request.uuid,
            fields.NAMESPACE: session.request.namespace,
            fields.NAME: session.request.pod_name,
        }
        reached.send(_event(session.request))
        await socket.prepare(request)
        log.info("A terminal was opened", about)
        reason = "the browser has gone"
        try:
            ended = await self._joined(session, socket, recording)
            session.end()  # before the farewell, which takes its time with a browser that does not answer
            reason = ended.message or "the command has ended"
            message = ending_to_client(ended, protocol)
            if message is not None:
                await socket.send_bytes(message)
            await socket.close(code=WSCloseCode.OK)
        except (_ClientGone, ConnectionResetError):
            await socket.close()
        except OSError as error:
            reason = f"it could not be recorded any more: {error}"
            await socket.close(code=WSCloseCode.INTERNAL_ERROR)
        finally:
            log.info("A terminal was closed", about | {fields.REASON: reason})
        return socket

    async def _joined(self, session: _Session, socket: web.WebSocketResponse, recording: Recording) -> Ended:
        """Pass on both ways until it ends; how. Raises `_ClientGone`, ConnectionResetError; OSError of a recording."""
        limits, clock = self._limits, asyncio.get_running_loop().time
        whole = asyncio.timeout(limits.total_seconds)
        idle = asyncio.timeout(limits.idle_seconds or None)

        def happened() -> None:
            if limits.idle_seconds and not idle.expired():
                idle.reschedule(clock() + limits.idle_seconds)

        both = _Both(session, socket, recording, happened)
        try:
            async with whole, idle:
                return await both.run()
        except TimeoutError:
            if whole.expired():
                return Ended(None, f"the terminal was closed: it may be open for {limits.total_seconds:g} s")
            return Ended(None, f"the terminal was closed: nothing happened in it for {limits.idle_seconds:g} s")


class _Both:
    """Both directions of one terminal. *happened* is called when something passes."""

    def __init__(
        self, session: _Session, socket: web.WebSocketResponse, recording: Recording, happened: Callable[[], None]
    ) -> None:
        self._session, self._socket, self._recording, self._happened = session, socket, recording, happened

    async def run(self) -> Ended:
        """How it ended, said by the agent."""
        typed: asyncio.Queue[TerminalFrame] = asyncio.Queue(maxsize=100)
        try:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(self._read(typed), name="input of a terminal")
                ended = await self._answered(tasks, typed)
                reading.cancel()
        except BaseExceptionGroup as group:
            raise _first(group) from None
        return ended

    async def _answered(self, tasks: asyncio.TaskGroup, typed: asyncio.Queue[TerminalFrame]) -> Ended:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                stream = await asyncio.shield(self._session.call)
        except TimeoutError:
            return Ended(None, f"agent {self._session.agent} did not answer within {ANSWER_SECONDS:g} s")
        except TransportError as error:
            return Ended(None, str(error))
        sending = tasks.create_task(_send(stream, typed), name="send input of a terminal")
        try:
            return await self._show(stream)
        except TransportError as error:
            return Ended(None, f"the connection to agent {self._session.agent} was lost: {error}")
        finally:
            sending.cancel()

    async def _show(self, stream: TerminalStream) -> Ended:
        while True:
            frame = await stream.receive()
            self._happened()
            if frame.error:
                return ended_of_text(frame.error)
            message = to_client(frame)
            if message is not None:
                await self._socket.send_bytes(message)
                await self._recording.shown(frame.data)
            if frame.is_end:
                return SUCCESS

    async def _read(self, typed: asyncio.Queue[TerminalFrame]) -> None:
        while True:
            message = await self._socket.receive()
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                raise _ClientGone
            data = message.data if isinstance(message.data, bytes) else message.data.encode()
            frame = from_client(data, self._session.request.uuid)
            if frame is None:
                continue
            self._happened()
            if frame.is_resize:
                await self._recording.resized(frame.columns, frame.rows)
            await typed.put(frame)


async def _send(stream: TerminalStream, typed: asyncio.Queue[TerminalFrame]) -> None:
    try:
        while True:
            await stream.send(await typed.get())
    except TransportError:  # whoever receives from it says what happened
        return


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What ended it: of several, a defect before what is expected."""
    flat = [_first(error) if isinstance(error, BaseExceptionGroup) else error for error in group.exceptions]
    expected = (_ClientGone, OSError)
    return next((error for error in flat if not isinstance(error, expected)), flat[0])


def _offered(request: web.Request) -> tuple[str, ...]:
    header = ",".join(request.headers.getall("Sec-WebSocket-Protocol", []))
    return tuple(protocol.strip() for protocol in header.split(",") if protocol.strip())


def _event(wanted: ContainerTerminalRequest) -> Event:
    return Event(
        target=Target.TERMINAL,
        type=EventType.TERMINAL_REQUEST,
        resource_id=ResourceId(wanted.uuid),
        event_id=EventId(wanted.uuid),
        data=encode(wanted),
    )


def _wanted(request: web.Request, path: PodPath) -> ContainerTerminalRequest:
    return ContainerTerminalRequest(
        uuid=str(uuid4()),
        namespace=path.namespace,
        pod_name=path.name,
        container_name=request.query.get("container", ""),
        command=tuple(request.query.getall("command", [])),
        tty=True,
        stdin=True,
        stdout=True,
        stderr=True,
    )
