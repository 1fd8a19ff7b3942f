"""What an autonomous agent publishes: the objects of one kind that its spoke owns, whole, whenever they change.

Until the principal has been there once nothing is queued: when it comes, all is compared. Called by the observer; never
waits. A principal of the reference ignores the update of an Application and the creation of a project that it does not
expect, so what it may not have is sent in the form that it takes.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from argocd_agent.agent.buffer import Buffer
from argocd_agent.peer.link import Link
from argocd_agent.peer.mirrors import Key
from argocd_agent.peer.observe import Change
from argocd_agent.protocol.events import AgentName, Event, EventType, object_key
from argocd_agent.resources import appproject, autonomous
from argocd_agent.resources.identity import incoming_uid
from argocd_agent.resources.kinds import APPLICATION, APPPROJECT, Kind
from argocd_agent.resources.objects import Object

_FIELDS = {APPLICATION: ("spec", "status", "operation"), APPPROJECT: ("spec", "status")}


class Publisher:
    """One kind, for *link*: `peer.resync.Supply`. *agent* says what we are called, *buffer* may hold back updates."""

    def __init__(
        self,
        kind: Kind,
        link: Link,
        buffer: Buffer,
        held: Mapping[Key, Object],
        agent: Callable[[], str],
        hub_home: Callable[[], str],
    ) -> None:
        self.kind, self._link, self._buffer, self._held = kind, link, buffer, held
        self._agent, self._hub_home = agent, hub_home
        self.is_open = False

    def on_change(self, change: Change) -> None:
        """One change of an object of the spoke."""
        if change.new is None:
            self._buffer.forget(object_key(self.kind.target, *change.object.key))
        if not self.is_open:
            return
        if change.new is None:
            self.delete(change.object)
        elif change.old is None:
            self.create(change.new)
        elif _differ(change.old, change.new):
            self._buffer.send(self._event(EventType.SPEC_UPDATE, change.new))

    def objects(self) -> Iterable[Object]:
        return list(self._held.values())

    def find(self, key: Key) -> Object | None:
        return self._held.get(key)

    def is_for_peer(self, obj: Object) -> bool:
        return True

    def edition(self, obj: Object) -> Object:
        return obj

    def uid(self, obj: Object) -> str:
        return incoming_uid(obj)

    def key(self, obj: Object) -> str:
        return f"{self.kind.name}//{obj.name}"

    def parts(self, obj: Object) -> tuple[bytes, ...]:
        agent = AgentName(self._agent())
        if self.kind is APPLICATION:
            return autonomous.digest_parts(obj, agent, is_source=True)
        return appproject.digest_parts_hub(obj, agent, self._hub_home(), is_source=True)

    def kept(self) -> Collection[str]:
        return ()  # the hub has only copies: one too many goes

    def create(self, obj: Object) -> None:
        self._link.put(self._event(EventType.CREATE, obj))

    def update(self, obj: Object) -> None:
        self._link.put(self._event(EventType.SPEC_UPDATE, obj))

    def delete(self, obj: Object) -> None:
        self._link.put(self._event(EventType.DELETE, obj))

    def _event(self, kind: EventType, obj: Object) -> Event:
        fields = () if kind is EventType.DELETE else _FIELDS[self.kind]
        bare = Object(obj.metadata, {name: obj.fields[name] for name in fields if name in obj.fields})
        return self._link.about(self.kind.target, kind, obj, bare.encode())


def _differ(old: Object, new: Object) -> bool:
    """Whether anything that the hub shows has changed."""
    return old.fields != new.fields or _shown(old) != _shown(new)


def _shown(obj: Object) -> tuple[object, ...]:
    about = obj.metadata
    return about.labels, about.annotations, about.finalizers, about.deletion_timestamp
