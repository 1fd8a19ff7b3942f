"""What the principal last said about each Application that it owns, and which deletions are its own.

Rebuilt at start from the mirrors in the cluster: what is there counts as what the principal said, until it says
otherwise. Bounded by the number of mirrors. One task owns it: nothing here waits.
"""

import contextlib
from dataclasses import dataclass
from enum import StrEnum

from argocd_agent.errors import DecodeError
from argocd_agent.resources.checksum import canonical
from argocd_agent.resources.identity import principal_uid, source_uid
from argocd_agent.resources.objects import Object

Key = tuple[str, str]


class Ordered(StrEnum):
    """Why a deletion on the spoke is none that should be undone."""

    DONE = "done"  # the source is gone, or a new one takes this one's place: nobody waits for word
    REPORT = "report"  # the source is being deleted, and waits to hear that its mirror is gone
    ASK = "ask"  # it was going when we came, and nobody remembers why: the principal is told, and asked


@dataclass(frozen=True, slots=True)
class Mirror:
    """One Application as the principal wants it. `spec` is canonical JSON."""

    source_uid: str
    principal_uid: str
    spec: bytes


class Mirrors:
    """The mirrors of this spoke, by namespace and name."""

    def __init__(self) -> None:
        self._mirrors: dict[Key, Mirror] = {}
        self._ordered: dict[str, Ordered] = {}  # by UID on the spoke

    def get(self, key: Key) -> Mirror | None:
        """What the principal wants under this name; None if the name is not its."""
        return self._mirrors.get(key)

    def keys(self) -> list[Key]:
        """The names that are the principal's."""
        return list(self._mirrors)

    def adopt(self, obj: Object) -> None:
        """Take *obj*, a mirror found in the cluster, for what the principal wants."""
        self._mirrors[obj.key] = mirror_of(obj)

    def expect(self, key: Key, mirror: Mirror | None) -> None:
        """The principal wants *mirror* under this name from now on; None: nothing."""
        if mirror is None:
            self._mirrors.pop(key, None)
        else:
            self._mirrors[key] = mirror

    def order(self, obj: Object, ordered: Ordered) -> None:
        """The deletion of *obj* is the principal's wish, or nobody knows whose (`ASK`)."""
        if ordered is not Ordered.ASK or obj.uid not in self._ordered:
            self._ordered[obj.uid] = ordered

    def ordered(self, uid: str) -> Ordered | None:
        """Whether the deletion of the object of this UID is the principal's wish; forgets it."""
        return self._ordered.pop(uid, None)


def mirror_of(obj: Object) -> Mirror:
    """What *obj*, as it stands on the spoke, says about itself."""
    spec = obj.fields.get("spec", b"{}")
    with contextlib.suppress(DecodeError):  # odd, but the API server took it: compared as it stands
        spec = canonical(spec)
    return Mirror(source_uid(obj), principal_uid(obj), spec)
