"""Terminals for the hub: a command in a pod, joined with a call to the hub, until either end has enough.

How the command ended is told as the reference tells it: an end without an error, or an error with its text, from which
the hub knows an exit code and a missing shell. A terminal is not taken up again after its connection was lost.
"""

import asyncio

from argocd_agent.agent.serve.ports import HubCalls, IsAllowed
from argocd_agent.agent.serve.running import Running, transport_error
from argocd_agent.backends.pods import Command, Exec, Pods
from argocd_agent.errors import (
    AuthenticationFailed,
    ClusterError,
    EventDiscarded,
    EventRefused,
    StreamClosed,
    TransportError,
)
from argocd_agent.peer.link import payload_of
from argocd_agent.protocol.events import Event
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.transport.framestream import TerminalStream
from argocd_agent.wire.datastreams import LARGEST_DATA_BYTES, STDIN, STDOUT, TerminalFrame
from argocd_agent.wire.execframes import Ended
from argocd_agent.wire.requests import ContainerTerminalRequest

log = get_log("Agent")

COLUMNS, ROWS = 80, 24  # until the browser says how large its window is
DEFAULT_COMMAND = ("sh",)
FAREWELL_SECONDS = 5.0  # how long the hub may take to end a call that has come to its end


class TerminalServer:
    """Serves requests for terminals. `run` must be running."""

    def __init__(
        self, pods: Pods, calls: HubCalls, is_allowed: IsAllowed, *, limit: int, is_enabled: bool = True
    ) -> None:
        self._pods, self._calls, self._is_allowed = pods, calls, is_allowed
        self._limit, self._is_enabled = limit, is_enabled
        self.running = Running("terminal", limit)

    async def run(self) -> None:
        """Let requests be served, until cancelled."""
        await self.running.run()

    async def handle(self, event: Event) -> None:
        """Begin to serve the request in *event*. Raises `EventRefused`, `EventDiscarded`."""
        request = payload_of(event, ContainerTerminalRequest)
        if not (request.uuid and request.namespace and request.pod_name):
            raise EventRefused("a request for a terminal: expected uuid, namespace and podName")
        if request.uuid in self.running:
            raise EventDiscarded(f"terminal {request.uuid} is being served already")
        if self.running.is_overrun:
            raise EventRefused(f"terminal {request.uuid}: {2 * self._limit} terminals are being served")
        refusal = ""
        if not self._is_enabled:
            refusal = "terminals are switched off on this agent (--terminal-enable)"
        elif self.running.is_full:
            refusal = f"this agent serves {self._limit} terminals already (--terminal-max-sessions)"
        self.running.start(request.uuid, self._serve(request, refusal))

    async def _serve(self, request: ContainerTerminalRequest, refusal: str) -> None:
        about = {
            fields.UID: request.uuid,
            fields.NAMESPACE: request.namespace,
            fields.NAME: request.pod_name,
        }
        stream: TerminalStream | None = None
        reason = "it was ended here"
        try:
            stream = await self._calls.terminal()
            await stream.send(TerminalFrame(request_uuid=request.uuid))
            log.info("A terminal begins", about)
            reason = await self._run(request, refusal, stream)
        except AuthenticationFailed as error:
            reason = str(error)
            await self._calls.renew(reason)
        except TransportError as error:
            reason = str(error)
        finally:
            if stream is not None:
                stream.lost("the terminal has ended")
            log.info("A terminal has ended", about | {fields.REASON: reason})

    async def _run(self, request: ContainerTerminalRequest, refusal: str, stream: TerminalStream) -> str:
        """Serve it; why it ended. Raises `TransportError` when the hub has ended it."""
        command: Exec = NotRun(refusal)
        if not refusal:
            command = await self._begun(request)
        last: TerminalFrame | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                typing = tasks.create_task(_type(stream, command), name=f"input of terminal {request.uuid}")
                last = _last(request.uuid, await _show(request.uuid, command, stream))
                await stream.send(last)
                # The hub ends the call when it has taken that. Who reads from a call cannot be stopped without ending
                # it, and what was sent may be lost then.
                await asyncio.wait({typing}, timeout=FAREWELL_SECONDS)
                typing.cancel()
        except BaseExceptionGroup as group:
            if (ending := transport_error(group)) is None:
                raise
            if last is None:
                raise ending from None
        finally:
            await command.close()
        return last.error or "the command has ended"

    async def _begun(self, request: ContainerTerminalRequest) -> Exec:
        place = f"{request.namespace}/{request.pod_name}"
        try:
            if not await self._is_allowed(request.namespace, request.pod_name):
                return NotRun(f"pod {place} does not belong to an Application")
            return await self._pods.exec(_command(request))
        except ClusterError as error:
            return NotRun(str(error))


class NotRun:
    """A command that was not run, for a reason."""

    def __init__(self, reason: str) -> None:
        self._ended = Ended(None, reason)

    async def write(self, data: bytes) -> None:
        """Nothing."""

    async def resize(self, columns: int, rows: int) -> None:
        """Nothing."""

    async def close_stdin(self) -> None:
        """Nothing."""

    async def read(self) -> Ended:
        """The reason."""
        return self._ended

    async def close(self) -> None:
        """Nothing."""


async def _show(uuid: str, command: Exec, stream: TerminalStream) -> Ended:
    """The command's output to the hub; how it ended."""
    try:
        await command.resize(COLUMNS, ROWS)
        while not isinstance(output := await command.read(), Ended):
            for at in range(0, len(output), LARGEST_DATA_BYTES):
                piece = output[at : at + LARGEST_DATA_BYTES]
                await stream.send(TerminalFrame(request_uuid=uuid, data=piece, stream_type=STDOUT))
    except ClusterError as error:
        return Ended(None, str(error))
    return output


async def _type(stream: TerminalStream, command: Exec) -> None:
    """What the hub sends to the command. Raises `TransportError` when the hub has no more to send."""
    while True:
        frame = await stream.receive()
        if frame.error:
            raise StreamClosed(f"the hub ended it: {frame.error}")
        try:
            if frame.is_end:
                await command.close_stdin()
            elif frame.is_resize:
                await command.resize(frame.columns, frame.rows)
            elif frame.data and frame.stream_type == STDIN:
                await command.write(frame.data)
        except ClusterError as error:  # whoever reads its output hears how it ended
            log.debug("Input for a terminal came too late", {fields.UID: frame.request_uuid, fields.ERROR: str(error)})


def _command(request: ContainerTerminalRequest) -> Command:
    return Command(
        namespace=request.namespace,
        pod=request.pod_name,
        container=request.container_name,
        words=request.command or DEFAULT_COMMAND,
        stdin=request.stdin,
        stdout=request.stdout,
        stderr=request.stderr,
        tty=request.tty,
    )


def _last(uuid: str, ended: Ended) -> TerminalFrame:
    if ended.is_success:
        return TerminalFrame(request_uuid=uuid, is_end=True)
    return TerminalFrame(request_uuid=uuid, error=ended.message or "the command ended, and nobody said how")
