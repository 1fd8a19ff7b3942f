"""The hub's end of an agent's call, driven by a test: `feed` is what the agent sends, `sent` what it is sent."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from argocd_agent.errors import StreamClosed

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass
class ServedEnd(Generic[In, Out]):
    """`ServedStream` in memory."""

    sent: list[Out] = field(default_factory=list)
    said: Mapping[str, str] | None = None
    taken: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something was taken or said; whoever waits for it clears it."""
    _coming: "asyncio.Queue[In | None]" = field(default_factory=asyncio.Queue)
    _lost: str = ""

    def feed(self, *frames: In) -> None:
        """The agent sends *frames*."""
        for frame in frames:
            self._coming.put_nowait(frame)

    async def accept(self, said: Mapping[str, str]) -> None:
        self.said = said
        self.moved.set()

    async def send(self, frame: Out) -> None:
        self._check()
        self.sent.append(frame)

    async def receive(self) -> In:
        frame = None if self._lost else await self._coming.get()
        if frame is None:
            self._lost = self._lost or "the agent has no more"
            self._check()
            raise AssertionError("a lost stream raises")
        self.taken += 1
        self.moved.set()
        return frame

    def drop(self, reason: str) -> None:
        """The connection is gone, and with it what was not taken."""
        while not self._coming.empty():
            self._coming.get_nowait()
        self.lost(reason)

    def lost(self, reason: str) -> None:
        self._lost = self._lost or reason
        self._coming.put_nowait(None)
        self.moved.set()

    def _check(self) -> None:
        if self._lost:
            raise StreamClosed(self._lost)
