"""The calls that the agent makes beside its event stream: logs and terminals, on the connection of now.

Before each, an access token that ends soon is refreshed; where that fails the old one is used, and the principal says
what it thinks of it. A token that it does not take ends the connection: the next one begins with a new login.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from argocd_agent.errors import KeyMaterialError, PeerUnavailable, TransportError
from argocd_agent.pki.subject import needs_refresh, read_unverified
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.transport.framestream import LogUpload, TerminalStream
from argocd_agent.wire.messages import LoginReply, RefreshRequest

log = get_log("Connector")


class Channel(Protocol):
    """What is needed of a `HubChannel`."""

    async def refresh(self, request: RefreshRequest) -> LoginReply:
        """As `HubChannel`."""
        ...

    async def stream_logs(self, token: str, request_uuid: str) -> LogUpload:
        """As `HubChannel`."""
        ...

    async def stream_terminal(self, token: str) -> TerminalStream:
        """As `HubChannel`."""
        ...

    async def retire(self, reason: str) -> None:
        """As `HubChannel`."""
        ...


class Tokens:
    """The tokens of one login. One refresh at a time; who comes meanwhile waits for it."""

    def __init__(self, login: LoginReply, channel: Channel, clock: Callable[[], float]) -> None:
        self._access, self._refresh = login.access_token, login.refresh_token
        self._channel, self._clock = channel, clock
        self._refreshed: asyncio.Event | None = None

    async def fresh(self) -> str:
        """An access token with more than 30 s left, or the best that there is."""
        while self._refreshed is not None:
            await self._refreshed.wait()
        if not self._is_ending():
            return self._access
        done = self._refreshed = asyncio.Event()
        try:
            reply = await self._channel.refresh(RefreshRequest(refresh_token=self._refresh))
            read_unverified(reply.access_token)  # one that cannot be read is no better than the old one
            self._access = reply.access_token
            self._refresh = reply.refresh_token or self._refresh
        except (TransportError, KeyMaterialError) as error:
            log.warning("The access token could not be refreshed; the old one is used", {fields.ERROR: str(error)})
        finally:
            self._refreshed = None
            done.set()
        return self._access

    def _is_ending(self) -> bool:
        try:
            return needs_refresh(read_unverified(self._access), self._clock())
        except KeyMaterialError:
            return False


class Calls:
    """The connection of now, for who makes calls on it."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._channel: Channel | None = None
        self._tokens: Tokens | None = None
        self._opened = asyncio.Event()

    def opened(self, channel: Channel, login: LoginReply) -> None:
        """There is a connection, made with *login*."""
        self._channel, self._tokens = channel, Tokens(login, channel, self._clock)
        self._opened.set()

    def closed(self) -> None:
        """It is gone."""
        self._channel = self._tokens = None
        self._opened.clear()

    async def connected(self) -> None:
        """Until there is a connection."""
        await self._opened.wait()

    async def log(self, request_uuid: str) -> LogUpload:
        """A call for the log that was asked for as *request_uuid*, begun. Raises as `LogUpload.answer`;
        `PeerUnavailable` where there is no connection."""
        channel, token = await self._ready()
        return await channel.stream_logs(token, request_uuid)

    async def terminal(self) -> TerminalStream:
        """A call for a terminal. Raises `PeerUnavailable` where there is no connection."""
        channel, token = await self._ready()
        return await channel.stream_terminal(token)

    async def renew(self, reason: str) -> None:
        """Our token was not taken: end the connection, so that the next one begins with a login."""
        if self._channel is not None:
            channel = self._channel
            self.closed()  # whoever waits for a connection waits for the next one
            await channel.retire(reason)

    async def _ready(self) -> tuple[Channel, str]:
        channel, tokens = self._channel, self._tokens
        if channel is None or tokens is None:
            raise PeerUnavailable("there is no connection to the principal")
        return channel, await tokens.fresh()
