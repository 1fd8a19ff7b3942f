"""Where the hub's own objects go: for each kind, who is to have an object, and which edition of it.

Applications by the mapping; projects to the managed agents that their destinations and source namespaces name;
repositories to whoever has their project; GPG keys to every managed agent. Source: docs/protocol, "routing" to "keys".
"""

from collections.abc import Callable, Collection
from typing import Protocol

from argocd_agent.protocol.events import AgentName
from argocd_agent.resources import application, appproject
from argocd_agent.resources.copies import plain_parts, project_of
from argocd_agent.resources.kinds import APPLICATION, APPPROJECT, GPGKEY, REPOSITORY, Kind
from argocd_agent.resources.mapping import HubMapping
from argocd_agent.resources.objects import Object
from argocd_agent.resources.scope import admits


class Managed(Protocol):
    """The managed agents that are registered and have been here."""

    def names(self) -> Collection[AgentName]: ...
    def has(self, name: AgentName) -> bool: ...


class ApplicationRoute:
    """To the agent of the Application, if it is in one of the *allowed* namespaces. Those of autonomous agents are
    nobody's: they come from there."""

    kind: Kind = APPLICATION

    def __init__(self, mapping: HubMapping, allowed: tuple[str, ...]) -> None:
        self._mapping, self._allowed = mapping, allowed
        self.may_move = mapping.by_destination

    def is_for(self, obj: Object, agent: AgentName) -> bool:
        return agent in self.audience(obj)

    def audience(self, obj: Object) -> Collection[AgentName]:
        if self._mapping.is_view(obj) or not admits(obj, self._allowed, self._mapping):
            return ()
        name = self._mapping.agent_of(obj)
        return () if name is None else (name,)

    def edition(self, obj: Object, agent: AgentName) -> Object:
        return obj

    def key(self, obj: Object) -> str:
        return self._mapping.digest_key(self.kind, obj)

    def parts(self, edition: Object) -> tuple[bytes, ...]:
        return application.digest_parts(edition, is_source=True)


class _PlainRoute:
    """Of the kinds that are changed in place: to move from one agent to another, and to be compared whole."""

    kind: Kind
    may_move = True

    def __init__(self, mapping: HubMapping) -> None:
        self._mapping = mapping

    def edition(self, obj: Object, agent: AgentName) -> Object:
        """As it is, unless a kind says otherwise."""
        return obj

    def key(self, obj: Object) -> str:
        return self._mapping.digest_key(self.kind, obj)

    def parts(self, edition: Object) -> tuple[bytes, ...]:
        return plain_parts(edition)


class ProjectRoute(_PlainRoute):
    """To the managed agents that the project names."""

    kind: Kind = APPPROJECT

    def __init__(self, mapping: HubMapping, managed: Managed) -> None:
        super().__init__(mapping)
        self._managed = managed

    def audience(self, obj: Object) -> Collection[AgentName]:
        return self._among(obj, self._managed.names())

    def is_for(self, obj: Object, agent: AgentName) -> bool:
        return bool(self._among(obj, (agent,) if self._managed.has(agent) else ()))

    def _among(self, obj: Object, agents: Collection[AgentName]) -> Collection[AgentName]:
        if appproject.owner_of(obj, self._mapping.is_autonomous) is not None:
            return ()
        return appproject.agents_of(obj, agents, by_destination=self._mapping.by_destination)

    def edition(self, obj: Object, agent: AgentName) -> Object:
        # The hub takes finalizers off its projects; those of the spoke's controllers are theirs.
        edition = appproject.agent_edition(obj, agent, by_destination=self._mapping.by_destination)
        return edition.with_metadata(finalizers=None)


class RepositoryRoute(_PlainRoute):
    """To whoever has the project of the repository."""

    kind: Kind = REPOSITORY

    def __init__(self, mapping: HubMapping, agents_of_project: Callable[[str], Collection[AgentName]]) -> None:
        super().__init__(mapping)
        self._agents_of_project = agents_of_project

    def audience(self, obj: Object) -> Collection[AgentName]:
        return self._agents_of_project(project_of(obj))

    def is_for(self, obj: Object, agent: AgentName) -> bool:
        return agent in self.audience(obj)


class KeyRoute(_PlainRoute):
    """To every managed agent."""

    kind: Kind = GPGKEY

    def __init__(self, mapping: HubMapping, managed: Managed) -> None:
        super().__init__(mapping)
        self._managed = managed

    def audience(self, obj: Object) -> Collection[AgentName]:
        return self._managed.names()

    def is_for(self, obj: Object, agent: AgentName) -> bool:
        return self._managed.has(agent)
