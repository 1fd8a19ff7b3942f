"""The mirrors of one kind at this end: kept as their source wants them, whoever else writes to the cluster.

`here` and `gone` take what the watch shows, `apply` an event of the source. What the source wants is noted before it is
written: the watch event of our own write must find what it is compared with. Nothing but `apply` and `run` waits.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from argocd_agent.errors import EventError, EventRefused
from argocd_agent.peer.apply import Applier, Outcome
from argocd_agent.peer.drift import Drift
from argocd_agent.peer.mirrors import Key, Mirror, Mirrors, Ordered
from argocd_agent.protocol.events import EventType
from argocd_agent.protocol.names import ANNOTATION_PRINCIPAL_UID, ANNOTATION_SOURCE_UID
from argocd_agent.resources import application
from argocd_agent.resources.identity import claimed, source_uid
from argocd_agent.resources.kinds import APPLICATION, Kind
from argocd_agent.resources.objects import Metadata, Object
from argocd_agent.resources.plan import (
    Action,
    Create,
    Delete,
    Incoming,
    LetGo,
    Nothing,
    Replace,
    ReportGone,
    Update,
)
from argocd_agent.resources.policy import Recreate
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("Mirrors")

SPECIFIES = frozenset({EventType.CREATE, EventType.SPEC_UPDATE})

Plan = Callable[[Object | None], Action]


class OnDeletion(Enum):
    """What a deletion means that was under way before we came, or that nobody here ordered."""

    ASK = auto()  # the source may have ordered it: when it is done, the source is told and asked
    UNDO = auto()  # never its wish: the finalizers go, and the object is made again


@dataclass(frozen=True, slots=True)
class Copies:
    """How mirrors of a kind are held at this end."""

    kind: Kind
    content: Callable[[Object], bytes]
    with_content: Callable[[Object, bytes], Object]
    recreate: Recreate = Recreate.IGNORE
    on_deletion: OnDeletion = OnDeletion.ASK


class Mirroring:
    """One kind. *is_mine*: whether an object with a source UID is a mirror held here. *is_settled*: the first list is
    complete. *made_again* hears of each mirror that somebody deleted and that is back."""

    def __init__(
        self,
        copies: Copies,
        applier: Applier,
        held: Mapping[Key, Object],
        clock: Callable[[], float],
        *,
        is_settled: Callable[[], bool],
        made_again: Callable[[Object], None] = lambda _: None,
    ) -> None:
        self._copies, self._applier, self.held, self._is_settled = copies, applier, held, is_settled
        self.kind = copies.kind
        self.mirrors = Mirrors(copies.content)
        self._drift = Drift(copies.kind.name, applier, held, self._repair, clock, made_again=made_again)

    async def run(self) -> None:
        """Put drift right, until cancelled."""
        await self._drift.run()

    def check(self, obj: Object) -> None:
        """*obj* may not be as it should be."""
        self._drift.check(obj.key, obj)

    def here(self, obj: Object) -> bool:
        """The watch shows *obj*. Whether it is a mirror."""
        mirror = self.mirrors.get(obj.key)
        if mirror is None:
            if not source_uid(obj):
                return False
            self.mirrors.adopt(obj)
            if self._begins(obj):
                self.check(obj)
        elif obj.is_deleting:
            if self._copies.on_deletion is OnDeletion.UNDO and not self.mirrors.is_ordered(obj.uid):
                self.check(obj)
        elif self.mirrors.of(obj) != mirror or self._begins(obj):
            self.check(obj)
        if obj.is_deleting and not self._is_settled():
            if self._copies.on_deletion is OnDeletion.ASK:
                # Whose wish this is was forgotten with the last process: the source decides when it hears of it.
                self.mirrors.order(obj, Ordered.ASK)
            else:
                self.check(obj)
        return True

    def gone(self, obj: Object) -> Ordered | None:
        """The watch shows that *obj* went, or left what we watch. `REPORT` or `ASK`: the source is to be told."""
        ordered = self.mirrors.ordered(obj.uid)
        if self.mirrors.get(obj.key) is None or ordered is Ordered.DONE:
            return None
        if ordered is None or self.kind is not APPLICATION:
            self._drift.check(obj.key, obj)
            return None
        self.mirrors.expect(obj.key, None)
        return ordered

    async def apply(self, incoming: Incoming, key: Key, plan: Plan) -> Outcome:
        """Do what *plan* says about an event of the source. Raises `EventDeferred`, `EventRefused`."""
        before = self.mirrors.get(key)
        ordered: list[str] = []

        def noted(held: Object | None) -> Action:
            action = plan(held)
            self._expect(key, action, incoming, held, ordered)
            return action

        try:
            outcome = await self._applier.apply(*key, self.held.get(key), noted)
        except EventRefused:  # what is deferred stays wanted, and may have been done: the answer can be lost
            self._as_before(key, before, ordered)
            raise
        if outcome.is_held:
            self._as_before(key, self.mirrors.get(key) if isinstance(outcome.action, Update) else before, ordered)
        self._log(outcome, key)
        return outcome

    async def disown(self, key: Key, uid: str) -> None:
        """The mirror of source *uid* is nobody's but this cluster's from now on. Raises `EventDeferred`,
        `EventRefused`."""
        before = self.mirrors.get(key)

        def plan(held: Object | None) -> Action:
            if held is None or source_uid(held) != uid:
                return Nothing("it is another one by now")
            self.mirrors.expect(key, None)
            return Update(held.with_annotations({ANNOTATION_SOURCE_UID: None, ANNOTATION_PRINCIPAL_UID: None}))

        try:
            await self._applier.apply(*key, self.held.get(key), plan)
        except EventError:
            self.mirrors.expect(key, before)
            raise

    def lost(self, obj: Object) -> None:
        """*obj* is gone, and that is as well: it is not made again."""
        self.mirrors.expect(obj.key, None)

    def _as_before(self, key: Key, before: Mirror | None, ordered: list[str]) -> None:
        self.mirrors.expect(key, before)
        for uid in ordered:
            self.mirrors.ordered(uid)

    def _expect(self, key: Key, action: Action, incoming: Incoming, held: Object | None, ordered: list[str]) -> None:
        """Note what the source wants from now on, also where nothing is to be done for it."""
        specifies = incoming.type in SPECIFIES
        match action:
            case Create(obj):
                self.mirrors.expect(key, self.mirrors.of(obj))
            case Update(obj, then_delete) if specifies:
                self.mirrors.expect(key, self.mirrors.of(obj))
                if then_delete:
                    self._order(obj, Ordered.REPORT, ordered)
            case Replace(old, new):
                self.mirrors.expect(key, self.mirrors.of(new))
                self._order(old, Ordered.DONE, ordered)
            case Delete(obj, foreground):
                self._order(obj, Ordered.REPORT if foreground else Ordered.DONE, ordered)
                if not foreground:
                    self.mirrors.expect(key, None)
            case LetGo(obj):
                self._order(obj, Ordered.DONE, ordered)
                self.mirrors.expect(key, None)
            case ReportGone():
                self.mirrors.expect(key, None)
            case Nothing() if incoming.type == EventType.DELETE:  # gone or going already: nobody may put it back
                self.mirrors.expect(key, None)
                if held is not None:
                    self._order(held, Ordered.DONE, ordered)
            case Nothing() if specifies and held is not None and source_uid(held):
                self.mirrors.expect(key, self.mirrors.of(held))
        if specifies and incoming.object.is_deleting and held is not None and held.is_deleting:
            self._order(held, Ordered.REPORT, ordered)  # both sides are going; the source waits for word

    def _order(self, obj: Object, why: Ordered, ordered: list[str]) -> None:
        self.mirrors.order(obj, why)
        ordered.append(obj.uid)

    def _begins(self, obj: Object) -> bool:
        return self.kind is APPLICATION and application.may_begin_next(obj)

    def _repair(self, key: Key, held: Object | None, last: Object) -> Action | None:
        mirror = self.mirrors.get(key)
        return None if mirror is None else repair(self._copies, mirror, held, last, is_seen=key in self.held)

    def _log(self, outcome: Outcome, key: Key) -> None:
        kind = self.kind.name
        about = {fields.NAMESPACE: key[0], fields.NAME: key[1], fields.KIND: kind}
        if outcome.is_held:
            log.warning(f"The deletion of {kind} {key[0]}/{key[1]} is held by the brake", about)
            return
        match outcome.action:
            case Create():
                log.info(f"Created {kind} {key[0]}/{key[1]}", about | {fields.ACTION: "create"})
            case Update() | Replace():
                log.info(f"Updated {kind} {key[0]}/{key[1]}", about | {fields.ACTION: "update"})
            case Delete() | LetGo():
                log.info(f"Deleted {kind} {key[0]}/{key[1]}", about | {fields.ACTION: "delete"})
            case Nothing(because):
                log.debug(f"Nothing to do: {because}", about)


def repair(copies: Copies, mirror: Mirror, held: Object | None, last: Object, *, is_seen: bool) -> Action:
    """What makes the copy as *mirror* says. *last*: how it was before it went. *is_seen*: our watch shows it; if it
    does not, somebody has taken off a label that it is chosen by."""
    if held is None:
        return Create(_restored(copies, mirror, last))
    if held.is_deleting:
        return LetGo(held) if copies.on_deletion is OnDeletion.UNDO else Nothing("it is being deleted")
    fixed = held
    if copies.content(held) != mirror.content:
        fixed = copies.with_content(fixed, mirror.content)
    if not is_seen and held.labels != mirror.labels:
        fixed = fixed.with_metadata(labels=dict(mirror.labels) or None)
    if (source_uid(held), mirror.principal_uid) != (mirror.source_uid, ""):
        fixed = claimed(fixed, mirror.source_uid, mirror.principal_uid)
    if copies.kind is APPLICATION and application.may_begin_next(fixed):
        fixed = application.next_begun(fixed)
    return Nothing("it is as its source wants it") if fixed == held else Update(fixed)


def _restored(copies: Copies, mirror: Mirror, last: Object) -> Object:
    metadata = Metadata(
        name=last.name,
        namespace=last.namespace,
        labels=dict(mirror.labels) or last.metadata.labels,
        annotations=last.metadata.annotations,
        finalizers=application.shared_finalizers(last) or None,
        owner_references=last.metadata.owner_references,
    )
    again = claimed(Object(metadata, last.fields), mirror.source_uid, mirror.principal_uid)
    again = copies.with_content(again, mirror.content)
    if copies.recreate is Recreate.CLEAR_STATUS:
        return application.without_operation_state(again)
    if copies.recreate is Recreate.RESYNC:
        return again.with_fields({"operation": b'{"sync":{}}'})
    return again


def with_recreate(copies: Copies, recreate: Recreate) -> Copies:
    """*copies*, with the policy for what becomes of a status when a mirror is made again."""
    return dataclasses.replace(copies, recreate=recreate)
