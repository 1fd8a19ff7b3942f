"""What we know about Argo CD Applications, and nothing else does.

Which fields travel which way, which count when two copies are compared, and how one side's copy is written
from the other's. Source: docs/protocol, "managed Applications"; field names:
https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#applications.
"""

from collections.abc import Mapping
from typing import Any

from argocd_agent.codec import decode_any, encode
from argocd_agent.errors import DecodeError
from argocd_agent.protocol.names import (
    ANNOTATION_LAST_APPLIED,
    ANNOTATION_LAST_UPDATED,
    ANNOTATION_NAMESPACE_REMAPPED,
    ANNOTATION_NEXT_OPERATION,
    ANNOTATION_NOTIFIED,
    ANNOTATION_PRINCIPAL_UID,
    ANNOTATION_REFRESH,
    ANNOTATION_REFUSED,
    ANNOTATION_SOURCE_UID,
    CONDITION_AGENT_ERROR,
    CONDITION_REFUSED,
    DESTINATION_IN_CLUSTER,
    PHASE_TERMINATING,
)
from argocd_agent.resources.checksum import canonical
from argocd_agent.resources.objects import Metadata, Object

# Annotations that belong to one side, or to the moment: they never make two copies different.
OWN_TO_ONE_SIDE = frozenset(
    {
        ANNOTATION_SOURCE_UID,
        ANNOTATION_PRINCIPAL_UID,
        ANNOTATION_NAMESPACE_REMAPPED,
        ANNOTATION_LAST_APPLIED,
        ANNOTATION_LAST_UPDATED,
        ANNOTATION_NOTIFIED,
        ANNOTATION_REFRESH,
        ANNOTATION_NEXT_OPERATION,
        ANNOTATION_REFUSED,
    }
)
# What an update of a mirror leaves as it is.
_OF_THE_SPOKE = (
    ANNOTATION_REFRESH,
    ANNOTATION_NOTIFIED,
    ANNOTATION_SOURCE_UID,
    ANNOTATION_PRINCIPAL_UID,
    ANNOTATION_NAMESPACE_REMAPPED,
    ANNOTATION_NEXT_OPERATION,
)
# Set and removed by a cluster's own garbage collector; they say nothing about the other cluster.
_OF_THE_COLLECTOR = frozenset({"foregroundDeletion", "orphan"})

_EMPTY = b"{}"
_REFUSED, _AGENT_ERROR = CONDITION_REFUSED.encode(), CONDITION_AGENT_ERROR.encode()


def shared_annotations(obj: Object) -> dict[str, str]:
    """The annotations that both copies have."""
    return {name: value for name, value in obj.annotations.items() if name not in OWN_TO_ONE_SIDE}


def shared_finalizers(obj: Object) -> tuple[str, ...]:
    """The finalizers that both copies have."""
    return tuple(name for name in obj.metadata.finalizers or () if name not in _OF_THE_COLLECTOR)


def spoke_spec(obj: Object) -> bytes:
    """`spec` as it stands on a managed spoke: the destination is always the cluster itself, its namespace is kept."""
    spec = obj.look("spec")
    if not isinstance(spec, dict):
        return _EMPTY
    old = spec.get("destination")
    destination = {"name": DESTINATION_IN_CLUSTER}
    if isinstance(old, dict) and isinstance(old.get("namespace"), str) and old["namespace"]:
        destination["namespace"] = old["namespace"]
    return canonical({**spec, "destination": destination})


def has_operation(obj: Object) -> bool:
    """Whether somebody asked for a sync that has not begun."""
    return obj.fields.get("operation", b"null") != b"null"


def phase(obj: Object) -> str:
    """`status.operationState.phase`; empty if there never was an operation."""
    raw = obj.fields.get("status")
    if raw is None or b'"operationState"' not in raw:  # most have none; do not parse them
        return ""
    state = operation_state(obj)
    value = state.get("phase") if state else None
    return value if isinstance(value, str) else ""


def operation_state(obj: Object) -> dict[str, Any] | None:
    """`status.operationState`, decoded; None if there is none that can be read."""
    state = _status(obj).get("operationState")
    return state if isinstance(state, dict) else None


def _status(obj: Object) -> dict[str, Any]:
    """`status`, decoded; empty where it is not what it should be: on the spoke anybody may have written it."""
    try:
        status = obj.look("status")
    except DecodeError:
        return {}
    return status if isinstance(status, dict) else {}


def with_next_operation(obj: Object, operation: bytes) -> Object:
    """*obj* with an operation that begins when the one that runs has ended. The newest takes the place of an older."""
    return obj.with_annotations({ANNOTATION_NEXT_OPERATION: operation.decode()})


def may_begin_next(obj: Object) -> bool:
    """Whether an operation waits on *obj*, and none runs any more."""
    return not has_operation(obj) and _next_operation(obj) is not None


def next_begun(obj: Object) -> Object:
    """*obj* with the operation that waited."""
    operation = _next_operation(obj)
    assert operation is not None, "asked only where one waits"
    return obj.with_annotations({ANNOTATION_NEXT_OPERATION: None}).with_fields({"operation": encode(operation)})


def _next_operation(obj: Object) -> dict[str, Any] | None:
    text = obj.annotations.get(ANNOTATION_NEXT_OPERATION)
    if text is None:
        return None
    try:
        operation = decode_any(text, ANNOTATION_NEXT_OPERATION)
    except DecodeError:  # somebody else's; it stays, and means nothing
        return None
    return operation if isinstance(operation, dict) else None


def is_running_here(obj: Object) -> bool:
    """Whether the operation asked for is the one that the status says is running: it has reached the spoke."""
    state = operation_state(obj)
    if state is None or state.get("phase") not in ("Running", PHASE_TERMINATING):
        return False
    return canonical(state.get("operation")) == canonical(obj.look("operation"))


def has_begun(known: Object, now: Object) -> bool:
    """Whether an operation has begun between two versions, by what their statuses say."""
    before, after = operation_state(known) or {}, operation_state(now) or {}
    return bool(after.get("startedAt")) and after.get("startedAt") != before.get("startedAt")


def is_terminating(obj: Object) -> bool:
    """Whether the running operation has been asked to stop."""
    return phase(obj) == PHASE_TERMINATING


def with_phase_terminating(obj: Object) -> Object | None:
    """*obj* with its operation asked to stop; None if it has no operation state."""
    status, state = _status(obj), operation_state(obj)
    if state is None:
        return None
    return obj.with_fields({"status": encode({**status, "operationState": {**state, "phase": PHASE_TERMINATING}})})


def wants_the_same(old: Object, new: Object) -> bool:
    """Whether two versions of a source would be sent to the spoke alike, operations apart.

    A refresh that goes away is no news: the spoke removed it.
    """
    refresh = new.annotations.get(ANNOTATION_REFRESH)
    return (
        (refresh is None or refresh == old.annotations.get(ANNOTATION_REFRESH))
        and old.fields.get("spec") == new.fields.get("spec")
        and old.labels == new.labels
        and shared_annotations(old) == shared_annotations(new)
        and shared_finalizers(old) == shared_finalizers(new)
        and old.is_deleting == new.is_deleting
    )


def digest_parts(obj: Object, *, is_source: bool) -> tuple[bytes, ...]:
    """What of a managed Application counts in the digest of specifications, in canonical form.

    The source's copy is taken as it would be sent, the mirror's as it is stored, so that equal means equal.
    """
    spec = spoke_spec(obj) if is_source else canonical(obj.fields.get("spec", _EMPTY))
    return (
        spec,
        encode(sorted(obj.labels.items())),
        encode(sorted(shared_annotations(obj).items())),
        encode(sorted(shared_finalizers(obj))),
        b"1" if obj.is_deleting else b"0",
    )


def status_parts(obj: Object) -> tuple[bytes, ...]:
    """What of an Application counts in the digest of statuses. The hub's own condition is not the spoke's."""
    raw = obj.fields.get("status", _EMPTY)
    if _REFUSED in raw:
        raw = encode(without_condition(obj.look("status"), CONDITION_REFUSED))
    return (canonical(raw), b"1" if ANNOTATION_REFRESH in obj.annotations else b"0")


def mirror(incoming: Object, namespace: str) -> Object:
    """What an agent creates from *incoming*: another object, in *namespace*, for the cluster it is in."""
    annotations = shared_annotations(incoming) | _taken_over(incoming)
    metadata = Metadata(
        name=incoming.name,
        namespace=namespace,
        labels=dict(incoming.labels) or None,
        annotations=annotations or None,
        finalizers=shared_finalizers(incoming) or None,
    )
    fields: dict[str, bytes] = {"spec": spoke_spec(incoming)}
    if has_operation(incoming):
        fields["operation"] = incoming.fields["operation"]
    if incoming.fields.get("status", b"null") != b"null":
        fields["status"] = _unlisted(_of_the_spoke(incoming.fields["status"]))
    return Object(metadata, fields)


def mirror_updated(held: Object, incoming: Object) -> Object:
    """*held*, the spoke's copy, brought to what *incoming* says. Status stays; identity annotations stay.

    A refresh that the spoke's controller has yet to see stays. An operation is taken over unless the running one is
    being terminated.
    """
    annotations = shared_annotations(incoming) | _taken_over(incoming)
    annotations |= {name: held.annotations[name] for name in _OF_THE_SPOKE if name in held.annotations}
    spec = spoke_spec(incoming)
    changes: dict[str, bytes | None] = {}
    if canonical(held.fields.get("spec", _EMPTY)) != spec:
        changes["spec"] = spec
    if has_operation(incoming) and not is_terminating(held):
        changes["operation"] = incoming.fields["operation"]
    updated = held.with_fields(changes) if changes else held
    return updated.with_metadata(
        labels=dict(incoming.labels) or None,
        annotations=annotations or None,
        finalizers=updated_finalizers(held, incoming) or None,
    )


def updated_finalizers(held: Object, incoming: Object) -> tuple[str, ...]:
    """The finalizers of *held*, a mirror, brought to those of *incoming*: its own collector's stay.

    Kubernetes forbids new finalizers on an object that is being deleted, so none is added then.
    """
    present = held.metadata.finalizers or ()
    wanted = shared_finalizers(incoming)
    if held.is_deleting:
        wanted = tuple(name for name in wanted if name in present)
    return wanted + tuple(name for name in present if name in _OF_THE_COLLECTOR)


def _taken_over(incoming: Object) -> dict[str, str]:
    """The annotations of one side that a mirror takes over: a refresh, and what says that it lives elsewhere here."""
    names = (ANNOTATION_REFRESH, ANNOTATION_NAMESPACE_REMAPPED)
    return {name: incoming.annotations[name] for name in names if incoming.annotations.get(name)}


def source_updated(held: Object, incoming: Object, *, keep_operation: bool) -> Object:
    """*held*, the hub's copy, with status and refresh of *incoming*, the spoke's; nothing else changes.

    The operation on the hub is a user's wish, never the spoke's word: it goes when the spoke has none any more, unless
    it has not reached the spoke yet (*keep_operation*), and one that began on the spoke does not come. It would look
    like a wish, and be run again.
    """
    status = incoming.fields.get("status", _EMPTY)
    changes: dict[str, bytes | None] = {}
    if held.fields.get("status", _EMPTY) != status:
        changes["status"] = _with_refusal_of(held, status)
    if has_operation(held) and not has_operation(incoming) and not keep_operation:
        changes["operation"] = None
    updated = held.with_fields(changes) if changes else held
    refresh = incoming.annotations.get(ANNOTATION_REFRESH)
    if refresh != held.annotations.get(ANNOTATION_REFRESH):
        updated = updated.with_annotations({ANNOTATION_REFRESH: refresh})
    return updated


def _of_the_spoke(status: bytes) -> bytes:
    """*status* without what the hub has put into it by itself: it would come back as the spoke's word."""
    if _REFUSED not in status and _AGENT_ERROR not in status:
        return status
    value = decode_any(status, "status")
    bare = without_condition(without_condition(value, CONDITION_REFUSED), CONDITION_AGENT_ERROR)
    if len(conditions(value)) != len(conditions(bare)) and _AGENT_ERROR in status:
        bare.pop("health", None)  # Degraded: set together with the condition
    return encode(bare)


def _unlisted(status: bytes) -> bytes:
    """*status* without the list of resources. What may be seen of a spoke goes by that list, so only the spoke's own
    Argo CD writes it there: the hub could name anything in it."""
    if b'"resources"' not in status:
        return status
    value = decode_any(status, "status")
    return (
        encode({name: part for name, part in value.items() if name != "resources"})
        if isinstance(value, dict)
        else b"{}"
    )


def _with_refusal_of(held: Object, status: bytes) -> bytes:
    status = _of_the_spoke(status)
    if _REFUSED not in held.fields.get("status", b""):
        return status
    refusals = [c for c in conditions(held.look("status")) if c.get("type") == CONDITION_REFUSED]
    return encode(with_conditions(Object(Metadata(), {"status": status}).look("status"), refusals))


def without_condition(status: Any, kind: str) -> dict[str, Any]:
    """*status* without conditions of type *kind*."""
    others = [c for c in conditions(status) if c.get("type") != kind]
    fields = status if isinstance(status, dict) else {}
    kept = {name: value for name, value in fields.items() if name != "conditions"}
    return {**kept, "conditions": others} if others else kept


def with_conditions(status: Any, more: list[Mapping[str, Any]]) -> dict[str, Any]:
    """*status* with *more* conditions at the end."""
    return {**(status if isinstance(status, dict) else {}), "conditions": [*conditions(status), *more]}


def conditions(status: Any) -> list[Mapping[str, Any]]:
    """The conditions in *status* that can be read."""
    found = status.get("conditions") if isinstance(status, dict) else None
    return [c for c in found if isinstance(c, dict)] if isinstance(found, list) else []


def without_operation_state(obj: Object) -> Object:
    """*obj* as if no operation had ever run."""
    status = obj.look("status")
    if not isinstance(status, dict) or "operationState" not in status:
        return obj
    return obj.with_fields({"status": encode({k: v for k, v in status.items() if k != "operationState"})})
