"""What a managed Go agent holds of the kinds that are no Applications, and what it does about them (agent, 4.4 to 4.6).

One row of `Rules` a kind, one `Held` a row. Nothing is ever told of these kinds but in a resync. [Q], for all of them:
a deletion is by name, whatever its UID; what is mended after a restart is what was found at the start; there is no
identity of a principal. The rows have those of one kind.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from argocd_agent.protocol.events import Event, EventType
from argocd_agent.protocol.names import ANNOTATION_LAST_APPLIED, ANNOTATION_MISMATCH_POLICY, ANNOTATION_SOURCE_UID
from argocd_agent.resources.kinds import APPPROJECT, GPGKEY, REPOSITORY, Kind
from tests.conformance.peers.go_objects import Json, annotations_of, entry_of, go_checksum, source_uid_of

# The namespace of a scripted agent: another than ours, so that they are told apart.
HOME = "argocd-spoke"


class Unmanaged(StrEnum):
    """What is done about an object that was there before, without a source."""

    ADOPT = "adopt"
    REFUSE = "refuse"  # an error in its log, and an ack
    MISMATCH = "mismatch"  # as one of another source


@dataclass(frozen=True, slots=True)
class Rules:
    """One kind. [Q] *keeps_uid*: the UID that it has survives an upsert, which therefore comes again and again."""

    kind: Kind
    unmanaged: Unmanaged
    keeps_uid: bool
    is_finalized: bool

    @property
    def content(self) -> str:
        """The field that counts."""
        return self.kind.compared[0]


PROJECTS = Rules(APPPROJECT, Unmanaged.ADOPT, keeps_uid=False, is_finalized=True)
# [Q] A Secret of that name that is nobody's blocks the hub's.
REPOSITORIES = Rules(REPOSITORY, Unmanaged.REFUSE, keeps_uid=True, is_finalized=True)
# [Q] Every Argo CD has this ConfigMap, so the first contact makes it anew.
KEYS = Rules(GPGKEY, Unmanaged.MISMATCH, keeps_uid=True, is_finalized=False)
ALL = (PROJECTS, REPOSITORIES, KEYS)


class Held:
    """The objects of one kind, by name. *versions* are the cluster's; *mismatch* is the agent's setting."""

    def __init__(
        self, rules: Rules, objects: dict[str, Json], versions: Iterator[int], *, mismatch: str = "recreate"
    ) -> None:
        self.rules, self.objects = rules, objects
        self._versions, self._mismatch = versions, mismatch
        self._managed = set(objects)
        self._sources = {uid: self._content(obj) for obj in objects.values() if (uid := source_uid_of(obj))}

    def handle(self, event: Event, incoming: Json) -> None:
        """The principal says *event*."""
        name = incoming["metadata"]["name"]
        if event.type == EventType.DELETE:
            if name in self._managed:
                self.objects.pop(name, None)
                self._managed.discard(name)
        elif event.type in (EventType.CREATE, EventType.SPEC_UPDATE):
            self._upsert(name, incoming)

    def add(self, obj: Json) -> None:
        """Somebody makes *obj* there by hand."""
        self.objects[obj["metadata"]["name"]] = obj
        self._managed.add(obj["metadata"]["name"])

    def edit(self, name: str, changed: Callable[[Json], None]) -> None:
        """Somebody edits *name*; what counts is put back at once, if it came from the hub."""
        obj = copy.deepcopy(self.objects[name])
        changed(obj)
        source = self._sources.get(source_uid_of(obj))
        if source is not None:
            obj[self.rules.content] = copy.deepcopy(source)
        self._store(obj)

    def remove(self, name: str) -> None:
        """Somebody deletes *name*; it is made again, if it came from the hub."""
        obj = self.objects.pop(name)
        if source_uid_of(obj):
            number = next(self._versions)
            obj["metadata"] |= {"uid": f"spoke-{number}"}
            self._store(obj)
        else:
            self._managed.discard(name)

    def entries(self) -> Iterable[tuple[str, str, str]]:
        """What it lists: all there is, also what is not the hub's."""
        return [entry_of(self.rules.kind.name, obj) for obj in self.objects.values()]

    def asking(self, name: str) -> Json | None:
        """The request-update about *name*; None, and an error in its log, if it is not the hub's."""
        obj = self.objects[name]
        meta = obj["metadata"]
        if not (uid := source_uid_of(obj)):
            return None
        about = {"name": name, "namespace": meta["namespace"], "uid": uid, "kind": self.rules.kind.name}
        return {**about, "checksum": go_checksum(obj)}

    def _upsert(self, name: str, incoming: Json) -> None:
        uid, existing = incoming["metadata"].get("uid", ""), self.objects.get(name)
        if existing is None:
            self._create(incoming, uid)
            return
        held = source_uid_of(existing)
        if held == uid or (not held and self.rules.unmanaged is Unmanaged.ADOPT):
            self._update(existing, incoming, uid)
        elif not held and self.rules.unmanaged is Unmanaged.REFUSE:
            return
        elif annotations_of(incoming).get(ANNOTATION_MISMATCH_POLICY, self._mismatch) == "upsert":
            self._update(existing, incoming, held if self.rules.keeps_uid else uid)
        else:
            del self.objects[name]
            self._create(incoming, uid)

    def _create(self, incoming: Json, uid: str) -> None:
        obj = copy.deepcopy(incoming)
        meta, notes = obj["metadata"], annotations_of(obj)
        for gone in ("generation", "ownerReferences", "managedFields"):
            meta.pop(gone, None)
        notes.pop(ANNOTATION_LAST_APPLIED, None)
        meta |= {"annotations": {**notes, ANNOTATION_SOURCE_UID: uid}, "namespace": HOME}
        meta["uid"] = f"spoke-{next(self._versions)}"
        self._sources[uid] = self._content(obj)
        self._store(obj)

    def _update(self, existing: Json, incoming: Json, uid: str) -> None:
        obj, new = copy.deepcopy(existing), incoming["metadata"]
        notes = annotations_of(incoming) | {ANNOTATION_SOURCE_UID: uid}
        obj["metadata"]["annotations"] = {key: text for key, text in notes.items() if text}
        obj["metadata"]["labels"] = new.get("labels") or None
        if self.rules.is_finalized and new.get("finalizers"):  # [Q] added or replaced, never removed
            obj["metadata"]["finalizers"] = new["finalizers"]
        obj[self.rules.content] = self._content(incoming)
        self._sources[new.get("uid", "")] = self._content(incoming)
        self._store(obj)

    def _store(self, obj: Json) -> None:
        obj["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[obj["metadata"]["name"]] = obj
        self._managed.add(obj["metadata"]["name"])

    def _content(self, obj: Json) -> Json:
        return copy.deepcopy(obj.get(self.rules.content) or {})
