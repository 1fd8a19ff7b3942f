"""Requests to agents, awaited: the only way to an agent.

A request is an event that is put on the agent's present stream at most once. Its reply is known by the request's uuid,
and counts only from the agent that was asked. It ends by its last reply, its deadline, or with the agent's stream; when
its caller goes away before, an agent of ours is told to stop.

Of one agent at most `Limits.at_once` requests are under way, and `Limits.per_caller` for one caller; `Limits.waiting`
more wait, callers taking turns, and the next is refused (`TooManyRequests` where it is the caller's own that fill the
room, else `AgentBusy`). What is long (a watch) has as many places again, for which nobody waits. The wait for a turn is
part of the deadline, which travels as the milliseconds that remain.

Replies that come in many pieces are bounded by the credit given: a piece beyond it ends the request.
"""

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from argocd_agent.errors import AgentAway, AgentBusy, EventDiscarded, EventRefused, NoAnswer, TooManyRequests
from argocd_agent.peer.link import Link
from argocd_agent.protocol.capabilities import Capability, PeerInfo
from argocd_agent.protocol.correlation import Correlation
from argocd_agent.protocol.events import AgentName, Event, EventId, EventType, ResourceId
from argocd_agent.protocol.names import EXTENSION_REMAINING
from argocd_agent.protocol.turns import Admission, Turns
from argocd_agent.proxies.ports import Question
from argocd_agent.wire.payloads import encode
from argocd_agent.wire.requests import Credit

FOREVER = float("inf")


class Connected(Protocol):
    """What must be known of an agent. `stream` None: it is away."""

    @property
    def name(self) -> AgentName: ...
    @property
    def link(self) -> Link: ...
    @property
    def stream(self) -> object | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """For each agent. See the module."""

    seconds: float = 30.0
    at_once: int = 128
    per_caller: int = 64
    waiting: int = 1024


class _Turn:
    """A ticket: set when its turn has come."""

    def __init__(self) -> None:
        self.has_come = asyncio.Event()


@dataclass(frozen=True, slots=True)
class _Lanes:
    """The turns of one agent: of what is short, and of what is long."""

    short: Turns[_Turn]
    long: Turns[_Turn]


class Ask:
    """Asks the agents that *lookup* knows."""

    def __init__(self, lookup: Callable[[AgentName], Connected | None], limits: Limits) -> None:
        self._lookup, self._limits = lookup, limits
        self._open = Correlation()
        self._replies: dict[str, _Replies] = {}
        self._lanes: dict[AgentName, _Lanes] = {}  # of agents that somebody asks something now
        self._clock = asyncio.get_running_loop().time

    def __len__(self) -> int:
        """How many requests were sent and not answered yet."""
        return len(self._open)

    def peer(self, agent: AgentName) -> PeerInfo | None:
        """See `proxies.ports.Ask`."""
        known = self._lookup(agent)
        return None if known is None or known.stream is None else known.link.peer

    async def handle(self, agent: Connected, event: Event) -> None:
        """A reply of *agent*. Raises `EventDiscarded` where nobody waits for it, or it was not for *agent* to give."""
        asked = event.event_id.partition("/")[0]  # pieces have a number after it
        if not self._open.is_open(asked, agent.name):
            raise EventDiscarded(f"{event.target.value} {event.event_id}: nobody waits for this reply of {agent.name}")
        self._replies[asked].take(event)

    def disconnected(self, agent: AgentName) -> None:
        """The stream of *agent* has ended: nothing that was asked on it will be answered."""
        for asked in self._open.abandon(agent):
            self._replies[asked].fail(AgentAway(f"the connection of agent {agent} ended before its answer"))

    @contextlib.asynccontextmanager
    async def asked(self, agent: AgentName, caller: str, question: Question) -> AsyncIterator["_Replies"]:
        """See `proxies.ports.Ask`."""
        deadline = self._clock() + self._limits.seconds
        self._connected(agent)  # nobody waits for a turn at one who is away
        async with self._turn(agent, caller, deadline, is_long=question.is_long):
            known = self._connected(agent)
            replies = _Replies(known.link, question, deadline, self._limits.seconds)
            self._open.open(question.uuid, agent, FOREVER if question.is_long else deadline)
            self._replies[question.uuid] = replies
            try:
                if not known.link.put_once(_event(question, deadline - self._clock())):
                    raise AgentAway(f"agent {agent} is not connected")
                yield replies
            finally:
                del self._replies[question.uuid]
                if self._open.close(question.uuid, agent) and not replies.has_ended:
                    _cancel(known.link, question)

    @contextlib.asynccontextmanager
    async def _turn(self, agent: AgentName, caller: str, deadline: float, *, is_long: bool) -> AsyncIterator[None]:
        """A place among those who ask *agent*."""
        lanes = self._lanes.setdefault(agent, self._new_lanes())
        turns, turn = (lanes.long if is_long else lanes.short), _Turn()
        admission = turns.ask(caller, turn)
        try:
            if admission in (Admission.FULL, Admission.CALLER_FULL):
                raise _refusal(admission, agent, turns, is_long)
            if admission is Admission.WAIT:
                await self._wait(agent, caller, turns, turn, deadline)
            try:
                yield
            finally:
                _pass_on(turns, caller)
        finally:
            if not (lanes.short.going or lanes.long.going or lanes.short.waiting):
                self._lanes.pop(agent, None)

    async def _wait(self, agent: AgentName, caller: str, turns: Turns[_Turn], turn: _Turn, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await turn.has_come.wait()
        except BaseException as error:
            if not turns.leave(caller, turn):  # its turn came in the same moment: somebody else's now
                _pass_on(turns, caller)
            if isinstance(error, TimeoutError):
                seconds = self._limits.seconds
                raise NoAnswer(
                    f"agent {agent}: {turns.going} requests were before this one for {seconds:g} s"
                ) from error
            raise

    def _connected(self, agent: AgentName) -> Connected:
        known = self._lookup(agent)
        if known is None:
            raise AgentAway(f"agent {agent!r} is not known to this principal: it has never been connected")
        if known.stream is None:
            raise AgentAway(f"agent {agent} is not connected")
        return known

    def _new_lanes(self) -> _Lanes:
        limits = self._limits
        return _Lanes(
            Turns(limits.at_once, limits.per_caller, limits.waiting), Turns(limits.at_once, limits.per_caller, 0)
        )


class _Replies:
    """The replies to one question, as `proxies.ports.Replies` says."""

    def __init__(self, link: Link, question: Question, deadline: float, seconds: float) -> None:
        self._link, self._question, self._deadline, self._seconds = link, question, deadline, seconds
        self._events: deque[Event] = deque()
        self._credit = question.credit
        self._arrived = asyncio.Event()
        self._failure: AgentAway | EventRefused | None = None
        self._has_begun = False
        self.has_ended = False

    def take(self, event: Event) -> None:
        """A reply came in. Raises `EventRefused` for one too many."""
        if event.type != EventType.PART:
            self.has_ended = True
        elif not self._credit or self.has_ended:
            refused = EventRefused(f"request {self._question.uuid}: the agent sent more pieces than it was allowed to")
            self.fail(refused)
            raise refused
        else:
            self._credit -= 1
        self._events.append(event)
        self._arrived.set()

    def fail(self, failure: AgentAway | EventRefused) -> None:
        """No more will come."""
        self._failure = self._failure or failure
        self._arrived.set()

    async def next(self) -> Event:
        deadline = self._deadline if not self._has_begun else self._link.clock() + self._seconds
        try:
            async with asyncio.timeout_at(None if self._question.is_long and self._has_begun else deadline):
                while not self._events:
                    if self._failure is not None:
                        raise self._failure
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError as error:
            raise NoAnswer(f"agent {self._link.name} did not answer within {self._seconds:g} s") from error
        self._has_begun = True
        return self._events.popleft()

    def allow_more(self, parts: int = 1) -> None:
        if not self.has_ended and self._failure is None:
            self._credit += parts
            self._link.put_once(_follow_up(self._question, EventType.CREDIT, encode(Credit(parts=parts))))


def _event(question: Question, remaining_seconds: float) -> Event:
    return Event(
        target=question.target,
        type=question.type,
        resource_id=ResourceId(question.uuid),
        event_id=EventId(question.uuid),
        data=question.data,
        extensions={EXTENSION_REMAINING: str(max(0, int(remaining_seconds * 1000)))},
    )


def _follow_up(question: Question, kind: EventType, data: bytes = b"") -> Event:
    """About a question that was sent. An id of its own: it must not wait until the question has been dealt with."""
    return Event(
        target=question.target,
        type=kind,
        resource_id=ResourceId(str(uuid.uuid4())),
        event_id=EventId(question.uuid),
        data=data,
    )


def _cancel(link: Link, question: Question) -> None:
    if link.peer.can(Capability.LIVE):
        link.put_once(_follow_up(question, EventType.CANCEL))


def _pass_on(turns: Turns[_Turn], caller: str) -> None:
    following = turns.done(caller)
    if following is not None:
        following.has_come.set()


def _refusal(admission: Admission, agent: AgentName, turns: Turns[_Turn], is_long: bool) -> TooManyRequests | AgentBusy:
    what = "watches" if is_long else "requests"
    if admission is Admission.CALLER_FULL:
        return TooManyRequests(
            f"agent {agent}: this caller has as many {what} under way and waiting as one may have: try again later"
        )
    return AgentBusy(f"agent {agent}: {turns.going} {what} are under way and {turns.waiting} wait: try again later")
