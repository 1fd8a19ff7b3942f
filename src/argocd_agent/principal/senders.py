"""How an object of each kind is told to an agent: which of its fields, in which events."""

from collections.abc import Callable
from typing import Literal

from argocd_agent.peer.link import Link
from argocd_agent.protocol.events import EventType, object_key
from argocd_agent.protocol.names import ANNOTATION_REFUSED, ANNOTATION_SOURCE_UID, CONDITION_REFUSED
from argocd_agent.resources import application
from argocd_agent.resources.kinds import APPLICATION, Kind
from argocd_agent.resources.objects import Metadata, Object

Counted = Literal["created", "updated", "deleted"]

_REFUSED = CONDITION_REFUSED.encode()


class Sender:
    """Projects, repositories and keys: always whole. *same*: whether two editions mean the same to the agent."""

    def __init__(
        self,
        kind: Kind,
        principal_uid: str,
        same: Callable[[Object, Object], bool],
        count: Callable[[Counted], None] = lambda _: None,
    ) -> None:
        self.kind, self._principal_uid, self._same, self._count = kind, principal_uid, same, count
        self._fields = ("type", *kind.compared)

    def create(self, link: Link, obj: Object) -> None:
        """The spoke does not have *obj*."""
        self._send(link, EventType.CREATE, obj, self._fields)
        self._count("created")

    def update(self, link: Link, obj: Object) -> None:
        """What *obj* specifies."""
        self._send(link, EventType.SPEC_UPDATE, obj, self._fields)
        self._count("updated")

    def delete(self, link: Link, obj: Object) -> None:
        """*obj* is gone; its name, namespace and UID are enough. The agent may never have been to see the rest."""
        about = obj.metadata
        uids = {name: uid for name, uid in obj.annotations.items() if name == ANNOTATION_SOURCE_UID}
        bare = Metadata(
            name=about.name,
            namespace=about.namespace,
            uid=about.uid,
            resource_version=about.resource_version,
            annotations=uids or None,
        )
        self._send(link, EventType.DELETE, Object(bare, {}), ())
        self._count("deleted")

    def changed(self, link: Link, old: Object, new: Object) -> None:
        """One edition has taken the place of another."""
        if not self._same(old, new):
            self.update(link, new)

    def _send(self, link: Link, kind: EventType, obj: Object, fields: tuple[str, ...]) -> None:
        bare = Object(obj.metadata, {name: obj.fields[name] for name in fields if name in obj.fields})
        uid = "" if kind is EventType.SET_OPERATION else self._principal_uid  # as the reference (3.3)
        link.put(link.about(self.kind.target, kind, obj, bare.encode(), principal_uid=uid))


class ApplicationSender(Sender):
    """Applications: a status only to start with, operations as events of their own."""

    def __init__(self, principal_uid: str, count: Callable[[Counted], None]) -> None:
        super().__init__(APPLICATION, principal_uid, application.wants_the_same, count)
        self._fields = ("spec",)

    def create(self, link: Link, obj: Object) -> None:
        """All of *obj*. Its operation is an event of its own: nothing replaces it."""
        self._send(link, EventType.CREATE, obj, ("spec", "status"))
        self._count("created")
        if application.has_operation(obj):
            self.operate(link, obj)

    def changed(self, link: Link, old: Object, new: Object) -> None:
        """A new version, or a new operation, or the end of one."""
        super().changed(link, old, new)
        before, after = old.fields.get("operation"), new.fields.get("operation")
        if application.has_operation(new) and before != after:
            self.operate(link, new)
        if not application.is_terminating(old) and application.is_terminating(new):
            self.terminate(link, new)

    def operate(self, link: Link, obj: Object) -> None:
        """The operation that somebody asked for."""
        self._send(link, EventType.SET_OPERATION, obj, ("spec", "operation"))

    def terminate(self, link: Link, obj: Object) -> None:
        """Somebody wants the running operation to stop."""
        self._send(link, EventType.TERMINATE_OPERATION, obj, ("spec",))

    def _send(self, link: Link, kind: EventType, obj: Object, fields: tuple[str, ...]) -> None:
        if _REFUSED in obj.fields.get(
            "status", b""
        ):  # so that an agent that was restarted knows what it must take back
            obj = obj.with_annotations({ANNOTATION_REFUSED: "true"})
        super()._send(link, kind, obj, fields)


def is_operation_pending(link: Link, obj: Object) -> bool:
    """Whether an operation on *obj* is still on its way to the agent."""
    key = object_key(APPLICATION.target, obj.namespace, obj.name)
    return EventType.SET_OPERATION in link.outbox.pending_types(key)
