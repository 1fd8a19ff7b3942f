"""A mirror that was changed or deleted on the spoke is put right, connected or not.

Level-triggered: what is due is compared again when its turn comes, so a repair that is no longer needed does nothing.
Two who fight over one Application do not melt the API server: the first repairs come at once, further ones within a
minute after growing pauses.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from argocd_agent.agent.mirrors import Key, Mirror, Mirrors, mirror_of
from argocd_agent.errors import EventDeferred, EventRefused
from argocd_agent.peer.apply import Applier
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.resources import application
from argocd_agent.resources.identity import claimed
from argocd_agent.resources.objects import Metadata, Object
from argocd_agent.resources.plan import Action, Create, Nothing, Update
from argocd_agent.resources.policy import Recreate
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("Agent")

_AT_ONCE = 5  # repairs of one mirror within a minute before pauses begin
_QUIET_SECONDS = 60.0
_CASES = 1024  # remembered beyond their minute before those that are over are looked for
_PAUSES = Backoff(first=1.0, factor=2.0, ceiling=30.0)


@dataclass(slots=True)
class _Case:
    last: Object
    due: float
    repairs: int = 0
    repaired_at: float = 0.0


class Drift:
    """Repairs mirrors. `check` names one that may be wrong; `run` until cancelled. *made_again* hears of each that was
    deleted and is back."""

    def __init__(
        self,
        applier: Applier,
        mirrors: Mirrors,
        held: Mapping[Key, Object],
        recreate: Recreate,
        clock: Callable[[], float],
        *,
        made_again: Callable[[Object], None],
    ) -> None:
        self._applier, self._mirrors, self._held, self._recreate, self._clock = applier, mirrors, held, recreate, clock
        self._made_again = made_again
        self._cases: dict[Key, _Case] = {}
        self._due: set[Key] = set()
        self._busy: set[Key] = set()
        self._wake = asyncio.Event()

    def check(self, key: Key, last: Object) -> None:
        """The mirror *key* may not be as the principal wants it; *last* is how it was seen."""
        now = self._clock()
        case = self._cases.get(key)
        if case is None or now - case.repaired_at > _QUIET_SECONDS:
            self._forget_quiet(now)
            case = self._cases[key] = _Case(last, now)
        case.last = last
        extra = case.repairs - _AT_ONCE
        case.due = now if extra < 0 else case.repaired_at + _PAUSES.delay(extra + 1)
        self._due.add(key)
        self._wake.set()

    def _forget_quiet(self, now: float) -> None:
        if len(self._cases) >= _CASES:
            idle = self._cases.keys() - self._due - self._busy
            for key in [key for key in idle if now - self._cases[key].repaired_at > _QUIET_SECONDS]:
                del self._cases[key]

    async def run(self) -> None:
        """Repair what is due, until cancelled. A slow repair holds up no other."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                now = self._clock()
                for key in [key for key in self._due - self._busy if self._cases[key].due <= now]:
                    self._due.discard(key)
                    self._busy.add(key)
                    tasks.create_task(self._repair(key, self._cases[key]), name=f"put right {key}")
                deadline = min((self._cases[key].due for key in self._due - self._busy), default=None)
                with contextlib.suppress(TimeoutError):  # not a failure: something fell due
                    async with asyncio.timeout_at(deadline):
                        await self._wake.wait()

    async def _repair(self, key: Key, case: _Case) -> None:
        try:
            await self._put_right(key, case)
        finally:
            self._busy.discard(key)
            self._wake.set()

    async def _put_right(self, key: Key, case: _Case) -> None:
        if self._mirrors.get(key) is None:
            self._cases.pop(key, None)
            self._due.discard(key)
            return
        case.repairs, case.repaired_at = case.repairs + 1, self._clock()
        about = {fields.NAMESPACE: key[0], fields.NAME: key[1]}

        def plan(held: Object | None) -> Action:
            mirror = self._mirrors.get(key)  # of now: the principal may have said something else while we waited
            if mirror is None:
                return Nothing("it is not the principal's any more")
            return repair(mirror, held, case.last, self._recreate)

        try:
            outcome = await self._applier.apply(*key, self._held.get(key), plan)
        except EventDeferred as error:
            log.warning("A mirror cannot be put right now", about | {fields.ERROR: str(error)})
            case.due = self._clock() + _PAUSES.delay(case.repairs)
            self._due.add(key)
        except EventRefused as error:
            log.error("A mirror cannot be put right", about | {fields.ERROR: str(error)})
        else:
            if outcome.stored is not None and isinstance(outcome.action, Create):
                self._made_again(outcome.stored)
            if not isinstance(outcome.action, Nothing):
                what = "was deleted" if isinstance(outcome.action, Create) else "was changed"
                log.info(f"An Application {what} on the spoke and has been put right", about)


def repair(mirror: Mirror, held: Object | None, last: Object, recreate: Recreate) -> Action:
    """What makes the spoke's copy as *mirror* says. *last*: how the object was before it went."""
    if held is None:
        return Create(_restored(mirror, last, recreate))
    begins = application.may_begin_next(held)
    if held.is_deleting or (mirror_of(held) == mirror and not begins):
        return Nothing("it is as the principal wants it")
    fixed = held if mirror_of(held).spec == mirror.spec else held.with_fields({"spec": mirror.spec})
    fixed = claimed(fixed, mirror.source_uid, mirror.principal_uid)
    return Update(application.next_begun(fixed) if begins else fixed)


def _restored(mirror: Mirror, last: Object, recreate: Recreate) -> Object:
    metadata = Metadata(
        name=last.name,
        namespace=last.namespace,
        labels=last.metadata.labels,
        annotations=last.metadata.annotations,
        finalizers=application.shared_finalizers(last) or None,
        owner_references=last.metadata.owner_references,
    )
    again = claimed(Object(metadata, last.fields), mirror.source_uid, mirror.principal_uid)
    again = again.with_fields({"spec": mirror.spec})
    if recreate is Recreate.CLEAR_STATUS:
        return application.without_operation_state(again)
    if recreate is Recreate.RESYNC:
        return again.with_fields({"operation": b'{"sync":{}}'})
    return again
