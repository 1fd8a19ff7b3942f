"""Deletion and what follows from it: finalizers, owners and dependants, namespaces, kinds that are withdrawn.

A real cluster's controllers do this in the background, some time later. Here it is done at once, within the deletion,
so that there is never anything left to wait for and every run is the same. Worked off from a list, not by recursion:
chains of owners may be long.

Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/. Pure.
"""

from collections import deque
from collections.abc import Callable

from argocd_agent.backends.embedded.kinds import Kinds
from argocd_agent.backends.embedded.objects import FOREGROUND, ORPHAN, marked
from argocd_agent.backends.embedded.store import Ref, Store
from argocd_agent.backends.embedded.values import canonical
from argocd_agent.backends.ports import Propagation
from argocd_agent.resources.kinds import CRDS, NAMESPACES
from argocd_agent.resources.objects import Object

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


class Collector:
    """Removes objects, and then what depended on them."""

    def __init__(self, store: Store, kinds: Kinds, now: Callable[[], str]) -> None:
        self._store, self._kinds, self._now = store, kinds, now
        self._work: deque[Callable[[], None]] = deque()

    def delete(self, ref: Ref, propagation: Propagation) -> Object:
        """Delete what stands at *ref*, and settle what follows. Returns its last state."""
        last = self._delete(ref, propagation)
        self._settle()
        return self._store.get(ref) or last

    def remove(self, ref: Ref, last: Object) -> None:
        """Let go of an object that waited for its finalizers; *last* is how watches see it go."""
        self._remove(ref, last)
        self._settle()

    def adopted(self, ref: Ref) -> None:
        """A new object: it goes at once when all owners it names are of kinds served here and none exists."""
        obj = self._store.get(ref)
        owners = obj.metadata.owner_references if obj is not None else None
        if not owners or any(owner.uid in self._store.owners for owner in owners):
            return
        if all(self._kinds.by_kind(owner.api_version, owner.kind) is not None for owner in owners):
            self.delete(ref, Propagation.BACKGROUND)

    def may_go(self, resource: str, obj: Object) -> bool:
        """Whether nothing but finalizers held *obj*: a namespace also waits for its contents."""
        return resource != NAMESPACES.resource or next(self._store.refs_in(obj.name), None) is None

    def _settle(self) -> None:
        while self._work:
            self._work.popleft()()

    def _delete(self, ref: Ref, propagation: Propagation) -> Object:
        held = self._store.get(ref)
        assert held is not None, "the caller has looked"
        if propagation is Propagation.ORPHAN:
            self._orphan(held)
        finalizers = [name for name in held.metadata.finalizers or () if name not in (FOREGROUND, ORPHAN)]
        if propagation is Propagation.FOREGROUND:
            finalizers.append(FOREGROUND)
        if ref.resource == CRDS.resource and CLEANUP not in finalizers and self._instances(held):
            finalizers.append(CLEANUP)
        if not finalizers and self.may_go(ref.resource, held):
            return self._remove(ref, held)
        return self._mark(ref, held, tuple(finalizers))

    def _mark(self, ref: Ref, held: Object, finalizers: tuple[str, ...]) -> Object:
        if held.is_deleting and finalizers == (held.metadata.finalizers or ()):
            return held
        waiting = marked(held, held.metadata.deletion_timestamp or self._now(), finalizers)
        if held.is_deleting:
            waiting = waiting.with_metadata(generation=held.metadata.generation)
        if ref.resource == NAMESPACES.resource:
            waiting = waiting.with_fields({"status": canonical({"phase": "Terminating"})})
            self._work.append(lambda: self._empty(held.name))
        if FOREGROUND in finalizers:
            self._work.append(lambda: self._go_first(ref))
        if CLEANUP in finalizers:
            self._work.append(lambda: self._withdraw(held))
        return self._store.put(ref.resource, waiting)

    def _remove(self, ref: Ref, last: Object) -> Object:
        gone = self._store.remove(ref, last)
        self._work.append(lambda: self._followed(ref, gone))
        return gone

    def _followed(self, ref: Ref, gone: Object) -> None:
        """What follows from *gone* being gone."""
        for dependant in sorted(self._store.dependants.get(gone.uid, ()), key=_order):
            self._disown(dependant, gone.uid, is_orphaned=False)
        for owner in gone.metadata.owner_references or ():
            at = self._store.owners.get(owner.uid)
            if at is not None:
                self._finish_foreground(at)
        if gone.namespace:
            self._finish_namespace(gone.namespace)
        if ref.resource == CRDS.resource:
            self._unserve(gone)
        else:
            self._finish_definition(ref.resource)

    def _disown(self, dependant: Ref, uid: str, *, is_orphaned: bool) -> None:
        """*dependant* has lost an owner: it goes too, unless another owner remains or it was left on purpose."""
        obj = self._store.get(dependant)
        if obj is None:
            return
        others = tuple(owner for owner in obj.metadata.owner_references or () if owner.uid != uid)
        if is_orphaned or any(owner.uid in self._store.owners for owner in others):
            self._store.put(dependant.resource, obj.with_metadata(owner_references=others or None))
        elif not obj.is_deleting:
            self._delete(dependant, Propagation.BACKGROUND)

    def _orphan(self, held: Object) -> None:
        for dependant in sorted(self._store.dependants.get(held.uid, ()), key=_order):
            self._disown(dependant, held.uid, is_orphaned=True)

    def _go_first(self, owner: Ref) -> None:
        """Foreground: dependants go before their owner, theirs before them."""
        held = self._store.get(owner)
        if held is None:
            return
        for dependant in sorted(self._store.dependants.get(held.uid, ()), key=_order):
            obj = self._store.get(dependant)
            if obj is None or obj.is_deleting or self._has_other_owner(obj, held.uid):
                continue
            has_own = obj.uid in self._store.dependants
            self._delete(dependant, Propagation.FOREGROUND if has_own else Propagation.BACKGROUND)
        self._work.append(lambda: self._finish_foreground(owner))

    def _has_other_owner(self, obj: Object, uid: str) -> bool:
        return any(
            owner.uid != uid and owner.uid in self._store.owners for owner in obj.metadata.owner_references or ()
        )

    def _finish_foreground(self, ref: Ref) -> None:
        """Take the foreground finalizer from an owner whose blocking dependants are gone."""
        held = self._store.get(ref)
        if held is None or not held.is_deleting or FOREGROUND not in (held.metadata.finalizers or ()):
            return
        dependants = (self._store.get(at) for at in self._store.dependants.get(held.uid, ()))
        if any(
            owner.uid == held.uid and owner.block_owner_deletion
            for obj in dependants
            if obj is not None
            for owner in obj.metadata.owner_references or ()
        ):
            return
        self._drop_finalizer(ref, held, FOREGROUND)

    def _drop_finalizer(self, ref: Ref, held: Object, finalizer: str) -> None:
        rest = tuple(name for name in held.metadata.finalizers or () if name != finalizer)
        changed = held.with_metadata(finalizers=rest or None)
        if rest or not self.may_go(ref.resource, held):
            self._store.put(ref.resource, changed)
        else:
            self._remove(ref, changed)

    def _empty(self, namespace: str) -> None:
        for ref in list(self._store.refs_in(namespace)):
            if self._store.get(ref) is not None:
                self._delete(ref, Propagation.BACKGROUND)
        self._work.append(lambda: self._finish_namespace(namespace))

    def _finish_namespace(self, name: str) -> None:
        ref = Ref(NAMESPACES.resource, ("", name))
        held = self._store.get(ref)
        if held is None or not held.is_deleting or held.metadata.finalizers or not self.may_go(ref.resource, held):
            return
        self._remove(ref, held)

    def _instances(self, crd: Object) -> list[Ref]:
        bucket = self._store.buckets.get(crd.name)
        return [] if bucket is None else [Ref(crd.name, key) for key in bucket.keys]

    def _withdraw(self, crd: Object) -> None:
        for ref in self._instances(crd):
            if self._store.get(ref) is not None:
                self._delete(ref, Propagation.BACKGROUND)
        self._work.append(lambda: self._finish_definition(crd.name))

    def _finish_definition(self, resource: str) -> None:
        ref = Ref(CRDS.resource, ("", resource))
        held = self._store.get(ref)
        if held is None or not held.is_deleting or self._instances(held):
            return
        if CLEANUP in (held.metadata.finalizers or ()):
            self._drop_finalizer(ref, held, CLEANUP)

    def _unserve(self, crd: Object) -> None:
        plural, _, group = crd.name.partition(".")
        self._kinds.remove(group, plural)
        if crd.name in self._store.buckets:
            self._store.close(crd.name)


def _order(ref: Ref) -> tuple[str, tuple[str, str]]:
    return (ref.resource, ref.key)
