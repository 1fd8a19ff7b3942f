"""Telling the owner of an object why the other side does not have it, and when it has it after all.

What was refused is remembered while this process lives. After a restart the object itself says that its owner was told:
its owner marks it, and the mark travels with it. A peer of the reference has no word for any of this.
"""

from collections.abc import Awaitable, Callable

from argocd_agent.peer.link import Link
from argocd_agent.protocol.capabilities import Capability
from argocd_agent.protocol.events import Event, EventType, object_key
from argocd_agent.protocol.names import ANNOTATION_REFUSED, CONDITION_REFUSED
from argocd_agent.resources.kinds import Kind
from argocd_agent.resources.objects import Object
from argocd_agent.wire.payloads import Refusal

_CONDITION = CONDITION_REFUSED.encode()
_REMEMBERED = 10_000  # beyond it the oldest is forgotten, and healed by its mark alone

Report = Callable[[Kind, str, str, str, str], Awaitable[None]]
"""Kind, namespace, name, who says it, what (empty: all is well): shows it where the owner looks."""


class Refusals:
    """What this end has refused."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], None] = {}

    def refused(self, link: Link, event: Event, obj: Object, message: str) -> None:
        """*obj* of *event* could not be applied, and why."""
        if link.peer.can(Capability.REFUSED):
            self._told[link.name, _key(event, obj)] = None
            if len(self._told) > _REMEMBERED:
                del self._told[next(iter(self._told))]
            _send(link, event, obj, message)

    def taken(self, link: Link, event: Event, obj: Object) -> None:
        """*obj* of *event* was applied. If its owner thinks that it was not, it is told."""
        was_told = (link.name, _key(event, obj)) in self._told
        is_marked = ANNOTATION_REFUSED in obj.annotations or _CONDITION in obj.fields.get("status", b"")
        if (was_told or is_marked) and link.peer.can(Capability.REFUSED):
            self._told.pop((link.name, _key(event, obj)), None)
            _send(link, event, obj, "")


def _key(event: Event, obj: Object) -> str:
    return object_key(event.target, obj.namespace, obj.name)


def _send(link: Link, event: Event, obj: Object, message: str) -> None:
    payload = Refusal(
        target=event.target.value,
        namespace=obj.namespace,
        name=obj.name,
        uid=obj.uid,
        reason="Refused" if message else "",
        message=message,
        event_id=event.event_id,
    )
    key = f"refused/{_key(event, obj)}"
    link.put(link.message(event.target, EventType.REFUSED, payload, key=key))
