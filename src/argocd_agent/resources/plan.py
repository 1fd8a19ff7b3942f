"""What an event asks of this cluster: event + held object + settings → one action.

`for_mirror` is a managed agent's side, `for_source` the hub's of managed Applications; `plan_autonomous` has the other
mode. All are pure and are asked again with the newer object after a conflict. What would change nothing is `Nothing`:
applying is idempotent. Raises `EventRefused` for what is not allowed or cannot work, `EventDiscarded` for what makes no
sense here. Source of the rules: docs/protocol, "managed Applications" to "repositories and keys".
"""

from collections.abc import Callable
from dataclasses import dataclass

from argocd_agent.errors import EventDiscarded, EventRefused
from argocd_agent.protocol.events import EventType
from argocd_agent.protocol.names import ANNOTATION_ADOPTION_POLICY, LABEL_IGNORE_SYNC
from argocd_agent.resources import application
from argocd_agent.resources.checksum import canonical
from argocd_agent.resources.copies import Claims, Copying
from argocd_agent.resources.identity import Verdict, claimed, compare, incoming_uid, principal_uid, source_uid
from argocd_agent.resources.kinds import APPLICATION
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
    """Take the finalizers off the held object `object`, and delete it if nobody has: the other side is done with it."""

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


Rule = Callable[[Copying, Incoming, Object | None, str, Policies], Action]


def for_mirror(copying: Copying, event: Incoming, held: Object | None, namespace: str, policies: Policies) -> Action:
    """What a managed agent does about an object in *namespace* when the hub sends *event*."""
    rule = _MIRROR_RULES.get(event.type)
    if rule is None and copying.kind is APPLICATION:
        rule = _OPERATION_RULES.get(event.type)
    if rule is None:
        raise EventDiscarded(
            f"a managed agent does not take {event.type!r} for {copying.kind.name} {event.object.name} of its principal"
        )
    return rule(copying, event, held, namespace, policies)


def _sync(copying: Copying, event: Incoming, held: Object | None, namespace: str, policies: Policies) -> Action:
    incoming = event.object
    copying.check(incoming)
    if incoming.labels.get(LABEL_IGNORE_SYNC) == "true":
        raise EventRefused(f'{copying.kind.name} "{incoming.name}" is labelled {LABEL_IGNORE_SYNC}: it does not travel')
    verdict = compare(incoming, held, event.principal_uid)
    if held is None:
        if incoming.is_deleting and copying.kind is APPLICATION:
            return ReportGone()
        return Create(_claimed_mirror(copying, event, namespace))
    if verdict is Verdict.UNCLAIMED:
        left_alone = _left_alone(copying, event, held, namespace, policies)
        if left_alone is not None:
            return left_alone
    elif verdict is Verdict.REPLACED and _makes_anew(copying, event, held, policies):
        return Replace(held, _claimed_mirror(copying, event, namespace))
    return _update(copying, event, held, restamp=verdict is not Verdict.SAME)


def _left_alone(
    copying: Copying, event: Incoming, held: Object, namespace: str, policies: Policies
) -> ReportNotAdopted | None:
    """The report on an object that is nobody's and stays so; None if it is to be adopted."""
    kind = copying.kind.name
    if copying.claims is Claims.ALWAYS:
        return None
    if copying.claims is Claims.IF_ASKED:
        if held.annotations.get(ANNOTATION_ADOPTION_POLICY) == Adoption.ALWAYS:
            return None
        raise EventRefused(
            f'{kind} "{namespace}/{held.name}" was on the spoke before: it is not overwritten; '
            f"annotate it with {ANNOTATION_ADOPTION_POLICY}: {Adoption.ALWAYS} to let the hub have it"
        )
    if event.type != EventType.CREATE:
        raise EventRefused(
            f'{kind} "{namespace}/{held.name}" is not ours: it has no source UID; only a create may adopt it'
        )
    if policies.adoption_for(held) is Adoption.NEVER:
        return ReportNotAdopted(
            f"{kind} {held.name} exists on the spoke without a source UID, and the adoption policy is never"
        )
    return None


def _makes_anew(copying: Copying, event: Incoming, held: Object, policies: Policies) -> bool:
    """Whether a mirror whose source was made anew is deleted and made anew, too.

    Of a project, repository or key only within one hub: another one, that does not say who it is, has other UIDs for
    the same things, and nothing would be gained.
    """
    if policies.mismatch_for(event.object) is not Mismatch.RECREATE:
        return False
    return copying.kind is APPLICATION or (bool(event.principal_uid) and event.principal_uid == principal_uid(held))


def _update(copying: Copying, event: Incoming, held: Object, *, restamp: bool) -> Action:
    updated = copying.updated(held, event.object)
    if restamp or event.principal_uid:
        uid = incoming_uid(event.object) if restamp else source_uid(held)
        updated = claimed(updated, uid or source_uid(held), event.principal_uid)
    delete = event.object.is_deleting and not held.is_deleting and copying.kind is APPLICATION
    if updated == held:
        return Delete(held, foreground=True) if delete else Nothing("the mirror is as the source")
    return Update(updated, then_delete=delete)


def _claimed_mirror(copying: Copying, event: Incoming, namespace: str) -> Object:
    return claimed(copying.mirror(event.object, namespace), incoming_uid(event.object), event.principal_uid)


def _set_operation(copying: Copying, event: Incoming, held: Object | None, namespace: str, _: Policies) -> Action:
    return operation_set(event, mirror_of_source(event, held, namespace, "an operation"))


def operation_set(event: Incoming, target: Object) -> Action:
    """*target*, an Application, is to run the operation that *event* carries."""
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


def _terminate_operation(copying: Copying, event: Incoming, held: Object | None, namespace: str, _: Policies) -> Action:
    return operation_terminated(mirror_of_source(event, held, namespace, "the end of an operation"))


def operation_terminated(target: Object) -> Action:
    """*target*, an Application, is to stop its running operation."""
    if application.is_terminating(target):
        return Nothing("the operation is being terminated already")
    ended = application.with_phase_terminating(target)
    if ended is None:
        raise EventRefused(f'Application "{target.namespace}/{target.name}" has no operation that could be terminated')
    return Update(ended)


def mirror_of_source(event: Incoming, held: Object | None, namespace: str, what: str) -> Object:
    """*held*, if it is the mirror of what *event* is about. Raises `EventRefused` where it is not."""
    if held is None:
        raise EventRefused(f'{what} for Application "{namespace}/{event.object.name}", which is not on the spoke')
    uid = incoming_uid(event.object)
    if uid != source_uid(held):
        raise EventRefused(
            f'{what} for Application "{namespace}/{held.name}" of source UID {uid!r}, '
            f"but the one on the spoke has {source_uid(held)!r}"
        )
    return held


def _delete(copying: Copying, event: Incoming, held: Object | None, namespace: str, _: Policies) -> Action:
    if held is None:
        return Nothing("it is gone already")
    refuse_other_uid(copying.kind.name, event, held, "the spoke")
    owner = principal_uid(held)
    if event.principal_uid and owner and event.principal_uid != owner:
        raise EventRefused(
            f'deletion of {copying.kind.name} "{namespace}/{held.name}" by principal {event.principal_uid}, '
            f"but it is principal {owner}'s"
        )
    return Nothing("it is being deleted already") if held.is_deleting else Delete(held)


def refuse_other_uid(kind: str, event: Incoming, held: Object, where: str) -> None:
    """Raises `EventRefused` for the deletion of an object that *held* is not the mirror of."""
    uid = incoming_uid(event.object)
    if not source_uid(held) or uid != source_uid(held):
        raise EventRefused(
            f'deletion of {kind} "{held.namespace}/{held.name}" of source UID {uid!r}, '
            f"but the one on {where} has {source_uid(held) or 'none'!r}"
        )


_MIRROR_RULES: dict[str, Rule] = {
    EventType.CREATE: _sync,
    EventType.SPEC_UPDATE: _sync,
    EventType.DELETE: _delete,
}
_OPERATION_RULES: dict[str, Rule] = {
    EventType.SET_OPERATION: _set_operation,
    EventType.TERMINATE_OPERATION: _terminate_operation,
}


def for_source(event: Incoming, held: Object | None, *, keep_operation: bool) -> Action:
    """What the principal does about a managed Application when its agent sends *event*.

    *keep_operation*: the hub's operation has not reached the spoke yet.
    """
    name = event.object.name
    uid = source_uid(event.object)
    if held is not None and uid and uid != incoming_uid(held):
        raise EventRefused(f"Application {name} of UID {uid!r}, but the one on the hub has {incoming_uid(held)!r}")
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
