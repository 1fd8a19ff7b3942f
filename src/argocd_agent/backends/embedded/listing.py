"""Which objects a list or watch is about, pages of a list, and the events of a watch. Pure.

A page's continue token names the version and the last key that was given, so the pages of one list are of one moment,
whatever is written meanwhile; when the history no longer reaches back to it, the token is `Gone`.
"""

import base64
import binascii
from bisect import bisect_right
from dataclasses import dataclass

from argocd_agent.backends.embedded import faults
from argocd_agent.backends.embedded.kinds import ServedKind
from argocd_agent.backends.embedded.store import Change, Key, Store, within
from argocd_agent.backends.embedded.values import canonical, dig, text
from argocd_agent.backends.ports import Scope, WatchEvent, WatchType
from argocd_agent.codec import decode
from argocd_agent.errors import DecodeError
from argocd_agent.resources.objects import Object
from argocd_agent.resources.selectors import FieldSelector, LabelSelector, parse_fields, parse_labels

_METADATA = ("metadata.name", "metadata.namespace")


@dataclass(frozen=True, slots=True)
class Selection:
    """Objects of one kind in one namespace (None: all) that both selectors match."""

    kind: ServedKind
    namespace: str | None
    labels: LabelSelector
    fields: FieldSelector

    @property
    def is_selective(self) -> bool:
        """Whether there is a selector."""
        return bool(self.labels) or bool(self.fields)

    def matches(self, obj: Object) -> bool:
        if self.namespace is not None and obj.namespace != self.namespace:
            return False
        return self.labels.matches(obj.labels) and (
            not self.fields or self.fields.matches(lambda at: self._field(obj, at))
        )

    def event(self, change: Change) -> WatchEvent | None:
        """*change* as a watch of this selection sees it; None where it concerns others only."""
        was = change.before is not None and self.matches(change.before)
        is_in = not change.is_removal and self.matches(change.after)
        if is_in:
            return WatchEvent(WatchType.MODIFIED if was else WatchType.ADDED, self.presented(change.after))
        if not was or change.before is None:
            return None
        if change.is_removal:
            return WatchEvent(WatchType.DELETED, self.presented(change.after))
        # It has left: watches get it as they knew it, with the version of the change.
        left = change.before.with_metadata(resource_version=str(change.version))
        return WatchEvent(WatchType.DELETED, self.presented(left))

    def presented(self, obj: Object) -> Object:
        """*obj* under the version of its kind that was asked for."""
        expected = self.kind.type_fields
        return obj if obj.fields.get("apiVersion") == expected["apiVersion"] else obj.with_fields(expected)

    def _field(self, obj: Object, name: str) -> str:
        if name in _METADATA:
            return obj.name if name == "metadata.name" else obj.namespace
        top, *rest = self.kind.row.fields[name]
        return text(dig(obj.look(top), *rest))


@dataclass(frozen=True, slots=True)
class Listed:
    """One page. `remaining` is how many objects come after it, None where that is not known."""

    items: list[Object]
    version: int
    next_token: str = ""
    remaining: int | None = None


def select(kind: ServedKind, scope: Scope) -> Selection:
    """The selection of *scope*. Raises `BadRequest` for a selector that cannot be read or names an unknown field."""
    try:
        labels, fields = parse_labels(scope.labels), parse_fields(scope.fields)
    except DecodeError as error:
        raise faults.bad_request(str(error)) from error
    for term in fields.terms:
        if term.field not in _METADATA and term.field not in kind.row.fields:
            raise faults.bad_request(f"field label not supported: {term.field}")
    namespace = scope.namespace if kind.api.namespaced else None
    return Selection(kind, namespace, labels, fields)


def page(store: Store, selection: Selection, limit: int = 0, token: str = "") -> Listed:
    """Up to *limit* objects (0: all). Raises `Gone` for a token that has expired, `BadRequest` for one that is none."""
    bucket = store.buckets[selection.kind.resource]
    if token:
        version, after = _read(token)
        then = bucket.at(version)
        keys = within(sorted(then), selection.namespace)
        keys = keys[bisect_right(keys, after) :]
    else:
        version, then = store.version, bucket.objects
        name = selection.fields.exact("metadata.name")
        if name is not None and (selection.namespace is not None or not selection.kind.api.namespaced):
            at = (selection.namespace or "", name)
            keys = [at] if at in then else []
        else:
            keys = within(bucket.keys, selection.namespace)
    found: list[Object] = []
    for index, key in enumerate(keys):
        obj = then[key]
        if selection.is_selective and not selection.matches(obj):
            continue
        if limit and len(found) == limit:
            left = None if selection.is_selective else len(keys) - index
            return Listed(found, version, _token(version, found[-1].key), left)
        found.append(selection.presented(obj))
    return Listed(found, version)


def _token(version: int, after: Key) -> str:
    return base64.urlsafe_b64encode(canonical({"v": version, "after": list(after)})).decode().rstrip("=")


def _read(token: str) -> tuple[int, Key]:
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        read = decode(raw, _Token, "continue token")
    except (binascii.Error, ValueError, DecodeError) as error:
        raise faults.bad_request(f"invalid continue token: continue key is not valid: {error}") from error
    return read.v, read.after


@dataclass(frozen=True, slots=True)
class _Token:
    v: int
    after: Key
