"""Carries out the action that a plan returns, against a cluster that others write too.

A write carries the version, a delete the UID, that the plan saw. Where the object has moved on meanwhile it is read
again and the plan is asked again: `CONFLICTS` times, then the event is deferred. What we have written ourselves counts
at once, before the watch shows it: otherwise a plan could find that nothing is to be done, and nothing would tell it
better. What we have deleted may be planned for again until the watch shows that it goes; that is the same deletion, and
nobody is asked about it a second time.

What a failure means for the event: the API is not there or overloaded → deferred, tried again later; it refuses the
object or us → refused, with the API's words.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from argocd_agent.backends.ports import Cluster, Propagation
from argocd_agent.errors import (
    AlreadyExists,
    ClusterError,
    Conflict,
    DecodeError,
    EventBlocked,
    EventDeferred,
    EventRefused,
    NotFound,
    Unauthorized,
)
from argocd_agent.peer.observe import Change
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object
from argocd_agent.resources.plan import (
    Action,
    Create,
    Delete,
    LetGo,
    Nothing,
    Replace,
    ReportGone,
    ReportNotAdopted,
    Update,
)

CONFLICTS = 8
# How long our own write is believed against the watch: it may have shown that the object is gone before we had the
# answer to the write, and will not say so again.
TRUSTED_SECONDS = 5.0
GONE_TIMEOUT_SECONDS = 30.0

Plan = Callable[[Object | None], Action]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done. `stored` is the object as the API server has it now, None if it is gone or untouched. With
    `is_held` the deletion in `action` was not carried out: the brake keeps it."""

    action: Action
    stored: Object | None = None
    is_held: bool = False


async def always(_: Object, __: Action) -> bool:
    """Lets every deletion pass."""
    return True


class Applier:
    """Writes objects of *api*. At most *limit* writes are under way at once; the next ones wait their turn.

    *shown* gives an object as the watch showed it last; whoever watches tells `seen` of each change. *may_delete* is
    asked once before an object is deleted that is not going already; it may raise `EventDeferred`.
    """

    def __init__(
        self,
        cluster: Cluster,
        api: Api,
        limit: int,
        until_gone: Callable[[str], Awaitable[None]],
        shown: Callable[[tuple[str, str]], Object | None],
        may_delete: Callable[[Object, Action], Awaitable[bool]] = always,
    ) -> None:
        self._cluster, self._api, self._may_delete = cluster, api, may_delete
        self._turn = asyncio.Semaphore(limit)
        self._until_gone, self._shown = until_gone, shown
        self._written: dict[tuple[str, str], tuple[float, Object]] = {}  # by us, when, and not shown by the watch yet
        self._deleted: dict[tuple[str, str], str] = {}  # UIDs: by us, and not shown as going by the watch yet
        self._clock = asyncio.get_running_loop().time

    def seen(self, change: Change) -> None:
        """The watch has shown *change*."""
        written = self._written.get(change.object.key)
        if written is not None and (change.new is None or _is_as_new(change.new, written[1])):
            del self._written[change.object.key]
        if change.new is None or change.new.is_deleting or change.new.uid != self._deleted.get(change.object.key):
            self._deleted.pop(change.object.key, None)

    async def apply(self, namespace: str, name: str, held: Object | None, plan: Plan) -> Outcome:
        """Do what *plan* says about the object, *held* being the version known here.

        Raises `EventDeferred`, `EventRefused`, and what *plan* raises.
        """
        held = self._newest((namespace, name), held)
        for _ in range(CONFLICTS):
            action = _asked(plan, held)
            try:
                outcome = await self._carry_out(action)
                if outcome.stored is not None:
                    self._keep(outcome.stored)
                return outcome
            except NotFound as error:
                if isinstance(action, Create | Replace):  # it is not the object that is missing: its namespace, or kind
                    raise EventBlocked(str(error)) from error
            except (Conflict, AlreadyExists):
                pass
            except ClusterError as error:
                raise _verdict(error) from error
            held = await self._read(namespace, name)
        raise EventDeferred(f'{self._api.kind} "{namespace}/{name}" changed {CONFLICTS} times under our hands')

    def _keep(self, stored: Object) -> None:
        shown = self._shown(stored.key)
        if shown is None or not _is_as_new(shown, stored):  # the watch may have been faster than the answer
            self._written[stored.key] = (self._clock(), stored)

    def _newest(self, key: tuple[str, str], held: Object | None) -> Object | None:
        at, written = self._written.get(key, (0.0, held))
        if self._clock() - at > TRUSTED_SECONDS:
            self._written.pop(key, None)
            return held
        return written

    async def _read(self, namespace: str, name: str) -> Object | None:
        try:
            return await self._cluster.get(self._api, namespace, name)
        except NotFound:
            return None
        except ClusterError as error:
            raise _verdict(error) from error

    async def _carry_out(self, action: Action) -> Outcome:
        match action:
            case Nothing() | ReportGone() | ReportNotAdopted():
                return Outcome(action)
            case Create(obj):
                async with self._turn:
                    return Outcome(action, await self._cluster.create(self._api, obj))
            case Update(obj, then_delete):
                async with self._turn:
                    stored = await self._cluster.update(self._api, obj)
                is_held = then_delete and not await self._may_go(stored, action)
                if then_delete and not is_held:
                    await self._delete(stored, Propagation.FOREGROUND)
                return Outcome(action, stored, is_held)
            case Delete(obj, foreground):
                if not await self._may_go(obj, action):
                    return Outcome(action, is_held=True)
                await self._delete(obj, Propagation.FOREGROUND if foreground else Propagation.BACKGROUND)
                return Outcome(action)
            case LetGo(obj):
                await self._let_go(obj)
                return Outcome(action)
            case Replace(old, new):
                if not old.is_deleting and not await self._may_go(old, action):
                    return Outcome(action, is_held=True)
                return Outcome(action, await self._replace(old, new))

    async def _let_go(self, obj: Object) -> None:
        if obj.metadata.finalizers:
            async with self._turn:
                await self._cluster.update(self._api, obj.with_metadata(finalizers=None))
        if not obj.is_deleting:
            await self._delete(obj, Propagation.BACKGROUND)

    async def _may_go(self, obj: Object, action: Action) -> bool:
        return self._deleted.get(obj.key) == obj.uid or await self._may_delete(obj, action)

    async def _delete(self, obj: Object, propagation: Propagation) -> None:
        async with self._turn:
            try:
                await self._cluster.delete(self._api, obj.namespace, obj.name, uid=obj.uid, propagation=propagation)
            except NotFound:
                return  # somebody was faster; gone is gone
        newest = self._newest(obj.key, self._shown(obj.key))
        if newest is not None and newest.uid == obj.uid and not newest.is_deleting:
            self._deleted[obj.key] = obj.uid

    async def _replace(self, old: Object, new: Object) -> Object:
        if not old.is_deleting:
            await self._delete(old, Propagation.BACKGROUND)
        try:
            async with asyncio.timeout(GONE_TIMEOUT_SECONDS):
                await self._until_gone(old.uid)
        except TimeoutError as error:
            raise EventDeferred(
                f'{self._api.kind} "{old.namespace}/{old.name}" is to be made anew, but the old one is still held by '
                f"its finalizers {', '.join(old.metadata.finalizers or ()) or '(none)'}"
            ) from error
        async with self._turn:
            return await self._cluster.create(self._api, new)


def _is_as_new(shown: Object, written: Object) -> bool:
    """Whether the watch has come to *written*, or past it. Versions of one cluster are numbers that grow
    (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions)."""
    try:
        return int(shown.version) >= int(written.version)
    except ValueError:  # an API server that says something else: then only the very version counts
        return shown.version == written.version


def _verdict(error: ClusterError) -> EventDeferred | EventRefused:
    # A token that is being renewed is not the event's fault.
    is_later = error.retryable or isinstance(error, Unauthorized)
    return EventDeferred(str(error)) if is_later else EventRefused(str(error))


def _asked(plan: Plan, held: Object | None) -> Action:
    try:
        return plan(held)
    except DecodeError as error:
        raise EventRefused(str(error)) from error
