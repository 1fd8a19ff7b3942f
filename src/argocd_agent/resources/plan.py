"""What an event asks of this cluster: event + held object + settings → one action.

`for_mirror` is the agent's side of managed Applications, `for_source` the hub's. Both are pure and are asked again
with the newer object after a conflict. What would change nothing is `Nothing`: applying is idempotent.
Raises `EventRefused` for what is not allowed or cannot work, `EventDiscarded` for what makes no sense here.
Source of the rules: docs/protocol, "managed Applications".
"""

from collections.abc import Callable
from dataclasses import dataclass

from argocd_agent.errors import EventDiscarded, EventRefused
from argocd_agent.protocol.events import EventType
from argocd_agent.resources import application
from argocd_agent.resources.checksum import canonical
from argocd_agent.resources.identity import Verdict, claimed, compare, incoming_uid, principal_uid, source_uid
from argocd_agent.resources.objects import Object
from argocd_agent.resources.policy import Adoption, Mismatch, Policies


@dataclass(frozen=True, slots=True)
class Nothing:
    """All is as it should be. `because` is for logs."""

    because: str


@dataclass(frozen=True, slots=True)
class Create:
    """Create `object`; it is not there."""

    object: Object


@dataclass(frozen=True, slots=True)
class Update:
    """Replace the held object by `object`, which carries the version that this was decided on.

    With `then_delete` it is to be deleted afterwards, dependants first: the source is being deleted.
    """

    object: Object
    then_delete: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the held object `object`, and only it: its UID is a precondition."""

    object: Object
    foreground: bool = False


@dataclass(frozen=True, slots=True)
class Replace:
    """Delete `old`; when its finalizers have let it go, create `new`."""

    old: Object
    new: Object


@dataclass(frozen=True, slots=True)
class LetGo:
    """Take the finalizers off the held object `object` and delete it: the other side is done with it."""

    object: Object


@dataclass(frozen=True, slots=True)
class ReportGone:
    """The source is being deleted and nothing of it is left here: tell it so."""


@dataclass(frozen=True, slots=True)
class ReportNotAdopted:
    """The object was here before and stays as it is; its owner is told."""

    message: str


Action = Nothing | Create | Update | Delete | Replace | LetGo | ReportGone | ReportNotAdopted


@dataclass(frozen=True, slots=True)
class Incoming:
    """An event about one object, as far as a plan looks at it."""

    type: str
    object: Object
    principal_uid: str = ""


def for_mirror(event: Incoming, held: Object | None, namespace: str, policies: Policies) -> Action:
    """What a managed agent does about an Application in *namespace* when the hub sends *event*."""
    rule = _MIRROR_RULES.get(event.type)
    if rule is None:
        raise EventDiscarded(f"a managed agent does not take {event.type!r} for an Application from its principal")
    return rule(event, held, namespace, policies)


def _sync(event: Incoming, held: Object | None, namespace: str, policies: Policies) -> Action:
    verdict = compare(event.object, held, event.principal_uid)
    if held is None:
        if event.object.is_deleting:
            return ReportGone()
        return Create(_claimed_mirror(event, namespace))
    if verdict is Verdict.UNCLAIMED:
        if event.type != EventType.CREATE:
            raise EventRefused(
                f'Application "{namespace}/{held.name}" is not ours: it has no source UID; only a create may adopt it'
            )
        if policies.adoption_for(held) is Adoption.NEVER:
            return ReportNotAdopted(
                f"Application {held.name} exists on the spoke without a source UID, and the adoption policy is never"
            )
    elif verdict is Verdict.REPLACED and policies.mismatch_for(event.object) is Mismatch.RECREATE:
        return Replace(held, _claimed_mirror(event, namespace))
    return _update(event, held, restamp=verdict is not Verdict.SAME)


def _update(event: Incoming, held: Object, *, restamp: bool) -> Action:
    updated = application.mirror_updated(held, event.object)
    if restamp or event.principal_uid:
        uid = incoming_uid(event.object) if restamp else source_uid(held)
        updated = claimed(updated, uid or source_uid(held), event.principal_uid)
    delete = event.object.is_deleting and not held.is_deleting
    if updated == held:
        return Delete(held, foreground=True) if delete else Nothing("the mirror is as the source")
    return Update(updated, then_delete=delete)


def _claimed_mirror(event: Incoming, namespace: str) -> Object:
    return claimed(application.mirror(event.object, namespace), incoming_uid(event.object), event.principal_uid)


def _set_operation(event: Incoming, held: Object | None, namespace: str, _: Policies) -> Action:
    target = _mirror_of(event, held, namespace, "an operation")
    if not application.has_operation(event.object):
        raise EventRefused(f'Application "{target.namespace}/{target.name}": set-operation carries no operation')
    if application.is_terminating(target):
        return Nothing("the running operation is being terminated")
    operation = event.object.fields["operation"]
    if application.has_operation(target):
        if canonical(target.fields["operation"]) == canonical(operation):
            return Nothing("the operation is already asked for")
        # Argo CD forgets an operation that is set while another one runs.
        waiting = application.with_next_operation(target, operation)
        return Nothing("the operation is already waiting") if waiting == target else Update(waiting)
    return Update(target.with_fields({"operation": operation}))


def _terminate_operation(event: Incoming, held: Object | None, namespace: str, _: Policies) -> Action:
    target = _mirror_of(event, held, namespace, "the end of an operation")
    if application.is_terminating(target):
        return Nothing("the operation is being terminated already")
    ended = application.with_phase_terminating(target)
    if ended is None:
        raise EventRefused(f'Application "{target.namespace}/{target.name}" has no operation that could be terminated')
    return Update(ended)


def _mirror_of(event: Incoming, held: Object | None, namespace: str, what: str) -> Object:
    if held is None:
        raise EventRefused(f'{what} for Application "{namespace}/{event.object.name}", which is not on the spoke')
    uid = incoming_uid(event.object)
    if uid != source_uid(held):
        raise EventRefused(
            f'{what} for Application "{namespace}/{held.name}" of source UID {uid!r}, '
            f"but the one on the spoke has {source_uid(held)!r}"
        )
    return held


def _delete(event: Incoming, held: Object | None, namespace: str, _: Policies) -> Action:
    if held is None:
        return Nothing("it is gone already")
    uid = incoming_uid(event.object)
    if not source_uid(held) or uid != source_uid(held):
        raise EventRefused(
            f'deletion of Application "{namespace}/{held.name}" of source UID {uid!r}, '
            f"but the one on the spoke has {source_uid(held) or 'none'!r}"
        )
    owner = principal_uid(held)
    if event.principal_uid and owner and event.principal_uid != owner:
        raise EventRefused(
            f'deletion of Application "{namespace}/{held.name}" by principal {event.principal_uid}, '
            f"but it is principal {owner}'s"
        )
    return Nothing("it is being deleted already") if held.is_deleting else Delete(held)


_MIRROR_RULES: dict[str, Callable[[Incoming, Object | None, str, Policies], Action]] = {
    EventType.CREATE: _sync,
    EventType.SPEC_UPDATE: _sync,
    EventType.SET_OPERATION: _set_operation,
    EventType.TERMINATE_OPERATION: _terminate_operation,
    EventType.DELETE: _delete,
}


def for_source(event: Incoming, held: Object | None, *, keep_operation: bool) -> Action:
    """What the principal does about a managed Application when its agent sends *event*.

    *keep_operation*: the hub's operation has not reached the spoke yet.
    """
    name = event.object.name
    uid = source_uid(event.object)
    if held is not None and uid and uid != held.uid:
        raise EventRefused(f"Application {name} of UID {uid!r}, but the one on the hub has {held.uid!r}")
    if event.type == EventType.STATUS_UPDATE:
        if held is None:
            raise EventRefused(f"status of Application {name}, which is not on the hub")
        updated = application.source_updated(held, event.object, keep_operation=keep_operation)
        return Nothing("the status is known") if updated == held else Update(updated)
    if event.type == EventType.DELETE:
        if held is None:
            return Nothing("it is gone already")
        # A managed agent does not decide about deletions: it only reports that its copy is gone.
        return LetGo(held) if held.is_deleting else Nothing("the Application lives on the hub")
    if event.type == EventType.CREATE:
        raise EventDiscarded(f"a managed agent may not create Application {name} on the hub")
    raise EventRefused(f"a managed agent may not send {event.type!r} for Application {name}")
