"""The Redis side of the live view on the hub: the proxy that Argo CD talks to, if it is wanted, and what feeds it."""

import asyncio
from collections.abc import Callable

from argocd_agent.backends.ports import Cluster
from argocd_agent.backends.redis import RedisOptions
from argocd_agent.peer.link import payload_of
from argocd_agent.principal.agents import Agent
from argocd_agent.principal.ask import Ask
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.principal.pushes import Pushes
from argocd_agent.principal.redisasks import RedisAsks
from argocd_agent.principal.redisface import RedisProxy, is_served
from argocd_agent.protocol.events import AgentName, Event
from argocd_agent.proxies.redis.lastknown import LastKnown
from argocd_agent.proxies.redis.ports import Owner
from argocd_agent.telemetry.metrics import PrincipalMetrics
from argocd_agent.wire.requests import RedisResponse


class RedisView:
    """What happens to agents goes in, and what Argo CD is told comes out. *upstream* is the way to the hub's Redis;
    None: there is none, and nothing is served."""

    def __init__(
        self,
        config: PrincipalConfig,
        cluster: Cluster,
        upstream: Callable[[], RedisOptions] | None,
        ask: Ask,
        owner: Owner,
        known: LastKnown,
        metrics: PrincipalMetrics,
    ) -> None:
        self._ask, self._pushes = ask, Pushes()
        self.proxy: RedisProxy | None = None
        if upstream is not None and is_served(config):
            self.proxy = RedisProxy(
                config,
                cluster,
                upstream,
                owner=owner,
                asks=RedisAsks(ask, self._pushes),
                known=known,
                metrics=metrics,
            )

    async def handle(self, agent: Agent, event: Event) -> None:
        """What *agent* says of a key or a channel. Raises `EventRefused`, `EventDiscarded`."""
        if not self._pushes.take(agent.name, payload_of(event, RedisResponse)):
            await self._ask.handle(agent, event)

    def connected(self, agent: AgentName) -> None:
        """*agent* has opened its stream."""
        if self.proxy is not None:
            self.proxy.connected(agent)

    def disconnected(self, agent: AgentName) -> None:
        """The stream of *agent* has ended."""
        self._pushes.disconnected(agent)
        if self.proxy is not None:
            self.proxy.disconnected(agent)

    def removed(self, agent: AgentName) -> None:
        """*agent* is no longer registered."""
        if self.proxy is not None:
            self.proxy.removed(agent)

    async def run(self) -> None:
        """Serve Argo CD, until cancelled. Raises `ConfigError`."""
        if self.proxy is None:
            await asyncio.get_running_loop().create_future()
        else:
            self.proxy.read_files()
            await self.proxy.run()
