"""Who is connected: join, leave, look up.

One link per agent name, kept across its sessions; a new stream of an agent supersedes the one before at once. Nothing
here waits: `join` decides and returns what is left to be done.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from argocd_agent.peer.link import Link
from argocd_agent.peer.reconcile import AntiEntropy
from argocd_agent.peer.session import Session
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.session import Takeover, Takeovers
from argocd_agent.transport.stream import EventStream


@dataclass(slots=True)
class Agent:
    """One agent, connected or not."""

    name: AgentName
    mode: Mode
    link: Link
    entropy: AntiEntropy
    stream: EventStream | None = None
    epoch: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the session of `stream` has ended."""
    session: Session | None = None
    connected_at: float = 0.0
    owes_operations: bool = False
    has_compared: bool = False
    has_connected: bool = False
    """Whether it has been here since this process started: before that, nothing is kept for it to catch up with."""


class Agents:
    """The agents of this process, by name. Bounded by the number of registered agents."""

    def __init__(self, new: Callable[[AgentName, Mode], Agent]) -> None:
        self._new = new
        self._agents: dict[AgentName, Agent] = {}
        self._takeovers = Takeovers()

    def __iter__(self) -> Iterator[Agent]:
        return iter(list(self._agents.values()))

    def get(self, name: AgentName) -> Agent | None:
        """The agent, if it has ever been here."""
        return self._agents.get(name)

    def join(self, name: AgentName, mode: Mode, stream: EventStream, now: float) -> tuple[Agent, Takeover]:
        """A new stream of *name*: the agent, and what is to become of this stream and of the one before."""
        return self.known(name, mode), self._takeovers.joined(name, stream.address, now)

    def known(self, name: AgentName, mode: Mode) -> Agent:
        """The agent, made known if it has never been here."""
        known = self._agents.get(name)
        if known is None:
            known = self._agents[name] = self._new(name, mode)
        elif known.mode is not mode:  # what was owed to it in the other mode must not reach it
            new = self._agents[name] = self._new(name, mode)
            new.stream, new.session, new.ended, new.epoch = known.stream, known.session, known.ended, known.epoch
            known = new
        return known

    def leave(self, agent: Agent, stream: EventStream) -> None:
        """The session of *stream* has ended."""
        if agent.stream is stream:
            agent.stream = None
            self._takeovers.left(agent.name, agent.epoch)

    def forget(self, name: AgentName) -> Agent | None:
        """The agent is no longer registered: drop what is kept for it. Returns it, so that its stream can be closed."""
        self._takeovers.forget(name)
        return self._agents.pop(name, None)
