"""Who may come in: checks logins, issues tokens, and checks them at every call. The principal, as the listener sees it.

Tokens are stateless; with `mtls` a token counts only on a connection of the same agent, so a stolen one is worth
nothing without the key. Any version of an agent is welcome: a reference agent hears its own version back.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

from argocd_agent.errors import AuthenticationFailed, KeyMaterialError, PeerUnavailable
from argocd_agent.pki.fingerprints import fingerprint
from argocd_agent.pki.subject import Subject
from argocd_agent.pki.tokens import Audience, TokenKey, must_rotate
from argocd_agent.principal.auth.methods import AuthMethod
from argocd_agent.protocol.events import AgentName, Event
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import VERSION_PREFIX
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.transport.framestream import LogStream, TerminalStream
from argocd_agent.transport.gate import Caller, Identity, UnknownMode, UnknownRequest, VersionMissing
from argocd_agent.transport.stream import EventStream
from argocd_agent.wire.datastreams import LogReply
from argocd_agent.wire.messages import LoginReply, LoginRequest, PushSummary, RefreshRequest

log = get_log("AuthHandler")

Register = Callable[[AgentName], Awaitable[None]]
Serve = Callable[[Identity, EventStream], Awaitable[None]]
TakePushed = Callable[[Identity, Event], Awaitable[bool]]
TakeLog = Callable[[Identity, LogStream], Awaitable[LogReply]]
TakeTerminal = Callable[[Identity, TerminalStream], Awaitable[None]]


async def no_logs(identity: Identity, stream: LogStream) -> LogReply:
    """Where nobody can ask for logs."""
    raise UnknownRequest


async def no_terminals(identity: Identity, stream: TerminalStream) -> None:
    """Where nobody can ask for terminals."""
    raise UnknownRequest


async def as_they_are(_: AgentName) -> None:
    """For a hub whose agents do not register themselves."""


class Gatekeeper:
    """The `Gate` of this principal."""

    def __init__(
        self,
        method: AuthMethod,
        key: Callable[[], TokenKey],
        *,
        namespace: str,
        version: str,
        match_subject: bool,
        failed: Callable[[], None],
        serve: Serve,
        take_pushed: TakePushed,
        register: Register = as_they_are,
        take_log: TakeLog = no_logs,
        take_terminal: TakeTerminal = no_terminals,
    ) -> None:
        self._method, self._key = method, key
        self._namespace, self._version, self._match_subject = namespace, version, match_subject
        self._failed, self._serve, self._take_pushed = failed, serve, take_pushed
        self._register = register
        self._take_log, self._take_terminal = take_log, take_terminal
        self._agent_namespaces: dict[AgentName, str] = {}
        self._fingerprints: dict[AgentName, str] = {}

    async def authenticate(self, request: LoginRequest, caller: Caller) -> LoginReply:
        """As `Gate`."""
        try:
            return await self._login(request, caller)
        except AuthenticationFailed as error:
            self._failed()
            log.warning(
                "client authentication failed", {fields.CLIENT_ADDRESS: caller.address, fields.ERROR: str(error)}
            )
            raise

    async def _login(self, request: LoginRequest, caller: Caller) -> LoginReply:
        if request.mode not in tuple(Mode):
            raise UnknownMode(request.mode)
        if request.method != self._method.name:
            raise AuthenticationFailed(f"expected method {self._method.name!r}, found {request.method!r}")
        agent = await self._method.identify(request, caller)
        self._check_name(agent)
        if not request.version:
            raise VersionMissing
        await self._register(agent)
        key = self._signing_key()
        subject, now = Subject(agent, Mode(request.mode)), time.time()
        self._agent_namespaces[agent] = request.agent_namespace
        if caller.certificate is not None:
            self._fingerprints[agent] = fingerprint(caller.certificate)
        log.info(
            "client authentication successful",
            {fields.AGENT: agent, fields.AGENT_VERSION: request.version, fields.CLIENT_ADDRESS: caller.address},
        )
        # RSA signatures take milliseconds each: not on the loop.
        access, refresh = await asyncio.to_thread(
            lambda: tuple(
                key.issue_for_agent(audience, subject, str(uuid4()), now)
                for audience in (Audience.ACCESS, Audience.REFRESH)
            )
        )
        return LoginReply(
            access_token=access,
            refresh_token=refresh,
            version=request.version,
            principal_namespace=self._namespace,
        )

    async def refresh(self, request: RefreshRequest) -> LoginReply:
        """As `Gate`."""
        key, now = self._signing_key(), time.time()
        try:
            subject, verified = key.verify_agent(request.refresh_token, Audience.REFRESH, now)
        except KeyMaterialError as error:
            self._failed()
            raise AuthenticationFailed(str(error)) from error
        access = await asyncio.to_thread(key.issue_for_agent, Audience.ACCESS, subject, str(uuid4()), now)
        again = ""
        if must_rotate(verified, now):
            again = await asyncio.to_thread(key.issue_for_agent, Audience.REFRESH, subject, str(uuid4()), now)
        return LoginReply(access_token=access, refresh_token=again)

    def version(self, caller: Caller) -> str:
        """As `Gate`."""
        return VERSION_PREFIX + self._version

    def admit(self, access_token: str, caller: Caller) -> Identity:
        """As `Gate`."""
        try:
            subject, _ = self._signing_key().verify_agent(access_token, Audience.ACCESS, time.time())
        except KeyMaterialError as error:
            raise AuthenticationFailed(str(error)) from error
        self._check_name(subject.agent)
        self._method.check(subject.agent, caller, match_subject=self._match_subject)
        return Identity(subject.agent, subject.mode, self._agent_namespaces.get(subject.agent, ""))

    async def serve(self, identity: Identity, stream: EventStream) -> None:
        """As `Gate`."""
        await self._serve(identity, stream)

    async def push(self, identity: Identity, events: AsyncIterator[Event]) -> PushSummary:
        """As `Gate`."""
        received = processed = 0
        async for event in events:
            received += 1
            processed += await self._take_pushed(identity, event)
        return PushSummary(received=received, processed=processed)

    async def log_stream(self, identity: Identity, stream: LogStream) -> LogReply:
        """As `Gate`."""
        return await self._take_log(identity, stream)

    async def terminal_stream(self, identity: Identity, stream: TerminalStream) -> None:
        """As `Gate`."""
        await self._take_terminal(identity, stream)

    def _check_name(self, agent: AgentName) -> None:
        if agent == self._namespace:
            raise AuthenticationFailed(f"an agent may not be called {agent}: it is the principal's namespace")

    def agents_with(self, certificate: str) -> list[AgentName]:
        """The agents that last logged in with the certificate of this fingerprint."""
        return [agent for agent, known in self._fingerprints.items() if known == certificate]

    def _signing_key(self) -> TokenKey:
        try:
            return self._key()
        except KeyMaterialError as error:  # ours to mend, not the agent's
            raise PeerUnavailable(str(error)) from error
