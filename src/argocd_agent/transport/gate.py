"""The seam to the principal: what the listener asks of it, and what it learns about who is calling.

The listener knows connections, statuses and frames; the principal, behind `Gate`, knows agents. Errors that a gate
raises become gRPC statuses by the tables in `transport/status.py`.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from argocd_agent.errors import AuthenticationFailed, PeerUnavailable, TransportError
from argocd_agent.protocol.capabilities import PeerInfo
from argocd_agent.protocol.events import AgentName, Event
from argocd_agent.protocol.modes import Mode
from argocd_agent.transport.framestream import LogStream, TerminalStream
from argocd_agent.transport.stream import EventStream
from argocd_agent.wire.datastreams import LogReply
from argocd_agent.wire.messages import LoginReply, LoginRequest, PushSummary, RefreshRequest


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is at the other end of a call. `certificate` is the verified client certificate as DER; None: there is none.

    `tls_version` is as TLS names it (`TLSv1.3`), empty in plaintext. `metadata` has lower-case keys and, of a key
    that comes twice, the first value.
    """

    address: str
    certificate: bytes | None
    tls_version: str
    metadata: Mapping[str, str]
    peer: PeerInfo


@dataclass(frozen=True, slots=True)
class Identity:
    """Which agent an access token was given to. `namespace` is the one that it said it lives in; empty: unknown."""

    agent: AgentName
    mode: Mode
    namespace: str = ""


class UnknownMode(AuthenticationFailed):
    """The login names no mode that exists; the text is the one that the reference sends."""

    def __init__(self, mode: str) -> None:
        super().__init__(f"unknown or missing operation mode: '{mode}'")


class VersionMissing(AuthenticationFailed):
    """The login names no version."""

    def __init__(self) -> None:
        super().__init__("agent version is required")


class VersionMismatch(AuthenticationFailed):
    """The agent's version is not one that this principal takes."""

    def __init__(self) -> None:
        super().__init__("version mismatch")


class UnknownRequest(TransportError):
    """Nobody waits for this log or terminal; the text is the one that the reference sends."""

    def __init__(self) -> None:
        super().__init__("unknown request id")


class CallerGone(TransportError):
    """Whoever asked for this log has gone away."""


class StreamFailed(TransportError):
    """The agent said that it cannot go on; the text is its own."""


class StreamCut(PeerUnavailable):
    """The call ended before the log did; another one may go on with it."""


class Gate(Protocol):
    """The principal, as the listener sees it."""

    async def authenticate(self, request: LoginRequest, caller: Caller) -> LoginReply:
        """Tokens for a caller that is who it says. Raises `AuthenticationFailed`, whose text stays on the hub, or one
        of its subclasses above, whose text the agent sees."""
        ...

    async def refresh(self, request: RefreshRequest) -> LoginReply:
        """A new access token. Raises `AuthenticationFailed`."""
        ...

    def version(self, caller: Caller) -> str:
        """The answer of the Version service, prefix included. Needs no token."""
        ...

    def admit(self, access_token: str, caller: Caller) -> Identity:
        """Whose token this is. Asked once, when a call begins. Raises `AuthenticationFailed`; `PeerUnavailable` when
        nobody is served now."""
        ...

    async def serve(self, identity: Identity, stream: EventStream) -> None:
        """Drive the agent's session until it ends. However it ends, the agent sees one of four statuses.

        When the connection is gone, `stream.receive` raises `StreamClosed`; a session that goes on regardless is
        cancelled a few seconds later.
        """
        ...

    async def push(self, identity: Identity, events: AsyncIterator[Event]) -> PushSummary:
        """Take the events of one `Push` and say what became of them."""
        ...

    async def log_stream(self, identity: Identity, stream: LogStream) -> LogReply:
        """Pass a log on to who asked for it, and say what became of it. Raises `UnknownRequest`, `CallerGone`,
        `StreamFailed`, `StreamCut`."""
        ...

    async def terminal_stream(self, identity: Identity, stream: TerminalStream) -> None:
        """Serve a terminal until either side ends it. Raises `UnknownRequest`."""
        ...
