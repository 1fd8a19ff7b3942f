"""What the hub shares with managed agents: one `Sharing` for each kind, and what follows from each other's changes.

A repository goes where its project goes; projects, repositories and keys go to agents that come later, too.
"""

from collections.abc import Collection

from argocd_agent.peer.mirrors import Key
from argocd_agent.peer.observe import Change
from argocd_agent.principal.agents import Agent, Agents
from argocd_agent.principal.clusters import Clusters
from argocd_agent.principal.routes import ApplicationRoute, KeyRoute, ProjectRoute, RepositoryRoute
from argocd_agent.principal.senders import ApplicationSender, Sender
from argocd_agent.principal.sharing import Sharing
from argocd_agent.principal.watches import Watches
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.modes import Mode
from argocd_agent.resources.copies import plain_parts, project_of
from argocd_agent.resources.kinds import APPPROJECT, GPGKEY, REPOSITORY, Kind
from argocd_agent.resources.mapping import HubMapping
from argocd_agent.resources.objects import Object


class Shares:
    """All kinds of one hub. *allowed*: the namespaces whose Applications take part."""

    def __init__(
        self,
        watches: Watches,
        mapping: HubMapping,
        agents: Agents,
        clusters: Clusters,
        sender: ApplicationSender,
        *,
        principal_uid: str,
        allowed: tuple[str, ...],
    ) -> None:
        self._watches, self._home = watches, mapping.home

        def plain(kind: Kind) -> Sender:
            return Sender(kind, principal_uid, _same)

        registered, managed = clusters.is_registered, _Managed(agents, clusters)
        self.applications = Sharing(
            ApplicationRoute(mapping, allowed),
            sender,
            agents,
            watches.applications.objects,
            is_registered=registered,
        )
        self.projects = Sharing(
            ProjectRoute(mapping, managed),
            plain(APPPROJECT),
            agents,
            watches.projects.objects,
            is_registered=registered,
        )
        self.repositories = Sharing(
            RepositoryRoute(mapping, lambda name: self.projects.audience((self._home, name))),
            plain(REPOSITORY),
            agents,
            watches.repositories.objects,
            is_registered=registered,
        )
        self.keys = Sharing(
            KeyRoute(mapping, managed), plain(GPGKEY), agents, watches.keys.objects, is_registered=registered
        )
        self.all = (self.applications, self.projects, self.repositories, self.keys)

    def has(self, kind: Kind, key: Key, name: AgentName) -> bool:
        """Whether agent *name* has the object *key*."""
        return any(name in sharing.audience(key) for sharing in self.all if sharing.route.kind is kind)

    def project_changed(self, change: Change) -> None:
        """One change of a project of the hub's own."""
        before = self.projects.audience(change.object.key)
        self.projects.on_change(change)
        if self.projects.audience(change.object.key) != before:
            self._review_repositories(change.object.name)

    def review_project(self, obj: Object) -> None:
        """Whose *obj* is may have changed."""
        self.projects.review(obj.key)
        self._review_repositories(obj.name)

    def agent_changed(self, name: AgentName, *, tells: bool = True) -> None:
        """Agent *name* is one more, or one less, that projects, repositories and keys may be for. Not *tells*: all that
        it has is compared besides."""
        for sharing in (self.projects, self.repositories, self.keys):
            sharing.review_agent(name, tells=tells)

    def _review_repositories(self, project: str) -> None:
        for key, secret in list(self._watches.repositories.objects.items()):
            if project_of(secret) == project:
                self.repositories.review(key)


class _Managed:
    def __init__(self, agents: Agents, clusters: Clusters) -> None:
        self._agents, self._clusters = agents, clusters

    def names(self) -> Collection[AgentName]:
        return [agent.name for agent in self._agents if self._is_one(agent)]

    def has(self, name: AgentName) -> bool:
        agent = self._agents.get(name)
        return agent is not None and self._is_one(agent)

    def _is_one(self, agent: Agent) -> bool:
        return agent.mode is Mode.MANAGED and agent.has_connected and self._clusters.is_registered(agent.name)


def _same(old: Object, new: Object) -> bool:
    return plain_parts(old) == plain_parts(new) and old.metadata.finalizers == new.metadata.finalizers
