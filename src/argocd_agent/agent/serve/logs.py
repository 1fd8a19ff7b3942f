"""Container logs for the hub: each request read from the cluster and sent over a call of its own.

A static log that breaks off is told to the hub, and is not sent again. A followed one goes on: over the next call
where that ends, and from the cluster anew where that ends, without a gap and without a line twice (`cursor`). It ends
when the hub says that nobody wants it any more, when the container has nothing more to say, or when it could not go on
for 30 s. The cluster is read only as fast as the hub takes.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import replace

from argocd_agent.agent.serve.cursor import Cursor
from argocd_agent.agent.serve.ports import HubCalls, IsAllowed
from argocd_agent.agent.serve.running import Running, transport_error
from argocd_agent.backends.pods import LogOptions, Pods
from argocd_agent.errors import (
    AuthenticationFailed,
    ClusterError,
    DecodeError,
    EventDiscarded,
    EventRefused,
    TransportError,
)
from argocd_agent.peer.link import payload_of
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.events import Event
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.transport.framestream import LogUpload
from argocd_agent.transport.gate import CallerGone, UnknownRequest
from argocd_agent.wire.datastreams import LARGEST_DATA_BYTES, LogFrame
from argocd_agent.wire.requests import ContainerLogRequest
from argocd_agent.wire.timestamps import format_time, parse_nanoseconds

log = get_log("Agent")

# Wire contract, 7.1: 200 ms, doubled up to 5 s, each half as long to half as long again; 30 s without success end it.
RETRY = Backoff(first=0.2, factor=2.0, ceiling=5.0)
GIVE_UP_SECONDS = 30.0
LOGIN_SECONDS = 10.0  # how long a new login is waited for
# A hub of the reference says nothing when a call begins: if it does not want it, it says so within this.
REFUSAL_SECONDS = 0.5


class LogServer:
    """Serves requests for logs. `run` must be running."""

    def __init__(
        self,
        pods: Pods,
        calls: HubCalls,
        is_allowed: IsAllowed,
        *,
        limit: int,
        is_enabled: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pods, self._calls, self._is_allowed = pods, calls, is_allowed
        self._limit, self._is_enabled, self._clock = limit, is_enabled, clock
        self.running = Running("log", limit)

    async def run(self) -> None:
        """Let requests be served, until cancelled."""
        await self.running.run()

    async def handle(self, event: Event) -> None:
        """Begin to serve the request in *event*. Raises `EventRefused`, `EventDiscarded`."""
        request = payload_of(event, ContainerLogRequest)
        if not (request.uuid and request.namespace and request.pod_name):
            raise EventRefused("a request for a log: expected uuid, namespace and podName")
        if request.uuid in self.running:
            raise EventDiscarded(f"log {request.uuid} is being served already")
        if self.running.is_overrun:
            raise EventRefused(f"log {request.uuid}: {2 * self._limit} logs are being served")
        refusal = ""
        if not self._is_enabled:
            refusal = "container logs are switched off on this agent (--logs-enable)"
        elif self.running.is_full:
            refusal = f"this agent serves {self._limit} logs already (--logs-max-sessions)"
        self.running.start(request.uuid, self._serve(_Log(request, self._clock()), refusal))

    async def _serve(self, one: "_Log", refusal: str) -> None:
        clock = asyncio.get_running_loop().time
        attempt, position, failing_since = 0, 0, clock()
        while True:
            try:
                await self._once(one, refusal)
                return
            except (UnknownRequest, CallerGone) as error:
                log.debug("Nobody wants a log any more", one.about | {fields.REASON: str(error)})
                return
            except TransportError as error:
                if one.told:
                    log.info("A log could not be read, and the hub was told", one.about | {fields.ERROR: one.told})
                    return
                if one.cursor.position > position:
                    attempt, position, failing_since = 0, one.cursor.position, clock()
                attempt += 1
                if not await self._again(one, error, attempt, failing_since + GIVE_UP_SECONDS):
                    return

    async def _again(self, one: "_Log", error: TransportError, attempt: int, until: float) -> bool:
        """Whether to go on after *error*, once there is something to go on with."""
        if isinstance(error, AuthenticationFailed):
            await self._calls.renew(str(error))
        about = one.about | {fields.REASON: str(error)}
        if not one.request.follow:
            log.warning("A log could not be sent to its end", about)
            return False
        now = asyncio.get_running_loop().time()
        if isinstance(error, AuthenticationFailed):
            until = min(until, now + LOGIN_SECONDS)
        try:
            async with asyncio.timeout_at(until):
                await _pause(RETRY.delay(attempt) * random.uniform(0.5, 1.5))
                await self._calls.connected()
        except TimeoutError:
            log.warning("A followed log could not go on and is given up", about)
            return False
        one.is_resumed = True
        log.info("A followed log goes on over a new call", about)
        return True

    async def _once(self, one: "_Log", refusal: str) -> None:
        """Send it over one call, to its end. Raises `TransportError`."""
        upload = await self._calls.log(one.uuid)
        try:
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(self._send(one, upload, refusal), name=f"send log {one.uuid}")
                await upload.answer()
                sending.cancel()
        except BaseExceptionGroup as group:
            error = transport_error(group)
            if error is None:
                raise
            raise error from None
        finally:
            upload.cancel()

    async def _send(self, one: "_Log", upload: LogUpload, refusal: str) -> None:
        try:
            if one.is_resumed and upload.arrived_bytes is None:
                await _pause(REFUSAL_SECONDS)
            lost = one.resume(upload.arrived_bytes) if one.is_resumed else ""
            last = LogFrame(one.uuid, is_end=True, error=refusal or lost or await self._read(one, upload))
            await upload.send(last)
            one.told = last.error
            await upload.finish()
        except TransportError as error:  # `answer` says why the call has ended
            log.debug("A call for a log ended while it was sent", one.about | {fields.ERROR: str(error)})

    async def _read(self, one: "_Log", upload: LogUpload) -> str:
        """Send the log; what went wrong with it on the side of the cluster, empty for nothing."""
        attempt, until = 0, 0.0
        try:
            if not await self._is_allowed(one.request.namespace, one.request.pod_name):
                return f"pod {one.request.namespace}/{one.request.pod_name} does not belong to an Application"
        except ClusterError as error:
            return str(error)
        while True:
            position = one.cursor.position
            try:
                await self._read_once(one, upload)
                return ""
            except ClusterError as error:
                now = asyncio.get_running_loop().time()
                if one.cursor.position > position:
                    attempt = 0
                if not one.request.follow or not error.retryable or not one.has_begun:
                    return str(error)
                until = until if attempt else now + GIVE_UP_SECONDS
                attempt += 1
                log.info("A followed log broke off and is read again", one.about | {fields.ERROR: str(error)})
                pause = RETRY.delay(attempt) * random.uniform(0.5, 1.5)
                if now + pause > until:
                    return str(error)
                await _pause(pause)
                if lost := one.resume(one.cursor.position):
                    return lost

    async def _read_once(self, one: "_Log", upload: LogUpload) -> None:
        async with self._pods.log(one.options) as pieces:
            one.has_begun = True
            await upload.send(LogFrame(one.uuid))  # it is there, although it may have nothing to say yet
            async for piece in pieces:
                if await self._hand_over(one, upload, one.read(piece)):
                    return
            await self._hand_over(one, upload, one.rest())

    async def _hand_over(self, one: "_Log", upload: LogUpload, data: bytes) -> bool:
        """Send *data*, in pieces. Whether that was all that was asked for."""
        data, is_all = one.within_limit(data)
        for at in range(0, len(data), LARGEST_DATA_BYTES):
            await upload.send(LogFrame(one.uuid, data[at : at + LARGEST_DATA_BYTES]))
        return is_all


class _Log:
    """One request, and how far it has got. Only a followed log is looked into: others pass as they are."""

    def __init__(self, request: ContainerLogRequest, now: float) -> None:
        self.request, self.uuid, self._asked_at = request, request.uuid, now
        self.cursor = Cursor(keeps_timestamps=request.timestamps)
        self.is_resumed = self.has_begun = False
        self.told = ""  # what the hub was told is wrong with it
        self.about: dict[str, object] = {
            fields.UID: request.uuid,
            fields.NAMESPACE: request.namespace,
            fields.NAME: request.pod_name,
        }
        self.options = LogOptions(
            namespace=request.namespace,
            pod=request.pod_name,
            container=request.container,
            follow=request.follow,
            previous=request.previous,
            timestamps=request.timestamps or request.follow,
            skips_backend_verification=request.insecure_skip_tls_verify_backend,
            tail_lines=request.tail_lines,
            since_seconds=request.since_seconds,
            since_time=_time_or_nothing(request.since_time),
            limit_bytes=None if request.follow else request.limit_bytes,
        )

    def resume(self, arrived_bytes: int | None) -> str:
        """The log will be read again. Why it cannot be; empty: it can."""
        try:
            since = self.cursor.resume(arrived_bytes)
        except ValueError as error:
            return f"the log cannot go on without a gap: {error}"
        if since is not None:
            self.options = replace(self.options, since_time=format_time(since), since_seconds=None, tail_lines=None)
        elif self.options.since_seconds is not None:  # it meant then, not now
            since_time = format_time(self._asked_at - self.options.since_seconds)
            self.options = replace(self.options, since_time=since_time, since_seconds=None)
        elif self.options.tail_lines == 0:  # what came since then is wanted, and nothing before
            self.options = replace(self.options, since_time=format_time(self._asked_at), tail_lines=None)
        return ""

    def read(self, piece: bytes) -> bytes:
        """What to send for *piece*."""
        return self.cursor.feed(piece) if self.request.follow else piece

    def rest(self) -> bytes:
        """What to send at the end."""
        return self.cursor.rest() if self.request.follow else b""

    def within_limit(self, data: bytes) -> tuple[bytes, bool]:
        """*data*, cut where more was not asked for, and whether it was. The cluster counts timestamps too, so the
        limit of a followed log is kept here."""
        limit = self.request.limit_bytes
        if limit is None or not self.request.follow or self.cursor.position < limit:
            return data, False
        return data[: max(0, len(data) - (self.cursor.position - limit))], True


def _time_or_nothing(text: str) -> str:
    """*text*, if it is a time; the reference ignores what is none."""
    try:
        parse_nanoseconds(text)
    except DecodeError:
        return ""
    return text


async def _pause(seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().create_future()
    except TimeoutError:
        return
