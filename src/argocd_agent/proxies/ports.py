"""What the proxies need of the hub: a way to ask an agent, and who serves logs and terminals.

A question is written to one stream of its agent at most once, and never again: neither when nobody answers, nor after
a reconnect. Whoever asks waits for a turn, then for the answer, and is told in one of four ways that there is none.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from argocd_agent.protocol.capabilities import PeerInfo
from argocd_agent.protocol.events import AgentName, Event, Target
from argocd_agent.wire.kubepaths import KubePath


@dataclass(frozen=True, slots=True)
class Question:
    """One request. *uuid* is new, and stands in *data* too. *credit*: how many pieces of an answer may come unasked.

    *is_long*: it goes on after the first piece for as long as both want, and counts apart from the others.
    """

    target: Target
    type: str
    uuid: str
    data: bytes
    credit: int = 0
    is_long: bool = False


class Replies(Protocol):
    """What an agent answers to one question, in order."""

    async def next(self) -> Event:
        """The next event: a piece (`EventType.PART`), or the last one. Raises `AgentAway`, `NoAnswer`."""
        ...

    def allow_more(self, parts: int = 1) -> None:
        """So many pieces were dealt with: as many more may come."""
        ...


class Ask(Protocol):
    """The only way to an agent."""

    def peer(self, agent: AgentName) -> PeerInfo | None:
        """What *agent* can do; None while it is not connected."""
        ...

    def asked(self, agent: AgentName, caller: str, question: Question) -> AbstractAsyncContextManager[Replies]:
        """The question is sent when its turn has come; leaving the block early cancels it at the agent too.

        *caller* is who shares turns with whom. Raises `AgentAway`, `NoAnswer`, `TooManyRequests`, `AgentBusy`.
        """
        ...


class LogHandler(Protocol):
    """Serves `pods/NAME/log`."""

    async def __call__(self, agent: AgentName, request: web.Request, path: KubePath) -> web.StreamResponse: ...


class ExecHandler(Protocol):
    """Serves `pods/NAME/exec`, whatever the method; upgrades are its own business."""

    async def __call__(self, agent: AgentName, request: web.Request, path: KubePath) -> web.StreamResponse: ...
