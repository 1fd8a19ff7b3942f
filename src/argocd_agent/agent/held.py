"""The deletions that the brake holds on this spoke: asked for, written down, obeyed when an operator says so.

`ask` is asked of every deletion of a mirror before it is carried out. What is held is durable before `ask` says so: it
stands in a ConfigMap of this spoke (`heldfile`), one write for all that is asked meanwhile. While something cannot be
written down, for want of room or because the ConfigMap was found unreadable, no further deletion is carried out or
held: each is deferred, with the reason. An unreadable ConfigMap is never written over; an operator mends, deletes or
discards it.

An order, of the hub or by an annotation on the ConfigMap, stands until nothing is held: what comes to be held meanwhile
is obeyed alike. What cannot be done is tried again after a growing pause. `release` carries a deletion out; `discard`
keeps the object, which is no longer the principal's. The order goes with the ConfigMap when nothing is held any more.

The mirrors held are marked by *mark*, level-triggered. The state is owned by the tasks of one event loop and changed
only between awaits; `run` must run for any of it to happen.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from argocd_agent.agent import heldfile
from argocd_agent.backends.ports import Cluster, Scope
from argocd_agent.errors import ClusterError, DecodeError, EventDeferred, EventError
from argocd_agent.peer.kubeevents import KubeEvents
from argocd_agent.peer.observe import Change, Observer, pause
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.brake import Brake, HeldDeletion, How, Order, held_key
from argocd_agent.protocol.names import ANNOTATION_HELD_DELETIONS, CONDITION_DELETION_HELD, CONFIGMAP_HELD_DELETIONS
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.resources.objects import Object
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.brake import HeldReport, report_of
from argocd_agent.wire.timestamps import format_time, parse_seconds

log = get_log("Brake")

AT_ONCE = 16  # deletions released, discarded or marked side by side
_PAUSES = Backoff(first=1.0, factor=2.0, ceiling=60.0)


@dataclass(frozen=True, slots=True)
class Hands:
    """What the brake needs of whoever keeps the mirrors. `count`: how many objects of the principal there are, of all
    kinds, those held included. `release`: carry the deletion out now. `discard`: let the object stay, as nobody's but
    the spoke's. Both raise `EventError` or `ClusterError` where that cannot be done now, and bear to be asked twice.
    `mark`: show on the object that its deletion is held (True), or no longer; it raises for no failure of a cluster.
    """

    count: Callable[[], int]
    release: Callable[[HeldDeletion], Awaitable[None]]
    discard: Callable[[HeldDeletion], Awaitable[None]]
    mark: Callable[[HeldDeletion, bool], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Clocks:
    """`monotonic` in seconds, and `epoch` in seconds since 1970."""

    monotonic: Callable[[], float]
    epoch: Callable[[], float]


class HeldDeletions:
    """What is held in *namespace*. *changed* is told whenever the report says something new; it must not wait."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        brake: Brake,
        hands: Hands,
        events: KubeEvents,
        clocks: Clocks,
        *,
        changed: Callable[[], None],
        problem: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self._cluster, self._namespace, self._brake, self._hands = cluster, namespace, brake, hands
        self._events, self._clocks, self._changed = events, clocks, changed
        self._held: dict[str, HeldDeletion] = {}
        self._durable: dict[str, HeldDeletion] = {}
        self._marked: dict[str, HeldDeletion] = {}
        self._bytes = 0
        self._unreadable = ""  # why the ConfigMap that is there is not understood
        self._stuck = ""  # why a deletion that had to be held could not be
        self._order: Order | None = None
        self._is_obeyed = False  # the order on the ConfigMap has been carried out, and is to be taken off
        self._complained = ""
        self._stored: Object | None = None  # the ConfigMap as we wrote it last
        self._waiting: list[asyncio.Future[None]] = []
        self._to_write, self._to_obey, self._to_mark = asyncio.Event(), asyncio.Event(), asyncio.Event()
        scope = Scope(namespace, fields=f"metadata.name={CONFIGMAP_HELD_DELETIONS}")
        self._observer = Observer(cluster, CONFIGMAPS, scope, self._on_change, report=problem)

    def __len__(self) -> int:
        """How many deletions are held."""
        return len(self._held)

    def holds(self, kind: str, namespace: str, name: str) -> HeldDeletion | None:
        """The deletion of this object that is held; None if there is none. *kind* is a name of `resources.kinds`."""
        return self._held.get(held_key(kind, namespace, name))

    def report(self) -> HeldReport:
        """What the hub is to know."""
        return report_of(self._held.values(), self._unreadable or self._stuck)

    async def ask(self, kind: str, namespace: str, name: str, source_uid: str, how: How) -> bool:
        """Whether a deletion may be carried out. False: it is held, and that is written down.

        Raises `EventDeferred` when it can be neither. Asked again about what is held, it stays held, as said last.
        """
        key = held_key(kind, namespace, name)
        if self._brake.use_pardon(key):
            return True
        held = self._held.get(key)
        if held is None:
            if self._stuck:
                raise EventDeferred(self._stuck)
            if self._brake.deletion(self._clocks.monotonic(), self._hands.count()):
                return True
            self._hold(HeldDeletion(kind, namespace, name, source_uid, how, format_time(self._clocks.epoch())))
        elif (held.source_uid, held.how) != (source_uid, how):
            self._hold(replace(held, source_uid=source_uid, how=how))
        await self._written(key)
        return False

    def forget(self, kind: str, namespace: str, name: str) -> None:
        """The source wants the object, or it is gone: its deletion is held no more, nor pardoned."""
        key = held_key(kind, namespace, name)
        self._brake.use_pardon(key)
        if key in self._held:
            self._drop(key)

    def order(self, what: Order) -> None:
        """Obey the principal's order; it stands until nothing is held. With nothing held only the report goes out."""
        log.info(f"Asked to {what} the deletions that are held", {fields.COUNT: len(self._held)})
        self._obey(what)
        if not self._held:
            self._changed()

    async def read(self) -> None:
        """Wait until what was held before has been read. Before it nothing may be served."""
        await self._observer.synced.wait()

    async def run(self) -> None:
        """Write down, obey and mark, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._observer.run(), name="watch the held deletions")
            tasks.create_task(self._keep(), name="write down held deletions")
            tasks.create_task(self._carry_out_orders(), name="release or discard held deletions")
            tasks.create_task(self._mark(), name="mark what is held")

    # What is held

    def _hold(self, held: HeldDeletion) -> None:
        old = self._held.get(held.key)
        needed = self._bytes + heldfile.cost_of(held) - (heldfile.cost_of(old) if old is not None else 0)
        stuck = ""
        if self._unreadable:
            stuck = f"too many deletions, and they cannot be held: {self._unreadable}"
        elif needed > heldfile.MAX_BYTES:
            stuck = (
                f"too many deletions, and no room to hold another: ConfigMap {self._namespace}/"
                f"{CONFIGMAP_HELD_DELETIONS} has {len(self._held)} in {self._bytes} of {heldfile.MAX_BYTES} bytes; "
                f"release or discard them"
            )
        if stuck:
            self._stuck = stuck
            log.error(
                "A deletion is neither carried out nor held; so are all until that is mended", {fields.REASON: stuck}
            )
            self._changed()
            raise EventDeferred(stuck)
        self._held[held.key] = held
        self._bytes = needed
        self._to_write.set()

    def _drop(self, key: str) -> None:
        self._bytes -= heldfile.cost_of(self._held.pop(key))
        self._stuck = ""
        self._to_write.set()

    async def _written(self, key: str) -> None:
        held = self._held.get(key)
        if held is None or self._durable.get(key) == held:
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._to_write.set()
        await waiting

    # The ConfigMap

    def _on_change(self, change: Change) -> None:
        obj = change.new
        if obj is None:  # deleted by us; or by hand, which says that what was not understood is not to be held
            if self._unreadable:
                self._unreadable = self._stuck = ""
                self._changed()
        elif not self._observer.synced.is_set() or self._unreadable:
            self._load(obj)
        if not self._unreadable:
            self._to_write.set()  # what somebody else changed is put right
        if obj is not None:
            self._heed(obj)

    def _load(self, obj: Object) -> None:
        try:
            found = heldfile.deletions_in(obj)
        except DecodeError as error:
            self._unreadable = str(error)
            log.error("The deletions held before cannot be read; they are left as they are", {fields.ERROR: str(error)})
            self._changed()
            return
        self._unreadable = self._stuck = ""
        self._held = {one.key: one for one in found}
        self._durable = dict(self._held)
        self._stored = obj
        self._bytes = sum(heldfile.cost_of(one) for one in self._held.values())
        now = self._clocks.epoch()
        self._brake.restore((now - parse_seconds(one.since) for one in found), self._clocks.monotonic())
        if self._held:
            log.warning(_told(len(self._held)), {fields.COUNT: len(self._held)})
        self._to_mark.set()
        self._changed()

    def _heed(self, obj: Object) -> None:
        """Look for an operator's order on the ConfigMap."""
        text = obj.annotations.get(ANNOTATION_HELD_DELETIONS)
        if text in tuple(Order):
            if not self._is_obeyed:
                self._obey(Order(text))
        elif text is not None and text != self._complained:
            log.warning(
                "An order about held deletions is not understood",
                {fields.DETAIL: text[:100], fields.REASON: f"expected {' or '.join(Order)}"},
            )
        self._complained = "" if text is None else text

    async def _keep(self) -> None:
        """Make the ConfigMap say what is held: all that came together in one write."""
        failures = 0
        await self._observer.synced.wait()
        while True:
            await self._to_write.wait()
            self._to_write.clear()
            if self._unreadable:
                continue
            waiting, self._waiting = self._waiting, []
            held, is_obeyed = dict(self._held), self._is_obeyed
            try:
                stored = await heldfile.write(
                    self._cluster, self._namespace, tuple(held.values()), without_order=is_obeyed
                )
            except ClusterError as error:
                failures += 1
                _settle(waiting, EventDeferred(f"a deletion is held, which cannot be written down: {error}"))
                log.warning("Held deletions cannot be written down", {fields.ERROR: str(error)})
                self._to_write.set()
                await pause(_PAUSES.delay(failures))
                continue
            failures = 0
            self._is_obeyed = self._is_obeyed and not is_obeyed
            before, self._durable, self._stored = self._durable, held, stored
            _settle(waiting, None)
            if held != before:
                self._to_mark.set()
                self._changed()

    # Orders

    def _obey(self, what: Order) -> None:
        if self._unreadable:
            if what is Order.RELEASE:
                log.error("Held deletions cannot be released", {fields.REASON: self._unreadable})
                return
            self._unreadable = self._stuck = ""
            self._to_write.set()
        self._order = what
        self._to_obey.set()

    async def _carry_out_orders(self) -> None:
        failures = 0
        while True:
            await self._to_obey.wait()
            while self._held and self._order is not None:
                failed = await _side_by_side(self._one, tuple(self._held.values()))
                failures = failures + 1 if failed else 0
                if failed:
                    await pause(_PAUSES.delay(failures))
            self._order, failures = None, 0
            self._to_obey.clear()
            self._is_obeyed = True
            self._to_write.set()

    async def _one(self, held: HeldDeletion) -> bool:
        """Whether the order is carried out on *held*, or no longer concerns it."""
        if self._held.get(held.key) is not held:
            return True
        about = {fields.KIND: held.kind, fields.NAMESPACE: held.namespace, fields.NAME: held.name}
        what = self._order
        try:
            if what is Order.RELEASE:
                self._brake.pardon(held.key)
                await self._hands.release(held)
            else:
                await self._hands.discard(held)
                await self._hands.mark(held, False)
        except (EventError, ClusterError) as error:
            log.warning(f"Cannot {what} a held deletion; tried again", about | {fields.ERROR: str(error)})
            return False
        if self._held.get(held.key) is held:  # not forgotten, nor said anew, meanwhile
            self._drop(held.key)
        log.info(f"A held deletion: {what} as ordered", about)
        return True

    # Marks

    async def _mark(self) -> None:
        while True:
            await self._to_mark.wait()
            self._to_mark.clear()
            held, marked = self._durable, self._marked
            self._marked = held
            if self._stored is not None and len(held) > len(marked):
                await self._events.record(CONFIGMAPS, self._stored, CONDITION_DELETION_HELD, _told(len(held)))
            await _side_by_side(self._unmark, [one for key, one in marked.items() if key not in held])
            await _side_by_side(self._mark_one, [one for key, one in held.items() if key not in marked])

    async def _mark_one(self, held: HeldDeletion) -> bool:
        await self._hands.mark(held, True)
        return True

    async def _unmark(self, held: HeldDeletion) -> bool:
        await self._hands.mark(held, False)
        return True


def _told(count: int) -> str:
    return (
        f"{count} deletions that the principal asked for are held: they were too many within a minute. "
        f"Annotate ConfigMap {CONFIGMAP_HELD_DELETIONS} with {ANNOTATION_HELD_DELETIONS}={Order.RELEASE} to carry them "
        f"out, or ={Order.DISCARD} to keep the objects, which are then no longer the principal's"
    )


def _settle(waiting: Iterable[asyncio.Future[None]], error: EventDeferred | None) -> None:
    for future in waiting:
        if future.done():  # who waited was cancelled
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


async def _side_by_side(work: Callable[[HeldDeletion], Awaitable[bool]], held: Iterable[HeldDeletion]) -> bool:
    """Do *work* on each, `AT_ONCE` at a time; whether one said no."""
    results: list[bool] = []
    left = iter(held)

    async def worker() -> None:
        results.extend([await work(one) for one in left])  # what is left is shared by all workers

    async with asyncio.TaskGroup() as tasks:
        for number in range(AT_ONCE):
            tasks.create_task(worker(), name=f"held deletions {number}")
    return not all(results)
