"""Channels of agents, for all clients of the Redis face together: one subscription on a spoke per channel.

A subscription stands while somebody listens. It is renewed by a ping a minute, and taken up again by itself when the
agent, its Redis or the connection was lost. Whenever it begins to stand, everybody is told as if something had been
said: what was said before cannot be known, and all messages mean "look again".

The wire contract has no word for ending a subscription: an agent ends it ten minutes after the last ping.

Limit: `CHANNELS` at one time; a client that joins one more hears nothing on it, and the log says so.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from argocd_agent.errors import ArgocdAgentError, CacheUnavailable
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.events import AgentName
from argocd_agent.proxies.redis.ports import Asks
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.requests import RedisPing, RedisRequest, RedisRequestBody, RedisSubscribe

log = get_log("RedisProxy", "redis-proxy")

CHANNELS = 10_000
PING_SECONDS = 60.0
ANSWER_SECONDS = 30.0
_PAUSES = Backoff(first=1.0, factor=2.0, ceiling=60.0)

Listener = Callable[[], None]


@dataclass(slots=True)
class _Topic:
    """One channel of one agent."""

    task: "asyncio.Task[None]"
    listeners: list[Listener] = field(default_factory=list)


class _Over(Exception):
    """The subscription stands no more."""


class Subscriptions:
    """`run` until cancelled; `join` and `leave` while it runs. *count* hears of every question, and whether it failed.

    `connected` and `disconnected` say which agents are there.
    """

    def __init__(self, asks: Asks, count: Callable[[AgentName, bool], None]) -> None:
        self._asks, self._count = asks, count
        self._topics: dict[tuple[AgentName, str], _Topic] = {}
        self._here: dict[AgentName, asyncio.Event] = {}
        self._tasks: asyncio.TaskGroup | None = None

    def __len__(self) -> int:
        """How many channels somebody listens to."""
        return len(self._topics)

    def connected(self, agent: AgentName) -> None:
        """*agent* has a stream."""
        self._presence(agent).set()

    def disconnected(self, agent: AgentName) -> None:
        """*agent* has none any more."""
        self._presence(agent).clear()

    def forget(self, agent: AgentName) -> None:
        """*agent* is no longer registered."""
        if not any(name == agent for name, _ in self._topics):
            self._here.pop(agent, None)

    def join(self, agent: AgentName, channel: str, listener: Listener) -> None:
        """From now on *listener* is called when something is said on *channel*. It must not wait."""
        place = (agent, channel)
        if place not in self._topics:
            if self._tasks is None or len(self._topics) >= CHANNELS:
                log.warning("Too many channels of agents: one is not listened to", {fields.AGENT: agent})
                return
            task = self._tasks.create_task(self._follow(agent, channel), name=f"channel {channel} of {agent}")
            self._topics[place] = _Topic(task)
        self._topics[place].listeners.append(listener)

    def leave(self, agent: AgentName, channel: str, listener: Listener) -> None:
        """*listener* is no longer interested."""
        topic = self._topics.get((agent, channel))
        if topic is None or listener not in topic.listeners:
            return
        topic.listeners.remove(listener)
        if not topic.listeners:
            del self._topics[agent, channel]
            topic.task.cancel()

    async def run(self) -> None:
        """Keep subscriptions, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._tasks = None

    def _presence(self, agent: AgentName) -> asyncio.Event:
        return self._here.setdefault(agent, asyncio.Event())

    async def _follow(self, agent: AgentName, channel: str) -> None:
        clock, failures = asyncio.get_running_loop().time, 0
        while True:
            await self._presence(agent).wait()
            begun = clock()
            try:
                await self._hear(agent, channel)
            except ArgocdAgentError as error:
                about = {fields.AGENT: agent, fields.ERROR: str(error)}
                log.debug("A channel of an agent is not heard, and will be taken up again", about)
            failures = 0 if clock() - begun > PING_SECONDS else failures + 1
            await _pause(_PAUSES.delay(failures))

    async def _hear(self, agent: AgentName, channel: str) -> None:
        """Subscribe and pass on what is said. Raises when the subscription stands no more; returns with the stream."""
        uuid, connection = str(uuid4()), str(uuid4())
        async with contextlib.aclosing(self._asks.pushes(agent, uuid)) as pushes:
            await self._subscribe(agent, channel, uuid, connection)
            self._tell(agent, channel)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._renew(agent, connection), name=f"pings for {channel} of {agent}")
                    async for _ in pushes:
                        self._tell(agent, channel)
                    raise _Over
            except* _Over:
                pass
            except* ArgocdAgentError as errors:
                raise CacheUnavailable(str(errors.exceptions[0])) from errors

    async def _subscribe(self, agent: AgentName, channel: str, uuid: str, connection: str) -> None:
        body = RedisRequestBody(subscribe=RedisSubscribe(channel=channel))
        is_failed = True
        try:
            request = RedisRequest(uuid=uuid, connection_uuid=connection, body=body)
            reply = (await self._asks.redis(agent, request, timeout_seconds=ANSWER_SECONDS)).body.subscribe_response
            if reply is None or reply.error:
                raise CacheUnavailable(f"agent {agent}: {reply.error if reply else 'it answered something else'}")
            is_failed = False
        finally:
            self._count(agent, is_failed)

    async def _renew(self, agent: AgentName, connection: str) -> None:
        body = RedisRequestBody(ping=RedisPing())
        while True:
            await _pause(PING_SECONDS)
            request = RedisRequest(uuid=str(uuid4()), connection_uuid=connection, body=body)
            await self._asks.redis(agent, request, timeout_seconds=ANSWER_SECONDS)

    def _tell(self, agent: AgentName, channel: str) -> None:
        topic = self._topics.get((agent, channel))
        for listener in tuple(topic.listeners) if topic is not None else ():
            listener()


async def _pause(seconds: float) -> None:
    """Wait: a ping is not due, or it is not worth trying again yet, and nobody can tell."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().create_future()
