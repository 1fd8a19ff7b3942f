"""What the Redis face needs of the hub: whose an application is, and a way to ask its agent."""

from collections.abc import AsyncGenerator
from typing import Protocol

from argocd_agent.protocol.events import AgentName
from argocd_agent.wire.requests import RedisPush, RedisRequest, RedisResponse


class Owner(Protocol):
    """Which agent has an application."""

    def __call__(self, namespace: str, name: str, /) -> AgentName | None:
        """The agent; None for an application of the hub's own. *namespace* is empty for one in Argo CD's namespace."""
        ...


class Asks(Protocol):
    """Redis requests to agents. Every failure is an `ArgocdAgentError` with a sentence for people."""

    async def redis(self, agent: AgentName, request: RedisRequest, *, timeout_seconds: float) -> RedisResponse:
        """The answer. Raises when the agent is away, or goes, or says nothing for so long."""
        ...

    def pushes(self, agent: AgentName, uuid: str) -> AsyncGenerator[RedisPush, None]:
        """What *agent* says of subscription *uuid*, from this call on, even before the first is waited for. Ends with
        the agent's stream, and never begins without one. Close it when you stop early."""
        ...
