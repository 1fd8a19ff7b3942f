"""The two sockets of one client of the Redis face, and the machine between them.

What comes in on one side goes out on the other in the same step of the event loop. A side that cannot be written to, or
whose bytes cannot be dealt with now, is not read from.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from argocd_agent.proxies.redis.connection import Connection
from argocd_agent.proxies.redis.effects import Close, Effect, Get, Join, Leave, ToClient, ToUpstream
from argocd_agent.wire import resp

HIGH_WATER_BYTES = 1024 * 1024


class Agents(Protocol):
    """What the machine asks for beyond its two sides. Nothing here may wait."""

    def get(self, effect: Get, answered: Callable[[int, bytes | None, str], None]) -> None: ...
    def join(self, effect: Join, pushed: Callable[[bytes], None]) -> None: ...
    def leave(self, effect: Leave) -> None: ...
    def ended(self) -> None: ...


class Side(asyncio.Protocol):
    """One socket. *heard* gets its bytes; *changed* is told when it can or cannot be written to; *lost*, once, why."""

    def __init__(
        self, heard: Callable[[bytes], None], changed: Callable[[], None], lost: Callable[[str], None]
    ) -> None:
        self._heard, self._changed, self._lost = heard, changed, lost
        self._transport: asyncio.Transport | None = None
        self._is_reading = True
        self.is_full = False

    def write(self, data: bytes) -> None:
        """Send *data*; nothing where there is no socket any more."""
        if self._transport is not None:
            self._transport.write(data)

    def read_if(self, is_wanted: bool) -> None:
        """Read from the socket, or do not."""
        if is_wanted == self._is_reading or self._transport is None or self._transport.is_closing():
            return
        self._is_reading = is_wanted
        if is_wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def finish(self) -> None:
        """Send what was written, then say that there will be no more; what still comes in is thrown away.

        Closing with bytes unread would reset the connection, and what was written last might not arrive.
        """
        if self._transport is None or self._transport.is_closing():
            return
        self._heard = _discard
        self.read_if(True)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:  # TLS has a farewell of its own
            self._transport.close()

    def close(self) -> None:
        """Send what was written, and end."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)  # a stream's; uvloop's is none by class
        self._transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._heard(data)

    def pause_writing(self) -> None:
        """Called by the event loop."""
        self.is_full = True
        self._changed()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        self.is_full = False
        self._changed()

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop."""
        self._transport = None
        self._lost(str(error) if error else "")


def _discard(data: bytes) -> None:
    """Nobody is interested any more."""


class Pair:
    """Both sides, and the machine between. When one is lost the other ends too: `over` is set, and when the client has
    gone for good, `ended`."""

    def __init__(self, machine: Connection, agents: Agents) -> None:
        self._machine, self._agents = machine, agents
        self.client = Side(self._client_said, self._balance, self._client_lost)
        self.upstream = Side(lambda data: self.do(machine.upstream_said(data)), self._balance, self._finish)
        self.over, self.ended = asyncio.Event(), asyncio.Event()
        self.reason = ""
        self._waiting: list[bytes] | None = []  # from the client, before there is an upstream

    def start(self) -> None:
        """Both are connected."""
        if self.over.is_set():
            self.close()
            return
        early, self._waiting = self._waiting or [], None
        self.do(self._machine.start())
        for data in early:
            self.do(self._machine.client_said(data))

    def do(self, effects: list[Effect]) -> None:
        """Carry out what the machine wants."""
        for effect in effects:
            match effect:
                case ToUpstream(data):
                    self.upstream.write(data)
                case ToClient(data):
                    self.client.write(data)
                case Get():
                    self._agents.get(effect, self._answered)
                case Join():
                    self._agents.join(effect, self._pushed)
                case Leave():
                    self._agents.leave(effect)
                case Close(reason):
                    self._finish(reason)
        self._balance()

    def turn_away(self, why: str) -> None:
        """Tell the client *why* it is not served, and end."""
        self.client.write(resp.failure(why))
        self._finish("")

    def close(self) -> None:
        """End both sides; what was written is sent."""
        self.client.close()
        self.upstream.close()

    def _answered(self, number: int, value: bytes | None, failure: str) -> None:
        if not self.over.is_set():
            self.do(self._machine.answered(number, value, failure))

    def _pushed(self, channel: bytes) -> None:
        self.do(self._machine.pushed(channel))

    def _client_said(self, data: bytes) -> None:
        if self._waiting is None:
            self.do(self._machine.client_said(data))
        else:
            self._waiting.append(data)
            self.client.read_if(False)  # one piece is enough until somebody can take it

    def _balance(self) -> None:
        if self._waiting is None and not self.over.is_set():
            self.client.read_if(self._machine.wants_client and not self.upstream.is_full)
            self.upstream.read_if(self._machine.wants_upstream and not self.client.is_full)

    def _client_lost(self, reason: str) -> None:
        self.ended.set()
        self._finish(reason)

    def _finish(self, reason: str) -> None:
        """There will be no more from upstream, or nobody who wants it."""
        if self.over.is_set():
            return
        self.over.set()
        self.reason = self.reason or reason
        self._agents.ended()
        self.do(self._machine.ended())
        self.client.finish()
        self.upstream.close()
