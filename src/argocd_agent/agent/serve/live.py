"""The live view on the spoke: what answers requests for live objects, put together."""

from collections.abc import Mapping

from argocd_agent.agent.discovery import Discovery
from argocd_agent.agent.serve.creating import Creating
from argocd_agent.agent.serve.operations import Operations
from argocd_agent.agent.serve.resources import Resources
from argocd_agent.agent.tracking import Tracking
from argocd_agent.backends.ports import Cluster, RawApi
from argocd_agent.peer.link import Link
from argocd_agent.peer.observe import Key
from argocd_agent.resources.objects import Object


class Live:
    """Answers by the Applications in *held*, those of this spoke as last seen; *namespace* is Argo CD's."""

    def __init__(
        self,
        link: Link,
        cluster: Cluster,
        raw: RawApi,
        held: Mapping[Key, Object],
        *,
        namespace: str,
        is_enabled: bool,
    ) -> None:
        self._is_enabled = is_enabled
        discovery = Discovery(raw)
        self.tracking = Tracking(cluster, raw, discovery, namespace, held)
        creating = Creating(cluster, self.tracking, namespace, held)
        operations = Operations(raw, discovery, self.tracking, creating)
        self.resources = Resources(link, operations if is_enabled else None)

    async def run(self) -> None:
        """Keep what it decides by current, until cancelled."""
        if self._is_enabled:
            await self.tracking.run()
