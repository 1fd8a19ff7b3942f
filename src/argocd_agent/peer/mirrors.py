"""What their source last said about the objects that it owns, and which deletions of them are its wish.

Rebuilt at start from the mirrors in the cluster: what is there counts as what the source said, until it says
otherwise. Bounded by the number of mirrors. One task owns it: nothing here waits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from argocd_agent.resources.identity import principal_uid, source_uid
from argocd_agent.resources.objects import Object

Key = tuple[str, str]


class Ordered(StrEnum):
    """Why a deletion here is none that should be undone."""

    DONE = "done"  # the source is gone, or a new one takes this one's place: nobody waits for word
    REPORT = "report"  # the source is being deleted, and waits to hear that its mirror is gone
    ASK = "ask"  # it was going when we came, and nobody remembers why: the source is told, and asked


@dataclass(frozen=True, slots=True)
class Mirror:
    """One object as its source wants it. `content` is canonical JSON; `labels` choose what we see of the cluster."""

    source_uid: str
    principal_uid: str
    content: bytes
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)


class Mirrors:
    """The mirrors of one kind at this end, by namespace and name. *content*: what of one must not drift."""

    def __init__(self, content: Callable[[Object], bytes]) -> None:
        self._content = content
        self._mirrors: dict[str, dict[str, Mirror]] = {}  # by namespace, by name: no namespace without any
        self._ordered: dict[str, Ordered] = {}  # by UID at this end

    def __len__(self) -> int:
        return sum(map(len, self._mirrors.values()))

    def get(self, key: Key) -> Mirror | None:
        """What the source wants under this name; None if the name is not its."""
        return self._mirrors.get(key[0], {}).get(key[1])

    def keys(self, namespace: str) -> list[Key]:
        """The names in *namespace* that are a source's."""
        return [(namespace, name) for name in self._mirrors.get(namespace, ())]

    def of(self, obj: Object) -> Mirror:
        """What *obj*, as it stands here, says about itself."""
        return Mirror(source_uid(obj), principal_uid(obj), self._content(obj), obj.labels)

    def adopt(self, obj: Object) -> None:
        """Take *obj*, a mirror found in the cluster, for what its source wants."""
        self.expect(obj.key, self.of(obj))

    def expect(self, key: Key, mirror: Mirror | None) -> None:
        """The source wants *mirror* under this name from now on; None: nothing."""
        namespace, name = key
        if mirror is not None:
            self._mirrors.setdefault(namespace, {})[name] = mirror
        elif (mirrors := self._mirrors.get(namespace)) is not None:
            mirrors.pop(name, None)
            if not mirrors:
                del self._mirrors[namespace]

    def order(self, obj: Object, ordered: Ordered) -> None:
        """The deletion of *obj* is the source's wish, or nobody knows whose (`ASK`)."""
        if ordered is not Ordered.ASK or obj.uid not in self._ordered:
            self._ordered[obj.uid] = ordered

    def is_ordered(self, uid: str) -> bool:
        """Whether the deletion of the object of this UID is the source's wish."""
        return uid in self._ordered

    def ordered(self, uid: str) -> Ordered | None:
        """Whether the deletion of the object of this UID is the source's wish; forgets it."""
        return self._ordered.pop(uid, None)
