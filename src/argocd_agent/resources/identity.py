"""Whose copy is this? One verdict on an incoming object and the one that is held.

A mirror carries the UID of its source, and of the principal that wrote it last, in annotations.
Source of the order of the rules: docs/protocol, "identity of a managed Application".
"""

from enum import StrEnum

from argocd_agent.protocol.names import ANNOTATION_PRINCIPAL_UID, ANNOTATION_SOURCE_UID
from argocd_agent.resources.objects import Object


class Verdict(StrEnum):
    """What the held object is to the incoming one."""

    ABSENT = "absent"
    SAME = "same"
    MOVED = "moved"  # another principal took over, or the first that says who it is
    WIPED = "wiped"  # the incoming one lost its identity, by a generator that rewrites annotations
    UNCLAIMED = "unclaimed"  # was here before any principal
    REPLACED = "replaced"  # the source was made anew


def source_uid(obj: Object) -> str:
    """UID of the source of a mirror; empty if *obj* is no mirror."""
    return obj.annotations.get(ANNOTATION_SOURCE_UID, "")


def principal_uid(obj: Object) -> str:
    """The principal that wrote this mirror last; empty if none said so."""
    return obj.annotations.get(ANNOTATION_PRINCIPAL_UID, "")


def incoming_uid(obj: Object) -> str:
    """The source UID of an object in an event: its annotation, if a replica of a hub sent it, else its own UID."""
    return source_uid(obj) or obj.uid


def compare(incoming: Object, held: Object | None, principal: str) -> Verdict:
    """What *held* is to *incoming*, sent by the principal of UID *principal* (empty: it did not say)."""
    if held is None:
        return Verdict.ABSENT
    if not source_uid(held):
        return Verdict.UNCLAIMED
    owner = principal_uid(held)
    if owner and principal and owner != principal:
        return Verdict.MOVED
    uid = incoming_uid(incoming)
    if not uid:
        return Verdict.WIPED
    if uid == source_uid(held):
        return Verdict.SAME
    if principal and not owner:
        return Verdict.MOVED
    return Verdict.REPLACED


def claimed(obj: Object, uid: str, principal: str) -> Object:
    """*obj* marked as the mirror of source *uid*, written by *principal* (empty: what is there stays)."""
    changes: dict[str, str | None] = {ANNOTATION_SOURCE_UID: uid}
    if principal:
        changes[ANNOTATION_PRINCIPAL_UID] = principal
    return obj.with_annotations(changes)
