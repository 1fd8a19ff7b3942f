"""Redis requests to agents, by the one way to an agent: the port that the Redis proxy asks through."""

import asyncio
from collections.abc import AsyncGenerator

from argocd_agent.errors import NoAnswer
from argocd_agent.principal.pushes import Pushes
from argocd_agent.protocol.events import AgentName, EventType, Target
from argocd_agent.proxies.ports import Ask, Question
from argocd_agent.wire.payloads import decode, encode
from argocd_agent.wire.requests import RedisPush, RedisRequest, RedisResponse


class RedisAsks:
    """See `proxies.redis.ports.Asks`. Each connection of Argo CD to Redis is a caller of its own."""

    def __init__(self, ask: Ask, pushes: Pushes) -> None:
        self._ask, self._pushes = ask, pushes

    async def redis(self, agent: AgentName, request: RedisRequest, *, timeout_seconds: float) -> RedisResponse:
        """The answer. Raises `AgentAway`, `NoAnswer`, `TooManyRequests`, `AgentBusy`, `DecodeError`."""
        question = Question(Target.REDIS, EventType.REDIS_REQUEST, request.uuid, encode(request))
        try:
            async with asyncio.timeout(timeout_seconds):
                async with self._ask.asked(agent, request.connection_uuid, question) as replies:
                    event = await replies.next()
        except TimeoutError as error:
            raise NoAnswer(f"agent {agent} did not answer within {timeout_seconds:g} s") from error
        return decode(event.data, RedisResponse)

    def pushes(self, agent: AgentName, uuid: str) -> AsyncGenerator[RedisPush, None]:
        """What *agent* says of subscription *uuid*."""
        return self._pushes.listen(agent, uuid)
