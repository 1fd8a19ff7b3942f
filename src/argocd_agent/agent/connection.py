"""Dial, authenticate, subscribe, serve; and again, for as long as the agent runs.

Nothing that goes wrong out there ends the agent: it says what is wrong, waits a little at random, so that many agents
do not come at once, and tries again. New certificates end the session, and the next one is made with them.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass

from argocd_agent.agent.calls import Calls
from argocd_agent.agent.hublogin import HubLogin
from argocd_agent.errors import ConfigError, KeyMaterialError, TransportError
from argocd_agent.pki.subject import Subject, read_unverified
from argocd_agent.protocol.backoff import Reconnect
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import VERSION_PREFIX
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.telemetry.metrics import AgentMetrics
from argocd_agent.transport.channel import DialOptions, HubChannel, dial
from argocd_agent.transport.stream import EventStream
from argocd_agent.wire.messages import LoginReply, LoginRequest

log = get_log("Connector")

# A stream that ends sooner than this did not prove that the principal wants us: the pauses go on growing.
_PROVEN_SECONDS = 5.0

Serve = Callable[[EventStream, HubLogin, Callable[[], None]], Coroutine[None, None, str]]
"""Drives a session; calls its last argument when the principal has been heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to log in. An empty *version* announces what the principal says of itself."""

    method: str
    credentials: Mapping[str, str]
    mode: Mode
    version: str
    namespace: str


class Connection:
    """Keeps one session with the principal. *ready* waits until there is something to dial with."""

    def __init__(
        self,
        options: DialOptions,
        login: Login,
        *,
        ready: Callable[[], Awaitable[None]],
        serve: Serve,
        metrics: AgentMetrics,
        report: Callable[[str | None], None],
        calls: Calls | None = None,
    ) -> None:
        self._options, self._login, self._ready, self._serve = options, login, ready, serve
        self._metrics, self._report = metrics, report
        self.calls = Calls() if calls is None else calls
        self._renewed = asyncio.Event()
        self.is_connected = False

    def material_changed(self) -> None:
        """Certificates or the CA are new: what was made with the old ones is made again."""
        self._renewed.set()

    async def run(self) -> None:
        """Stay connected, until cancelled."""
        clock, retry = asyncio.get_running_loop().time, Reconnect()
        while True:
            await self._ready()
            self._renewed.clear()
            try:
                reason = await self._connect(retry)
            except (TransportError, KeyMaterialError, ConfigError) as error:
                reason = str(error)
            except ExceptionGroup as group:  # a session is the smallest unit that dies, also of a defect of ours
                log.error("The session ended on a defect", raised=group)
                reason = f"a defect: {group.exceptions[0]!r}"
            self._lost(reason)
            retry.failed(clock())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(retry.delay(clock(), random.random())):
                    await self._renewed.wait()

    async def _connect(self, retry: Reconnect) -> str:
        async with dial(self._options) as channel:
            login = await self._authenticate(channel)
            subject = read_unverified(login.access_token).subject
            stream = await channel.subscribe(login.access_token)
            opened = asyncio.get_running_loop().time()
            self.calls.opened(channel, login)
            try:
                return await self._drive(stream, subject, login.principal_namespace, channel)
            finally:
                self.calls.closed()
                if asyncio.get_running_loop().time() - opened > _PROVEN_SECONDS:
                    retry.succeeded()

    async def _authenticate(self, channel: HubChannel) -> LoginReply:
        version = self._login.version or (await channel.version()).removeprefix(VERSION_PREFIX)
        request = LoginRequest(
            method=self._login.method,
            credentials=self._login.credentials,
            mode=self._login.mode.value,
            version=version,
            agent_namespace=self._login.namespace,
        )
        try:
            reply, _ = await channel.authenticate(request)
        except TransportError:
            self._metrics.auth_failure()
            raise
        return reply

    async def _drive(self, stream: EventStream, subject: Subject, namespace: str, channel: HubChannel) -> str:
        kind = "reference" if stream.peer.is_reference else f"protocol {stream.peer.protocol}"
        about = {fields.AGENT: subject.agent, fields.ADDRESS: channel.address, fields.VERSION: kind}
        if stream.peer.is_reference:  # it may have nothing to say for long
            self._connected(about)
        login = HubLogin(subject.agent, namespace)
        session = asyncio.create_task(
            self._serve(stream, login, lambda: self._connected(about)), name="session with the principal"
        )
        renewed = asyncio.create_task(self._renewed.wait(), name="wait for new certificates")
        try:
            await asyncio.wait({session, renewed}, return_when=asyncio.FIRST_COMPLETED)
            if not session.done():
                await channel.retire("certificates were renewed")
            return await session
        finally:
            renewed.cancel()
            session.cancel()
            await asyncio.gather(session, renewed, return_exceptions=True)

    def _connected(self, about: Mapping[str, object]) -> None:
        """The stream is served. One of ours speaks at once; until then we may be one of two of a name, and held."""
        if self.is_connected:
            return
        self.is_connected = True
        self._report(None)
        self._metrics.connection(is_connected=True, since=time.time())
        log.info("Connected to the principal", about)

    def _lost(self, reason: str) -> None:
        if self.is_connected:
            log.warning("The connection to the principal has ended", {fields.REASON: reason})
            self._metrics.connection(is_connected=False, since=0.0)
        self.is_connected = False
        self._report(reason)
