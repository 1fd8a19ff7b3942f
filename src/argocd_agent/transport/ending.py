"""A wait that can be ended from elsewhere: how `close` reaches a task that waits for the network.

`asyncio.timeout` with no deadline costs next to nothing per wait; moved to now, it ends the wait.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argocd_agent.errors import TransportError


class Ending:
    """Whether a stream has ended and why. `happened` is done once it has."""

    __slots__ = ("_waits", "error", "happened")

    def __init__(self) -> None:
        self.error: TransportError | None = None
        self.happened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waits: set[asyncio.Timeout] = set()

    def end(self, error: TransportError) -> TransportError:
        """Every wait of now and later raises *error*. Only the first call counts; returns what it ended with."""
        if self.error is not None:
            return _again(self.error)
        self.error = error
        self.happened.set_result(None)
        now = asyncio.get_running_loop().time()
        for wait in self._waits:
            wait.reschedule(now)
        return error

    def check(self) -> None:
        """Nothing, or the error that it ended with."""
        if self.error is not None:
            raise _again(self.error)

    @asynccontextmanager
    async def interrupting(self) -> AsyncIterator[None]:
        """What is awaited inside raises the error when the end comes."""
        self.check()
        wait = asyncio.timeout(None)
        try:
            async with wait:
                self._waits.add(wait)
                yield
        except TimeoutError:
            self.check()
            raise
        finally:
            self._waits.discard(wait)


def _again(error: TransportError) -> TransportError:
    """A copy to raise: one exception raised at several places would collect all their tracebacks."""
    return type(error)(str(error))
