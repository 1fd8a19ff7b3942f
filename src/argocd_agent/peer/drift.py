"""An object that is not as it should be here is put right, connected or not.

Level-triggered: what is due is compared again when its turn comes, so a repair that is no longer needed does nothing.
Two who fight over one object do not melt the API server: the first repairs come at once, further ones within a minute
after growing pauses.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from argocd_agent.errors import EventDeferred, EventRefused
from argocd_agent.peer.apply import Applier
from argocd_agent.peer.mirrors import Key
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.resources.objects import Object
from argocd_agent.resources.plan import Action, Create, Nothing
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("Mirrors")

_AT_ONCE = 5  # repairs of one object within a minute before pauses begin
_QUIET_SECONDS = 60.0
_CASES = 1024  # remembered beyond their minute before those that are over are looked for; then at each doubling
_PAUSES = Backoff(first=1.0, factor=2.0, ceiling=30.0)

Repair = Callable[[Key, Object | None, Object], Action | None]
"""Name, the object as it is now, and how it was last seen → what puts it right; None: it is nobody's any more."""


@dataclass(slots=True)
class _Case:
    last: Object
    due: float
    repairs: int = 0
    repaired_at: float = 0.0


class Drift:
    """Repairs objects of *kind*. `check` names one that may be wrong; `run` until cancelled. *made_again* hears of each
    that was deleted and is back."""

    def __init__(
        self,
        kind: str,
        applier: Applier,
        held: Mapping[Key, Object],
        repair: Repair,
        clock: Callable[[], float],
        *,
        made_again: Callable[[Object], None] = lambda _: None,
    ) -> None:
        self._kind, self._applier, self._held, self._repair, self._clock = kind, applier, held, repair, clock
        self._made_again = made_again
        self._cases: dict[Key, _Case] = {}
        self._due: set[Key] = set()
        self._busy: set[Key] = set()
        self._many = _CASES
        self._wake = asyncio.Event()

    def check(self, key: Key, last: Object) -> None:
        """The object *key* may not be as it should be; *last* is how it was seen."""
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
        if len(self._cases) >= self._many:
            idle = self._cases.keys() - self._due - self._busy
            for key in [key for key in idle if now - self._cases[key].repaired_at > _QUIET_SECONDS]:
                del self._cases[key]
            self._many = max(_CASES, 2 * len(self._cases))

    async def run(self) -> None:
        """Repair what is due, until cancelled. A slow repair holds up no other."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                now = self._clock()
                for key in [key for key in self._due - self._busy if self._cases[key].due <= now]:
                    self._due.discard(key)
                    self._busy.add(key)
                    tasks.create_task(self._one(key, self._cases[key]), name=f"put right {key}")
                deadline = min((self._cases[key].due for key in self._due - self._busy), default=None)
                with contextlib.suppress(TimeoutError):  # not a failure: something fell due
                    async with asyncio.timeout_at(deadline):
                        await self._wake.wait()

    async def _one(self, key: Key, case: _Case) -> None:
        try:
            await self._put_right(key, case)
        finally:
            self._busy.discard(key)
            self._wake.set()

    async def _put_right(self, key: Key, case: _Case) -> None:
        if self._repair(key, self._held.get(key), case.last) is None:
            self._cases.pop(key, None)
            self._due.discard(key)
            return
        case.repairs, case.repaired_at = case.repairs + 1, self._clock()
        about = {fields.KIND: self._kind, fields.NAMESPACE: key[0], fields.NAME: key[1]}

        def plan(held: Object | None) -> Action:
            # Of now: somebody may have said something else while we waited.
            return self._repair(key, held, case.last) or Nothing("it is nobody's any more")

        try:
            outcome = await self._applier.apply(*key, self._held.get(key), plan)
        except EventDeferred as error:
            log.warning(f"{self._kind} cannot be put right now", about | {fields.ERROR: str(error)})
            case.due = self._clock() + _PAUSES.delay(case.repairs)
            self._due.add(key)
        except EventRefused as error:
            log.error(f"{self._kind} cannot be put right", about | {fields.ERROR: str(error)})
        else:
            if outcome.stored is not None and isinstance(outcome.action, Create):
                self._made_again(outcome.stored)
            if not isinstance(outcome.action, Nothing):
                what = "deleted" if isinstance(outcome.action, Create) else "changed"
                log.info(f"{self._kind} was {what} by somebody else and has been put right", about)
