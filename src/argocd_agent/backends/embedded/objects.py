"""What an API server does to one object on a write: metadata it owns, names it allows, fields it knows. Pure.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ and the words of a real kube-apiserver 1.36.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from argocd_agent.backends.embedded import faults
from argocd_agent.backends.embedded.faults import Cause
from argocd_agent.backends.embedded.kinds import ServedKind
from argocd_agent.backends.embedded.schema import Report
from argocd_agent.backends.embedded.values import Json, canonical
from argocd_agent.codec import decode_any, encode
from argocd_agent.errors import DecodeError
from argocd_agent.resources.objects import Metadata, Object
from argocd_agent.resources.selectors import PREFIX_LIMIT, PREFIX_PATTERN, is_label_value, is_qualified_name

OBJECT_LIMIT_BYTES = 3 * 2**19  # 1.5 MiB, what etcd takes
ANNOTATIONS_LIMIT_BYTES = 256 * 1024
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"

_LABEL_PATTERN = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_GENERATED_LIMIT = 63 - 5
_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start"
    " and end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    r" '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end"
    " with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_KEY = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    " character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start"
    " and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
    " '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


@dataclass(frozen=True, slots=True)
class Birth:
    """What the server gives to a new object: the time (RFC 3339) and an identity that nothing else has."""

    at: str
    uid: str


def born(obj: Object, birth: Birth) -> Object:
    """*obj* with the metadata of a new object; a name is made up where `generateName` asks for one."""
    meta = obj.metadata
    return obj.with_metadata(
        name=meta.name or _generated(meta.generate_name, birth.uid),
        uid=birth.uid,
        resource_version="",
        creation_timestamp=birth.at,
        deletion_timestamp=None,
        deletion_grace_period_seconds=None,
        **_tidied(meta),
    )


def carried(obj: Object, held: Object) -> Object:
    """*obj* with the metadata that a client cannot change taken from *held*, its version included."""
    meta, old = obj.metadata, held.metadata
    return obj.with_metadata(
        name=old.name,
        namespace=old.namespace,
        uid=old.uid,
        resource_version=old.resource_version,
        generation=old.generation,
        creation_timestamp=old.creation_timestamp,
        deletion_timestamp=old.deletion_timestamp,
        deletion_grace_period_seconds=old.deletion_grace_period_seconds,
        **_tidied(meta),
    )


def check_deletion(obj: Object, held: Object) -> list[Cause]:
    """What is wrong with the deletion that *obj* claims: only the server marks; leaving the mark out is fine."""
    new, old = obj.metadata, held.metadata
    claims = (
        ("deletionTimestamp", new.deletion_timestamp, old.deletion_timestamp),
        ("deletionGracePeriodSeconds", new.deletion_grace_period_seconds, old.deletion_grace_period_seconds),
    )
    return [
        faults.wrong(f"metadata.{name}", canonical(claimed).decode(), "field is immutable")
        for name, claimed, held_value in claims
        if claimed is not None and claimed != held_value
    ]


def marked(held: Object, at: str, finalizers: tuple[str, ...]) -> Object:
    """*held* as it waits for *finalizers* before it can go."""
    generation = held.metadata.generation
    return held.with_metadata(
        deletion_timestamp=at,
        deletion_grace_period_seconds=0,
        generation=generation + 1 if generation else 0,
        finalizers=finalizers or None,
    )


def check_metadata(kind: ServedKind, obj: Object, held: Object | None) -> list[Cause]:
    """Everything that is wrong with the metadata of *obj*, which is about to replace *held*."""
    meta, old = obj.metadata, held.metadata if held else Metadata()
    causes = [] if held else _check_name(kind, meta)
    if meta.labels != old.labels:
        causes += _check_labels(meta.labels or {})
    if meta.annotations != old.annotations:
        causes += _check_annotations(meta.annotations or {})
    if meta.owner_references != old.owner_references:
        causes += _check_owners(meta)
    for finalizer in set(meta.finalizers or ()) - set(old.finalizers or ()):
        if not is_qualified_name(finalizer):
            causes.append(faults.wrong("metadata.finalizers", _quoted(finalizer), _KEY))
    if held is not None and held.is_deleting:
        new = sorted(set(meta.finalizers or ()) - set(old.finalizers or ()))
        if new:
            told = ", ".join(_quoted(name) for name in new)
            causes.append(
                Cause(
                    "metadata.finalizers",
                    "FieldValueForbidden",
                    "Forbidden: no new finalizers can be added if the object is being deleted,"
                    f" found new finalizers []string{{{told}}}",
                )
            )
    return causes


def known_fields(kind: ServedKind, obj: Object, held: Object | None, report: Report) -> Object:
    """*obj* with its fields checked, cut to what the kind knows, and in canonical form.

    Fields whose bytes are those of *held* are taken as they are: they have been through this. Raises `BadRequest`
    where a field is not JSON; the rest goes to *report*.
    """
    schema = kind.schema
    old: Mapping[str, bytes] = held.fields if held else {}
    fields = dict(kind.type_fields)
    for name in sorted(obj.fields):
        if name in kind.type_fields:
            continue
        raw, check = obj.fields[name], schema.fields.get(name)
        if old.get(name) == raw:
            fields[name] = old[name]
        elif check is None and not schema.is_open:
            report.unknown.append(name)
        else:
            try:
                value: Json = decode_any(raw, name)
            except DecodeError as error:
                raise faults.bad_request(str(error)) from error
            if value is not None:
                fields[name] = canonical(value if check is None else check(value, (None, name), report))
    report.causes += [faults.required(name) for name in schema.required if name not in fields]
    return Object(obj.metadata, fields)


def size_of(obj: Object) -> int:
    """Bytes that *obj* takes, nearly exactly."""
    return sum(map(len, obj.fields.values())) + len(encode(obj.metadata))


def with_generation(kind: ServedKind, obj: Object, held: Object | None) -> Object:
    """*obj* with its generation: 1 when new, one more for each change outside metadata and a status subresource."""
    if not kind.row.has_generation:
        return obj.with_metadata(generation=0) if obj.metadata.generation else obj
    if held is None:
        return obj.with_metadata(generation=1)
    ignored = ("status",) if kind.row.has_status else ()
    names = (obj.fields.keys() | held.fields.keys()) - set(ignored)
    if any(obj.fields.get(name) != held.fields.get(name) for name in names):
        return obj.with_metadata(generation=held.metadata.generation + 1)
    return obj


def _tidied(meta: Metadata) -> dict[str, object]:
    """Empty collections as none at all, as the real server stores them."""
    return {
        "labels": meta.labels or None,
        "annotations": meta.annotations or None,
        "finalizers": tuple(dict.fromkeys(meta.finalizers or ())) or None,
        "owner_references": meta.owner_references or None,
    }


def _generated(prefix: str, uid: str) -> str:
    """*prefix* and five characters that follow from *uid*."""
    number = sum(ord(letter) * 31**at for at, letter in enumerate(reversed(uid)))
    suffix = ""
    for _ in range(5):
        number, digit = divmod(number, len(_SUFFIX_ALPHABET))
        suffix += _SUFFIX_ALPHABET[digit]
    return prefix[:_GENERATED_LIMIT] + suffix if prefix else ""


def _check_name(kind: ServedKind, meta: Metadata) -> list[Cause]:
    name = meta.name
    if not name:
        return [faults.required("metadata.name", "name or generateName is required")]
    if kind.api.group == "rbac.authorization.k8s.io":
        if name in (".", "..") or "/" in name or "%" in name:
            return [faults.wrong("metadata.name", _quoted(name), "may not be '.' or '..' or contain '/' or '%'")]
    elif kind.resource in ("namespaces", "services"):
        if not _LABEL_PATTERN.fullmatch(name):
            return [faults.wrong("metadata.name", _quoted(name), _LABEL)]
    elif len(name) > PREFIX_LIMIT or not PREFIX_PATTERN.fullmatch(name):
        why = _SUBDOMAIN if len(name) <= PREFIX_LIMIT else f"must be no more than {PREFIX_LIMIT} characters"
        return [faults.wrong("metadata.name", _quoted(name), why)]
    return []


def _check_labels(labels: Mapping[str, str]) -> list[Cause]:
    causes = []
    for key, value in labels.items():
        if not is_qualified_name(key):
            causes.append(faults.wrong("metadata.labels", _quoted(key), _KEY))
        if not is_label_value(value):
            causes.append(faults.wrong("metadata.labels", _quoted(value), _VALUE))
    return causes


def _check_annotations(annotations: Mapping[str, str]) -> list[Cause]:
    causes = [
        faults.wrong("metadata.annotations", _quoted(key), _KEY)
        for key in annotations
        if not is_qualified_name(key.lower())
    ]
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > ANNOTATIONS_LIMIT_BYTES:
        told = f"Too long: may not be more than {ANNOTATIONS_LIMIT_BYTES} bytes"
        causes.append(Cause("metadata.annotations", "FieldValueTooLong", told))
    return causes


def _check_owners(meta: Metadata) -> list[Cause]:
    at = "metadata.ownerReferences"
    causes = []
    for owner in meta.owner_references or ():
        if not owner.api_version:
            causes.append(faults.wrong(f"{at}.apiVersion", '""', "version must not be empty"))
        for name, value in (("kind", owner.kind), ("name", owner.name), ("uid", owner.uid)):
            if not value:
                causes.append(faults.wrong(f"{at}.{name}", '""', "must not be empty"))
    if sum(owner.controller is True for owner in meta.owner_references or ()) > 1:
        causes.append(faults.wrong(at, "[…]", "Only one reference can have Controller set to true"))
    return causes


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
