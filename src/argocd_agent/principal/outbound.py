"""What changes on the hub → events for the agent concerned.

Called by the observer; never waits. Decided by content: a change of status alone, which is the agent's own word coming
back, says nothing. For an agent that has not been here since this process started nothing is kept: when it comes, all
that it must have is compared.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from argocd_agent.peer.link import Link
from argocd_agent.peer.observe import Change, Key
from argocd_agent.principal.agents import Agents
from argocd_agent.protocol.digest import Repairs
from argocd_agent.protocol.events import AgentName, EventType, Target, object_key
from argocd_agent.protocol.modes import Mode
from argocd_agent.resources import application
from argocd_agent.resources.mapping import HubMapping
from argocd_agent.resources.objects import Metadata, Object

Counted = Literal["created", "updated", "deleted"]

_CREATED = ("spec", "status")
_UPDATED = ("spec",)
_OPERATION = ("spec", "operation")


class Outbound:
    """Turns changes of managed Applications into events. *is_registered*: whether the agent has a cluster Secret."""

    def __init__(
        self,
        agents: Agents,
        mapping: HubMapping,
        held: Mapping[Key, Object],
        principal_uid: str,
        *,
        is_registered: Callable[[AgentName], bool],
        count: Callable[[Counted], None],
    ) -> None:
        self._agents, self._mapping, self._held, self._principal_uid = agents, mapping, held, principal_uid
        self._is_registered, self._count = is_registered, count
        self._by_agent: dict[AgentName, dict[Key, Object]] = {}

    def on_change(self, change: Change) -> None:
        """One change of an Application on the hub."""
        name = self._mapping.agent_of(change.object)
        self._index(name, change)
        agent = self._agents.get(name) if name is not None else None
        if name is None or agent is None or not agent.has_connected or agent.mode is not Mode.MANAGED:
            return  # an autonomous agent of the reference would obey: it must not hear of the hub's copies
        if not self._is_registered(name):
            return
        if change.new is None:
            self.delete(agent.link, change.object)
        elif change.old is None:
            self.create(agent.link, change.new)
        else:
            self._updated(agent.link, change.old, change.new)

    def create(self, link: Link, obj: Object) -> None:
        """Send all of *obj*: the spoke does not have it. Its operation is an event of its own: nothing replaces it."""
        self._send(link, EventType.CREATE, obj, _CREATED)
        self._count("created")
        if application.has_operation(obj):
            self.operate(link, obj)

    def update(self, link: Link, obj: Object) -> None:
        """Send what *obj* specifies."""
        self._send(link, EventType.SPEC_UPDATE, obj, _UPDATED)
        self._count("updated")

    def delete(self, link: Link, obj: Object) -> None:
        """Tell that *obj* is gone; its name, namespace and UID are enough."""
        self._send(link, EventType.DELETE, obj, ())
        self._count("deleted")

    def operate(self, link: Link, obj: Object) -> None:
        """Send the operation that somebody asked for."""
        self._send(link, EventType.SET_OPERATION, obj, _OPERATION)

    def of(self, name: AgentName) -> Iterator[Object]:
        """The Applications of agent *name*."""
        return iter(list(self._by_agent.get(name, {}).values()))

    def repair(self, link: Link, found: Repairs, held: Mapping[str, Object]) -> None:
        """Send what the agent lacks, has wrong, or should not have."""
        for entry in found.missing:
            self.create(link, held[entry.key])
        for entry in found.different:
            self.update(link, held[entry.key])
        for entry in found.extra:
            _, _, name = entry.key.rpartition("/")
            self.delete(link, Object(Metadata(name=name, namespace=link.name, uid=entry.uid), {}))

    def has_undelivered_operation(self, link: Link, obj: Object) -> bool:
        """Whether the operation on the hub's *obj* may not have reached the spoke yet."""
        if not application.has_operation(obj):
            return False
        key = object_key(Target.APPLICATION, obj.namespace, obj.name)
        if EventType.SET_OPERATION in link.outbox.pending_types(key):
            return True
        # A version read after a conflict may hold an operation that the observer has yet to see.
        seen = self._held.get(obj.key)
        return seen is None or seen.fields.get("operation") != obj.fields.get("operation")

    def _index(self, name: AgentName | None, change: Change) -> None:
        if name is None:
            return
        objects = self._by_agent.setdefault(name, {})
        if change.new is not None:
            objects[change.new.key] = change.new
        elif objects.pop(change.object.key, None) is not None and not objects:
            del self._by_agent[name]

    def _updated(self, link: Link, old: Object, new: Object) -> None:
        if not application.wants_the_same(old, new):
            self.update(link, new)
        before, after = old.fields.get("operation"), new.fields.get("operation")
        if application.has_operation(new) and before != after:
            self.operate(link, new)
        if not application.is_terminating(old) and application.is_terminating(new):
            self._send(link, EventType.TERMINATE_OPERATION, new, ("spec",))

    def _send(self, link: Link, kind: EventType, obj: Object, fields: tuple[str, ...]) -> None:
        bare = Object(obj.metadata, {name: obj.fields[name] for name in fields if name in obj.fields})
        uid = "" if kind is EventType.SET_OPERATION else self._principal_uid  # as the reference (3.3)
        link.put(link.about(Target.APPLICATION, kind, obj, bare.encode(), principal_uid=uid))
