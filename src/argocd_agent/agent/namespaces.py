"""Namespaces of Applications on the spoke, where Applications keep the namespace that they have on the hub."""

from argocd_agent.agent.config import AgentConfig
from argocd_agent.backends.ports import Cluster
from argocd_agent.errors import AlreadyExists, ClusterError, EventBlocked, EventDeferred, NotFound
from argocd_agent.resources.kinds import NAMESPACES
from argocd_agent.resources.objects import Metadata, new_object
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("Agent")


class SpokeNamespaces:
    """Makes namespaces where `--create-namespace` says so."""

    def __init__(self, cluster: Cluster, config: AgentConfig) -> None:
        self._cluster, self._creates = cluster, config.create_namespace

    async def ensure(self, name: str) -> None:
        """Return when the namespace is there. Raises `EventBlocked` if it is missing and not ours to make,
        `EventDeferred` if the API cannot say."""
        try:
            await self._cluster.get(NAMESPACES, "", name)
        except NotFound:
            if not self._creates:
                raise EventBlocked(
                    f"namespace {name} is not on the spoke: create it, or start the agent with --create-namespace"
                ) from None
            await self._create(name)
        except ClusterError as error:
            raise EventDeferred(str(error)) from error

    async def _create(self, name: str) -> None:
        try:
            await self._cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=name)))
        except AlreadyExists:
            return
        except ClusterError as error:
            raise EventBlocked(f"namespace {name} cannot be created: {error}") from error
        log.info("Created a namespace for Applications", {fields.NAMESPACE: name})
