"""What this spoke shows to the hub when it asks: live objects, container logs, terminals. In both modes alike."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass

from argocd_agent.agent.config import AgentConfig
from argocd_agent.agent.serve.live import Live
from argocd_agent.agent.serve.logs import LogServer
from argocd_agent.agent.serve.ports import HubCalls
from argocd_agent.agent.serve.terminal import TerminalServer
from argocd_agent.agent.tracking import read_object
from argocd_agent.backends.pods import Pods
from argocd_agent.backends.ports import Cluster, RawApi
from argocd_agent.errors import Forbidden
from argocd_agent.peer.link import Link
from argocd_agent.peer.mirrors import Key
from argocd_agent.protocol.events import Event, Target
from argocd_agent.resources.objects import Object
from argocd_agent.resources.tracking import Ref
from argocd_agent.wire.kubepaths import KubePath

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
        self, config: AgentConfig, cluster: Cluster, link: Link, held: Mapping[Key, Object], sights: Sights
    ) -> None:
        self._raw = sights.raw
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
        }

    def parts(self) -> dict[str, Coroutine[None, None, None]]:
        """What must run."""
        return {
            "what the live view goes by": self._live.run(),
            "send logs": self._logs.run(),
            "run terminals": self._terminals.run(),
        }

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
