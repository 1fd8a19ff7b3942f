"""A cluster whose writes can be made to fail, as those of an API server that is down or does not like the object."""

from argocd_agent.backends.embedded import EmbeddedCluster
from argocd_agent.errors import ClusterError
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object


class FailingWrites(EmbeddedCluster):
    """*cluster*, but that creating and updating raises `error` while there is one."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        super().__init__(cluster.engine, None, 60.0)
        self.error: ClusterError | None = None

    async def create(self, api: Api, obj: Object) -> Object:
        """As `Cluster.create`."""
        self._check()
        return await super().create(api, obj)

    async def update(self, api: Api, obj: Object, *, subresource: str = "") -> Object:
        """As `Cluster.update`."""
        self._check()
        return await super().update(api, obj, subresource=subresource)

    def _check(self) -> None:
        if self.error is not None:
            raise self.error
