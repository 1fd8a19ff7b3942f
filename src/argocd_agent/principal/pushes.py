"""What agents say of Redis subscriptions, given to whoever subscribed: half of the port `Asks`.

All pushes of one subscription mean the same, so of one at most one waits: memory is bounded by the subscriptions.
"""

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType

from argocd_agent.protocol.events import AgentName
from argocd_agent.wire.requests import RedisPush, RedisResponse


class Pushes:
    """Subscriptions by agent and uuid. `take` what agents send, and say which of them have `disconnected`."""

    def __init__(self) -> None:
        self._heard: dict[tuple[AgentName, str], _Heard] = {}

    def __len__(self) -> int:
        """How many subscriptions are listened to."""
        return len(self._heard)

    def listen(self, agent: AgentName, uuid: str) -> AsyncGenerator[RedisPush, None]:
        """See `proxies.redis.ports.Asks.pushes`. The caller knows that the agent is there."""
        heard = self._heard[agent, uuid] = _Heard(self, (agent, uuid))
        return heard

    def take(self, agent: AgentName, response: RedisResponse) -> bool:
        """Whether *response* is a push. One that nobody listens to any more is dropped: the agent has no word for
        the end of a subscription, and goes on for a while."""
        push = response.body.push_from_subscribe
        if push is None:
            return False
        heard = self._heard.get((agent, response.uuid))
        if heard is not None:
            heard.put(push)
        return True

    def disconnected(self, agent: AgentName) -> None:
        """The stream of *agent* has ended, and its subscriptions with it."""
        for (name, _), heard in tuple(self._heard.items()):
            if name == agent:
                heard.end()

    def forget(self, place: tuple[AgentName, str]) -> None:
        """Nobody listens to that subscription any more."""
        self._heard.pop(place, None)


class _Heard(AsyncGenerator[RedisPush, None]):
    """What is heard of one subscription. A class, so that closing it before its first item counts too."""

    def __init__(self, pushes: Pushes, place: tuple[AgentName, str]) -> None:
        self._pushes, self._place = pushes, place
        self._waiting: RedisPush | None = None
        self._is_over = False
        self._wake = asyncio.Event()

    def put(self, push: RedisPush) -> None:
        self._waiting = push
        self._wake.set()

    def end(self) -> None:
        self._is_over = True
        self._pushes.forget(self._place)
        self._wake.set()

    async def asend(self, value: None) -> RedisPush:
        while self._waiting is None:
            if self._is_over:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        push, self._waiting = self._waiting, None
        return push

    async def athrow(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        trace: TracebackType | None = None,
    ) -> RedisPush:
        self.end()
        raise kind

    async def aclose(self) -> None:
        self.end()
