"""Holds back updates of one Application to at most one in an interval, the newest; the first goes at once.

Off with an interval of 0. What is held back is superseded by newer state, and goes when the interval ends.
"""

import asyncio
import contextlib
from collections.abc import Callable

from argocd_agent.protocol.events import Event
from argocd_agent.protocol.throttle import Throttle


class Buffer:
    """Passes events on to *put*. `run` until cancelled."""

    def __init__(self, put: Callable[[Event], None], interval_seconds: float, clock: Callable[[], float]) -> None:
        self._put, self._clock = put, clock
        self._throttle: Throttle[Event] = Throttle(interval_seconds)
        self._wake = asyncio.Event()

    def send(self, event: Event) -> None:
        """Send *event* now, or when its object may be heard of again."""
        if self._throttle.update(event.order_key, event, self._clock()):
            self._put(event)
        else:
            self._wake.set()

    def forget(self, key: str) -> None:
        """The object of this order key was deleted: what is held back about it is no longer true."""
        self._throttle.reset(key)

    async def run(self) -> None:
        """Send what was held back, when its time has come; until cancelled."""
        while True:
            self._wake.clear()
            for _, event in self._throttle.due(self._clock()):
                self._put(event)
            with contextlib.suppress(TimeoutError):  # not a failure: something fell due
                async with asyncio.timeout_at(self._throttle.deadline()):
                    await self._wake.wait()
