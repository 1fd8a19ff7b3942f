"""The live view on the hub: requests to agents, and the resource proxy that Argo CD sends them through.

The sessions give it what agents answer (`responses`) and say when a stream ends (`disconnected`); the rest is its own.
"""

import asyncio
from collections.abc import Callable

from argocd_agent.backends.ports import Cluster
from argocd_agent.peer.program import reporter
from argocd_agent.pki.tokens import TokenKey
from argocd_agent.principal.ask import Ask, Connected, Limits
from argocd_agent.principal.auth.identity import is_label
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.principal.proxykeys import ProxyKeys
from argocd_agent.protocol.events import AgentName, Event
from argocd_agent.proxies.ports import ExecHandler, LogHandler
from argocd_agent.proxies.resource.callers import Callers
from argocd_agent.proxies.resource.listener import Address, Listener, serving
from argocd_agent.proxies.resource.routes import Routes
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.logs import get_log

log = get_log("ResourceProxy", "resource-proxy")

LISTENER = "listener of the resource proxy"


class Live:
    """The live view of the agents that *lookup* knows."""

    def __init__(
        self,
        config: PrincipalConfig,
        cluster: Cluster,
        health: Health,
        lookup: Callable[[AgentName], Connected | None],
    ) -> None:
        self._config, self._health = config, health
        at_once = config.live_at_once
        self.ask = Ask(
            lookup,
            Limits(
                seconds=config.live_timeout_seconds,
                at_once=at_once,
                per_caller=(at_once + 1) // 2,
                waiting=config.live_waiting,
            ),
        )
        self._listener: Listener | None = None
        self._keys = ProxyKeys(config, config.namespace, cluster, health, renewed=self._renew)
        if config.resource_proxy_enabled:
            for part in (*self._keys.parts, LISTENER):
                health.set(part, is_ready=False, reason="not read yet")

    @property
    def port(self) -> int | None:
        """Where Argo CD is served; None: not yet, or not at all."""
        return None if self._listener is None else self._listener.port

    async def responses(self, agent: Connected, event: Event) -> None:
        """An answer of *agent*. Raises `EventDiscarded`, `EventRefused`."""
        await self.ask.handle(agent, event)

    def disconnected(self, agent: AgentName) -> None:
        """The stream of *agent* has ended."""
        self.ask.disconnected(agent)

    async def run(
        self,
        token_key: Callable[[], TokenKey],
        is_registered: Callable[[AgentName], bool],
        is_blocked: Callable[[str], bool],
        logs: LogHandler | None = None,
        terminal: ExecHandler | None = None,
    ) -> None:
        """Serve Argo CD, until cancelled; nobody, where the resource proxy is switched off."""
        if not self._config.resource_proxy_enabled:
            return
        callers = Callers(token_key, is_registered, is_blocked, is_label)
        routes = Routes(callers, self.ask, logs, terminal)
        self._keys.read_files()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keys.run(), name="keys of the resource proxy")
            await self._keys.complete()
            address = Address(self._config.resource_proxy_host, self._config.resource_proxy_port)
            async with serving(address, self._keys.current, routes.handle, "--resource-proxy-listen-port") as listener:
                self._listener = listener
                log.info("Listening for Argo CD", {fields.ADDRESS: f"{address.host or '*'}:{listener.port}"})
                reporter(self._health, LISTENER)(None)
                await asyncio.get_running_loop().create_future()

    def _renew(self) -> None:
        if self._listener is not None:
            self._listener.renew()
