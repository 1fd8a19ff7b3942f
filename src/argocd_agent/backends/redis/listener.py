"""One who listens to a channel of a cache, and what waits for them.

Who leaves `MESSAGES_WAITING` unread is ended, so that they look anew instead of missing something in silence.
"""

import asyncio
from collections import deque

from argocd_agent.errors import CacheError, CacheUnavailable

MESSAGES_WAITING = 1000


class Listener:
    """One who listens to a channel. `next` gives what comes in."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self._waiting: deque[bytes] = deque()
        self._end: CacheError | None = None
        self._wake = asyncio.Event()

    def put(self, message: bytes) -> None:
        """A message came in."""
        if len(self._waiting) >= MESSAGES_WAITING:
            self.end(CacheUnavailable(f"channel {self.channel}: more than {MESSAGES_WAITING} messages wait unread"))
            return
        self._waiting.append(message)
        self._wake.set()

    def end(self, error: CacheError) -> None:
        """Nothing will come any more. What waits is lost too: the listener must look anew anyway."""
        self._end = error
        self._wake.set()

    async def next(self) -> bytes:
        """The next message. Raises `CacheError` when there will be none."""
        while not self._waiting and self._end is None:
            self._wake.clear()
            await self._wake.wait()
        if self._end is not None:
            raise self._end
        return self._waiting.popleft()
