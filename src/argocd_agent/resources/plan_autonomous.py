"""What an event asks of this cluster, in autonomous mode: the spoke owns, the hub shows.

`for_view` is the hub's side: it follows the spoke. `for_owner` is the spoke's: of the hub it takes a refresh, an
operation and the end of one, and nothing else. Pure; the rest is as in `plan`. Source: docs/protocol, "autonomous
Applications" and "AppProjects".
"""

from collections.abc import Callable
from dataclasses import dataclass

from argocd_agent.errors import EventDeferred, EventDiscarded, EventRefused
from argocd_agent.protocol.events import EventType
from argocd_agent.protocol.names import ANNOTATION_REFRESH
from argocd_agent.resources import application
from argocd_agent.resources.identity import claimed, incoming_uid, source_uid
from argocd_agent.resources.objects import Object
from argocd_agent.resources.plan import (
    Action,
    Create,
    Incoming,
    LetGo,
    Nothing,
    Update,
    operation_set,
    operation_terminated,
    refuse_other_uid,
)


@dataclass(frozen=True, slots=True)
class Viewing:
    """How the hub's copy of an edition is made, and brought up to date."""

    mirror: Callable[[Object], Object]
    updated: Callable[[Object, Object], Object]


def for_view(kind: str, event: Incoming, held: Object | None, viewing: Viewing) -> Action:
    """What the hub does about its copy of an autonomous agent's object; *event* has the hub's edition of it. Raises
    `EventDeferred`, too, while the copy goes that somebody has deleted: what the spoke says now counts for the next."""
    if event.type in (EventType.CREATE, EventType.SPEC_UPDATE):
        return _followed(event, held, viewing)
    if event.type == EventType.DELETE:
        if held is None:
            return Nothing("it is gone already")
        refuse_other_uid(kind, event, held, "the hub")
        return LetGo(held)
    raise EventRefused(f"an autonomous agent may not send {event.type!r} for {kind} {event.object.name}")


def _followed(event: Incoming, held: Object | None, viewing: Viewing) -> Action:
    uid = incoming_uid(event.object)
    if held is None:
        return Create(claimed(viewing.mirror(event.object), uid, ""))
    if held.is_deleting:
        raise EventDeferred(
            f'"{held.namespace}/{held.name}" is being deleted on the hub: it is made again when it is gone'
        )
    updated = viewing.updated(held, event.object)
    if source_uid(updated) != uid:
        updated = claimed(updated, uid, "")
    return Nothing("the copy is as the original") if updated == held else Update(updated)


def for_owner(event: Incoming, held: Object | None) -> Action:
    """What an autonomous agent does about its own Application when the hub sends *event*."""
    if event.type == EventType.CREATE:
        raise EventDiscarded(f"the hub may not create Application {event.object.name} on an autonomous spoke")
    if event.type not in _ASKED:
        raise EventRefused(f"the hub may not send {event.type!r} for Application {event.object.name} of this spoke")
    if held is None:
        raise EventRefused(f"Application {event.object.name} is not on this spoke")
    uid = source_uid(event.object)
    if uid and uid != incoming_uid(held):
        raise EventRefused(
            f'Application "{held.namespace}/{held.name}" of UID {uid!r}, '
            f"but the one on the spoke has {incoming_uid(held)!r}"
        )
    return _ASKED[event.type](event, held)


def _refreshed(event: Incoming, held: Object) -> Action:
    refresh = event.object.annotations.get(ANNOTATION_REFRESH)
    wanted = held
    if refresh and held.annotations.get(ANNOTATION_REFRESH) != refresh:
        wanted = held.with_annotations({ANNOTATION_REFRESH: refresh})
    if application.has_operation(event.object):
        action = operation_set(event, wanted)
        if isinstance(action, Update):
            return action
    return Nothing("nothing is asked for") if wanted == held else Update(wanted)


def _terminated(_: Incoming, held: Object) -> Action:
    return operation_terminated(held)


_ASKED: dict[str, Callable[[Incoming, Object], Action]] = {
    EventType.SPEC_UPDATE: _refreshed,
    EventType.SET_OPERATION: operation_set,
    EventType.TERMINATE_OPERATION: _terminated,
}
