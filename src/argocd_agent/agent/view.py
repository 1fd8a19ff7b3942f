"""What this spoke shows to the hub when it asks: live objects, logs, terminals, Argo CD's cache. In both modes."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace

from argocd_agent.agent.config import AgentConfig
from argocd_agent.agent.serve.live import Live
from argocd_agent.agent.serve.logs import LogServer
from argocd_agent.agent.serve.ports import HubCalls
from argocd_agent.agent.serve.redis import RedisService
from argocd_agent.agent.serve.terminal import TerminalServer
from argocd_agent.agent.tracking import read_object
from argocd_agent.backends.pods import Pods
from argocd_agent.backends.ports import Cache, Cluster, RawApi
from argocd_agent.errors import Forbidden
from argocd_agent.peer.link import Link, payload_of
from argocd_agent.peer.mirrors import Key
from argocd_agent.protocol.events import Event, EventId, EventType, Target
from argocd_agent.resources.objects import Object
from argocd_agent.resources.tracking import Ref
from argocd_agent.telemetry.metrics import AgentMetrics
from argocd_agent.wire.kubepaths import KubePath
from argocd_agent.wire.requests import RedisRequest, RedisResponse

Handler = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Sights:
    """What there is to show: the cluster's API as it stands on the wire, its pods, and the way for streams."""

    raw: RawApi
    pods: Pods
    calls: HubCalls


class View:
    """Answers the hub, by the Applications in *held*, those of this spoke as last seen."""

    def __init__(
        self,
        config: AgentConfig,
        cluster: Cluster,
        link: Link,
        held: Mapping[Key, Object],
        cache: Cache,
        sights: Sights,
        metrics: AgentMetrics,
    ) -> None:
        self._raw, self._link = sights.raw, link
        self._redis = RedisService(
            cache,
            self._answer,
            destination_mapping=config.destination_based_mapping,
            count=metrics.redis_asked,
        )
        self._live = Live(
            link,
            cluster,
            sights.raw,
            held,
            namespace=config.namespace,
            is_enabled=config.resource_proxy_enabled,
        )
        self._logs = LogServer(
            sights.pods,
            sights.calls,
            self._is_shown,
            limit=config.logs_max_sessions,
            is_enabled=config.logs_enabled and config.resource_proxy_enabled,
        )
        self._terminals = TerminalServer(
            sights.pods,
            sights.calls,
            self._is_shown,
            limit=config.terminal_max_sessions,
            is_enabled=config.terminal_enabled and config.resource_proxy_enabled,
        )
        self.handlers: dict[Target, Handler] = {
            Target.RESOURCE: self._live.resources.handle,
            Target.CONTAINER_LOG: self._logs.handle,
            Target.TERMINAL: self._terminals.handle,
            Target.REDIS: self._cached,
        }

    def parts(self) -> dict[str, Coroutine[None, None, None]]:
        """What must run."""
        return {
            "what the live view goes by": self._live.run(),
            "send logs": self._logs.run(),
            "run terminals": self._terminals.run(),
            "answer for the cache": self._redis.run(),
        }

    def closed(self) -> None:
        """The session has ended, and the subscriptions of the hub with it."""
        self._redis.closed()

    async def _cached(self, event: Event) -> None:
        self._redis.take(payload_of(event, RedisRequest))

    def _answer(self, response: RedisResponse) -> None:
        message = self._link.message(Target.REDIS, EventType.REDIS_RESPONSE, response)
        self._link.put_once(replace(message, event_id=EventId(response.uuid)))

    async def _is_shown(self, namespace: str, pod: str) -> bool:
        """Whether a pod belongs to an Application. Raises `ClusterError` where that cannot be found out."""
        path = KubePath(version="v1", namespace=namespace, resource="pods", name=pod)
        self._live.tracking.refresh()
        found = await read_object(self._raw, path)
        try:
            await self._live.tracking.require(found, Ref("", "Pod", namespace, pod))
        except Forbidden:
            return False
        return True
