"""Objects by kind and key under one rising version, and the changes that led here.

Each write raises the version by one and is remembered as a `Change` in its kind's history. The history is a window:
at most *window* changes and *window_bytes* bytes of each kind, the oldest go first. Watches are cursors into it. A
cursor that has fallen out of the window gets `Gone` and its owner must list again; nobody waits for it, and it costs
no memory of its own. Lists that continue at an earlier version are rebuilt from the window too, so their tokens expire
with it.

No I/O and no clock; what is kept on disk is told through `Journal`. Objects come in checked; nothing is decided here.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from argocd_agent.backends.embedded.faults import expired
from argocd_agent.resources.objects import Object

Key = tuple[str, str]
WINDOW_CHANGES = 4096
WINDOW_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Change:
    """One write: `before` is None for a creation. A removed object stands in `after`, with its last version."""

    version: int
    before: Object | None
    after: Object
    is_removal: bool = False


@dataclass(frozen=True, slots=True)
class Ref:
    """Where an object is: the kind's resource name (`applications.argoproj.io`), namespace and name."""

    resource: str
    key: Key


class Journal(Protocol):
    """Is told every change in order, before anybody can see it; must not raise."""

    def record(self, ref: Ref, change: Change) -> None: ...


class NoJournal:
    """Objects live in memory only."""

    def record(self, ref: Ref, change: Change) -> None:
        """Nothing to keep."""


class Bucket:
    """All objects of one kind, and its window of changes."""

    def __init__(self, version: int, window: int, window_bytes: int) -> None:
        self.objects: dict[Key, Object] = {}
        self.keys: list[Key] = []
        self.oldest = version  # the earliest version that can still be watched from
        self.first = 0  # number of the change at the left end of the history
        self.history: deque[Change] = deque()
        self.bells: set[Callable[[], None]] = set()
        self.is_closed = False
        self._window, self._window_bytes, self._bytes = window, window_bytes, 0

    @property
    def end(self) -> int:
        """Number of the change that comes next."""
        return self.first + len(self.history)

    def append(self, change: Change) -> None:
        """Remember *change*; forget what leaves the window; ring for everybody who watches."""
        self.history.append(change)
        self._bytes += _weight(change)
        while len(self.history) > self._window or self._bytes > self._window_bytes:
            self._forget()
        for bell in self.bells:
            bell()

    def compact(self, version: int) -> None:
        """Forget all changes."""
        while self.history:
            self._forget()
        self.oldest = version

    def at(self, version: int) -> dict[Key, Object]:
        """The objects as they were at *version*. Raises `Gone`."""
        if version < self.oldest:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. "
                "You can start a new list without the continue parameter."
            )
        then = dict(self.objects)
        for change in reversed(self.history):
            if change.version <= version:
                break
            if change.before is None:
                then.pop(change.after.key, None)
            else:
                then[change.before.key] = change.before
        return then

    def _forget(self) -> None:
        gone = self.history.popleft()
        self._bytes -= _weight(gone)
        self.first += 1
        self.oldest = gone.version


class Cursor:
    """A place in one kind's history."""

    def __init__(self, bucket: Bucket, position: int) -> None:
        self._bucket, self._position = bucket, position

    def take(self) -> list[Change]:
        """All changes since the last call. Raises `Gone` when some of them are forgotten already."""
        bucket = self._bucket
        behind = bucket.end - self._position
        if behind > len(bucket.history):
            raise expired(
                f"too old resource version: the watch fell {behind} changes behind, {len(bucket.history)} are kept"
            )
        self._position = bucket.end
        return [bucket.history[index] for index in range(-behind, 0)]


class Store:
    """See the module. Resources must be opened before they are used."""

    def __init__(
        self,
        *,
        version: int = 1,
        window: int = WINDOW_CHANGES,
        window_bytes: int = WINDOW_BYTES,
        journal: Journal | None = None,
    ) -> None:
        self.version = version
        self.buckets: dict[str, Bucket] = {}
        self.owners: dict[str, Ref] = {}  # every live object by uid
        self.dependants: dict[str, set[Ref]] = {}  # who names a uid as owner
        self.idle: set[Callable[[], None]] = set()  # rung once, at the next change of any kind
        self.journal: Journal = journal or NoJournal()
        self._window, self._window_bytes = window, window_bytes

    def open(self, resource: str) -> None:
        """Start keeping objects of *resource*. Twice is fine."""
        if resource not in self.buckets:
            self.buckets[resource] = Bucket(self.version, self._window, self._window_bytes)

    def close(self, resource: str) -> None:
        """Forget *resource*, whose objects are gone; its watches end."""
        bucket = self.buckets.pop(resource)
        bucket.is_closed = True
        for bell in tuple(bucket.bells):
            bell()

    def get(self, ref: Ref) -> Object | None:
        bucket = self.buckets.get(ref.resource)
        return None if bucket is None else bucket.objects.get(ref.key)

    def put(self, resource: str, obj: Object) -> Object:
        """Keep *obj* in place of what has its key. Returns it with its version."""
        bucket, ref = self.buckets[resource], Ref(resource, obj.key)
        before = bucket.objects.get(obj.key)
        self.version += 1
        after = obj.with_metadata(resource_version=str(self.version))
        if before is None:
            insort(bucket.keys, obj.key)
        else:
            self._unlink(ref, before)
        bucket.objects[obj.key] = after
        self._link(ref, after)
        self._publish(ref, bucket, Change(self.version, before, after))
        return after

    def remove(self, ref: Ref, last: Object | None = None) -> Object:
        """Let go of what stands at *ref*. Returns it, or *last* in its place, as watches see it: with a new version."""
        bucket = self.buckets[ref.resource]
        before = bucket.objects.pop(ref.key)
        del bucket.keys[bisect_left(bucket.keys, ref.key)]
        self._unlink(ref, before)
        self.version += 1
        after = (last or before).with_metadata(resource_version=str(self.version))
        self._publish(ref, bucket, Change(self.version, before, after, is_removal=True))
        return after

    def load(self, resource: str, obj: Object) -> None:
        """Take *obj* as it is, version and all, without a change: for a store that starts from a disk."""
        bucket = self.buckets[resource]
        bucket.objects[obj.key] = obj
        insort(bucket.keys, obj.key)
        self._link(Ref(resource, obj.key), obj)

    def cursor(self, resource: str, since: int) -> Cursor:
        """A place right after version *since*. Raises `Gone` when it is forgotten, or not reached yet."""
        bucket = self.buckets[resource]
        if since < bucket.oldest or since > self.version:
            raise expired(f"too old resource version: {since} ({max(bucket.oldest, 1)})")
        position = bucket.end
        for change in reversed(bucket.history):
            if change.version <= since:
                break
            position -= 1
        return Cursor(bucket, position)

    def compact(self) -> None:
        """Forget all history, as etcd's compaction does: earlier versions and tokens are Gone from now on."""
        for bucket in self.buckets.values():
            bucket.compact(self.version)

    def keys_of(self, resource: str, namespace: str | None) -> list[Key]:
        """Keys in order, of one namespace or (None) all."""
        return within(self.buckets[resource].keys, namespace)

    def refs_in(self, namespace: str) -> Iterator[Ref]:
        """Everything that stands in *namespace*."""
        for resource in tuple(self.buckets):
            for key in self.keys_of(resource, namespace):
                yield Ref(resource, key)

    def _publish(self, ref: Ref, bucket: Bucket, change: Change) -> None:
        self.journal.record(ref, change)
        bucket.append(change)
        if self.idle:
            bells, self.idle = self.idle, set()
            for bell in bells:
                bell()

    def _link(self, ref: Ref, obj: Object) -> None:
        self.owners[obj.uid] = ref
        for owner in obj.metadata.owner_references or ():
            self.dependants.setdefault(owner.uid, set()).add(ref)

    def _unlink(self, ref: Ref, obj: Object) -> None:
        self.owners.pop(obj.uid, None)
        for owner in obj.metadata.owner_references or ():
            refs = self.dependants.get(owner.uid, set())
            refs.discard(ref)
            if not refs:
                self.dependants.pop(owner.uid, None)


def within(keys: list[Key], namespace: str | None) -> list[Key]:
    """Those of sorted *keys* that are in *namespace*; all for None."""
    if namespace is None:
        return list(keys)
    return keys[bisect_left(keys, (namespace, "")) : bisect_left(keys, (namespace + "\0", ""))]


def _weight(change: Change) -> int:
    """Bytes that only this change may be holding on to."""
    return sum(map(len, change.after.fields.values())) + 512
