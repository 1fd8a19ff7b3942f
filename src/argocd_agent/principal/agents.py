"""Who is connected: join, leave, look up.

One link per agent name, kept across its sessions; a new stream of an agent supersedes the one before at once. Nothing
here waits: `join` decides and returns what is left to be done.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from argocd_agent.peer.link import Link
from argocd_agent.peer.reconcile import AntiEntropy
from argocd_agent.peer.resync import MirrorEnd, SourceEnd
from argocd_agent.peer.session import Session
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.session import Takeover, Takeovers
from argocd_agent.transport.gate import Identity
from argocd_agent.transport.stream import EventStream


@dataclass(slots=True)
class Agent:
    """One agent, connected or not. *source* and *mirror* are the hub's ends of comparing with it: one for what is the
    hub's, one for what is the agent's. *home* is the namespace that it lives in, empty while that is not known."""

    name: AgentName
    mode: Mode
    link: Link
    entropy: AntiEntropy
    source: SourceEnd
    mirror: MirrorEnd
    home: str = ""
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
    """The agents of this process, by name. Bounded by the number of agents that have an identity.

    *told* hears of agents that turn out to own their objects, or not to. Modes are remembered from earlier lives, so
    that the hub knows whose an object is before its agent is back.
    """

    def __init__(self, new: Callable[[AgentName, Mode], Agent], told: Callable[[Collection[AgentName]], None]) -> None:
        self._new, self._told = new, told
        self._agents: dict[AgentName, Agent] = {}
        self._modes: dict[AgentName, Mode] = {}
        self._takeovers = Takeovers()

    def __iter__(self) -> Iterator[Agent]:
        return iter(list(self._agents.values()))

    def get(self, name: AgentName) -> Agent | None:
        """The agent, if it has ever been here."""
        return self._agents.get(name)

    def is_autonomous(self, name: AgentName) -> bool:
        """Whether the agent owns its objects, as far as is known."""
        return self._modes.get(name) is Mode.AUTONOMOUS

    def remember(self, modes: Mapping[AgentName, Mode]) -> None:
        """What was known in an earlier life. What is known by now counts more."""
        self._learn({name: mode for name, mode in modes.items() if name not in self._modes})

    def join(self, identity: Identity, stream: EventStream, now: float) -> tuple[Agent, Takeover]:
        """A new stream of an agent: the agent, and what is to become of this stream and of the one before."""
        return self.known(identity), self._takeovers.joined(identity.agent, stream.address, now)

    def known(self, identity: Identity) -> Agent:
        """The agent, made known if it has never been here."""
        name, mode = identity.agent, identity.mode
        agent = self._agents.get(name)
        if agent is None:
            agent = self._agents[name] = self._new(name, mode)
        elif agent.mode is not mode:  # what was owed to it in the other mode must not reach it
            new = self._agents[name] = self._new(name, mode)
            new.stream, new.session, new.ended, new.epoch = agent.stream, agent.session, agent.ended, agent.epoch
            agent = new
        agent.home = identity.namespace or agent.home
        self._learn({name: mode})
        return agent

    def _learn(self, modes: Mapping[AgentName, Mode]) -> None:
        changed = [name for name, mode in modes.items() if self.is_autonomous(name) != (mode is Mode.AUTONOMOUS)]
        self._modes.update(modes)
        if changed:
            self._told(changed)

    def leave(self, agent: Agent, stream: EventStream) -> None:
        """The session of *stream* has ended."""
        if agent.stream is stream:
            agent.stream = None
            self._takeovers.left(agent.name, agent.epoch)

    def forget(self, name: AgentName) -> Agent | None:
        """The agent is no longer registered: drop what is kept for it. Returns it, so that its stream can be closed."""
        self._takeovers.forget(name)
        return self._agents.pop(name, None)
