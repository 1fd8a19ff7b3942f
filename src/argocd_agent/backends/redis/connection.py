"""One connection to a Redis server: requests in, their answers out in order, messages to those who listen.

Ended once and for ever by whatever goes wrong; all who wait on it then get that failure.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from argocd_agent.backends.redis.listener import Listener
from argocd_agent.errors import CacheError, CacheRefused, CacheUnavailable, DecodeError
from argocd_agent.wire.resp import Failure, Push, Replies, command

T = TypeVar("T")

REQUESTS_UNDER_WAY = 10_000
_MESSAGE, _SUBSCRIBED, _UNSUBSCRIBED = b"message", b"subscribe", b"unsubscribe"


@dataclass(frozen=True, slots=True)
class _Request:
    """What the server owes us: who takes the answer, who the failure."""

    answered: Callable[[object], None]
    failed: Callable[[CacheError], None]


class Connection(asyncio.Protocol):
    """Driven by the event loop as its protocol. *place* names the server in messages."""

    def __init__(self, place: str, answer_timeout_seconds: float) -> None:
        self._place, self._timeout_seconds = place, answer_timeout_seconds
        self._transport: asyncio.Transport | None = None
        self._replies = Replies()
        self._owed: deque[_Request] = deque()
        self._listeners: dict[str, list[Listener]] = {}
        self._end: CacheError | None = None

    @property
    def is_open(self) -> bool:
        """Whether it makes sense to ask for something."""
        return self._end is None

    async def ask(self, name: str, *words: str | bytes | int) -> object:
        """The answer to a command. Raises `CacheRefused` for an error, `CacheUnavailable` when none comes."""
        answer = await self.exchange(name, *words)
        if isinstance(answer, Failure):
            about = f" {words[0]}" if words and isinstance(words[0], str) else ""
            raise CacheRefused(f"{self._place}: {name}{about} is refused: {answer.text}", answer.code)
        return answer

    async def exchange(self, *words: str | bytes | int) -> object:
        """The answer to a command, a `Failure` included. Raises `CacheUnavailable` when none comes."""
        waiting: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        def answered(answer: object) -> None:
            if not waiting.done():
                waiting.set_result(answer)

        def failed(error: CacheError) -> None:
            if not waiting.done():
                waiting.set_exception(error)

        self._send(command(*words), _Request(answered, failed))
        return await self._within(waiting, str(words[0]))

    def listen(self, channel: str) -> Listener:
        """Subscribe. The listener's first message is empty, and says that nothing is missed from then on."""
        listener = Listener(channel)

        def answered(answer: object) -> None:
            if isinstance(answer, Failure):
                text = f"{self._place}: SUBSCRIBE {channel} is refused: {answer.text}"
                listener.end(CacheRefused(text, answer.code))
            else:
                listener.put(b"")

        self._send(command("SUBSCRIBE", channel), _Request(answered, lambda _: None))
        self._listeners.setdefault(channel, []).append(listener)
        return listener

    async def first(self, listener: Listener) -> bytes:
        """The message that says that *listener* is heard. Raises `CacheError`."""
        return await self._within(listener.next(), "SUBSCRIBE")

    def unlisten(self, listener: Listener) -> None:
        """*listener* is no longer interested."""
        others = self._listeners.get(listener.channel, [])
        if listener in others:
            others.remove(listener)
        if not others and self._listeners.pop(listener.channel, None) is not None and self.is_open:
            self._send(command("UNSUBSCRIBE", listener.channel), _Request(lambda _: None, lambda _: None))

    def end(self, error: CacheError) -> None:
        """It is over; *error* says why. Twice is fine."""
        if self._end is not None:
            return
        self._end = error
        if self._transport is not None:
            self._transport.abort()
        while self._owed:
            self._owed.popleft().failed(error)
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.end(error)
        self._listeners.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)  # a stream's reads and writes; uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        try:
            for reply in self._replies.feed(data):
                self._take(reply)
        except DecodeError as error:
            self.end(CacheUnavailable(f"{self._place}: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop."""
        reason = f"the connection was lost: {error}" if error else "the connection was closed at the other end"
        self.end(CacheUnavailable(f"{self._place}: {reason}"))

    def _send(self, data: bytes, request: _Request) -> None:
        if self._end is not None:
            raise self._end
        if len(self._owed) >= REQUESTS_UNDER_WAY:
            raise CacheUnavailable(f"{self._place}: more than {REQUESTS_UNDER_WAY} requests are under way")
        assert self._transport is not None, "the event loop has called connection_made"
        self._owed.append(request)
        self._transport.write(data)

    async def _within(self, answer: Awaitable[T], name: str) -> T:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await answer
        except TimeoutError as error:
            silent = CacheUnavailable(f"{self._place}: no answer to {name} within {self._timeout_seconds:g} s")
            self.end(silent)
            raise silent from error

    def _take(self, reply: object) -> None:
        if isinstance(reply, Push):
            if reply.kind == _MESSAGE and len(reply.parts) == 2:
                self._message(*reply.parts)
                return
            if reply.kind not in (_SUBSCRIBED, _UNSUBSCRIBED):
                return  # of something that we did not ask for
        if self._owed:  # word of a subscription comes as a push, but in the order of the requests
            self._owed.popleft().answered(reply)

    def _message(self, channel: object, message: object) -> None:
        if isinstance(channel, bytes) and isinstance(message, bytes):
            for listener in self._listeners.get(channel.decode("utf-8", "replace"), ()):
                listener.put(message)
