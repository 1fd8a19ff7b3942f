"""The namespaces of agents on the hub: made for autonomous agents where that is wanted, and missed when they go.

A namespace that the watch shows is not asked for again. Otherwise the API is asked, and only when it says that there
is none is one made. Source: docs/protocol, 06-resources.
"""

import re
from collections.abc import Callable

from argocd_agent.backends.ports import EVERYTHING, Cluster
from argocd_agent.errors import AlreadyExists, ClusterError, EventDeferred, EventRefused, NotFound, Unauthorized
from argocd_agent.peer.observe import Change, Observer
from argocd_agent.principal.namespaceconfig import NamespaceConfig
from argocd_agent.protocol.events import AgentName
from argocd_agent.resources.kinds import NAMESPACES
from argocd_agent.resources.objects import Metadata, Object, new_object
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("Server")


class Namespaces:
    """Those of *cluster*. `run` until cancelled.

    *removed* is told of each that goes and is called like an agent that *is_agent* knows, *appeared* of each that
    somebody made after an agent was refused for want of it. Neither may wait.
    """

    def __init__(
        self,
        config: NamespaceConfig,
        cluster: Cluster,
        is_agent: Callable[[AgentName], bool],
        removed: Callable[[AgentName], None],
        report: Callable[[str | None], None],
        *,
        appeared: Callable[[AgentName], None],
    ) -> None:
        self._cluster, self._is_agent, self._removed, self._appeared = cluster, is_agent, removed, appeared
        self._missed = set[AgentName]()
        self._is_enabled, self._labels = config.namespace_create_enabled, dict(config.namespace_create_labels)
        self._pattern = config.namespace_create_pattern
        self._observer = Observer(cluster, NAMESPACES, EVERYTHING, self._on_change, report=report)

    async def read(self) -> None:
        """Wait until all have been read once."""
        await self._observer.synced.wait()

    async def run(self) -> None:
        """Keep them in view, until cancelled."""
        await self._observer.run()

    async def ensure(self, agent: AgentName) -> None:
        """See to it that autonomous *agent* has its namespace here. Raises `EventDeferred` while the API, or the end of
        the one before, must be waited for, and `EventRefused`, saying what to set, when nobody is to make it."""
        try:
            found = self._observer.objects.get(("", agent)) or await self._read(agent)
            if found is None:
                self._missed.add(agent)
                await self._create(agent)
                self._missed.discard(agent)
        except ClusterError as error:
            # A token of ours that is being renewed is not the event's fault.
            is_later = error.retryable or isinstance(error, Unauthorized)
            raise (EventDeferred if is_later else EventRefused)(str(error)) from error
        if found is not None and found.is_deleting:
            raise EventDeferred(f"namespace {agent} is being deleted: it must be gone before it can be used again")

    async def _read(self, agent: AgentName) -> Object | None:
        try:
            return await self._cluster.get(NAMESPACES, "", agent)
        except NotFound:
            return None

    async def _create(self, agent: AgentName) -> None:
        if not self._is_enabled:
            raise EventRefused(f"namespace {agent} is missing on the hub: create it, or set --namespace-create-enable")
        if re.search(self._pattern, agent) is None:
            raise EventRefused(
                f"namespace {agent} is missing on the hub, and --namespace-create-pattern {self._pattern!r} does not "
                "match its name: create it, or widen the pattern"
            )
        try:
            await self._cluster.create(
                NAMESPACES, new_object(NAMESPACES, Metadata(name=agent, labels=self._labels or None))
            )
        except AlreadyExists:
            return  # somebody was faster; there is fine
        log.info("Namespace of an autonomous agent was created", {fields.AGENT: agent, fields.NAMESPACE: agent})

    def _on_change(self, change: Change) -> None:
        agent = AgentName(change.object.name)
        if change.new is not None and agent in self._missed:
            self._missed.discard(agent)
            self._appeared(agent)
        if change.new is None and self._is_agent(agent):
            log.info("The namespace of an agent is gone", {fields.AGENT: agent, fields.NAMESPACE: agent})
            self._removed(agent)
