"""Carries out the action that a plan returns, against a cluster that others write too.

A write carries the version, a delete the UID, that the plan saw. Where the object has moved on meanwhile it is read
again and the plan is asked again: `CONFLICTS` times, then the event is deferred.

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
    EventDeferred,
    EventRefused,
    NotFound,
)
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
GONE_TIMEOUT_SECONDS = 30.0

Plan = Callable[[Object | None], Action]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done. `stored` is the object as the API server has it now, None if it is gone or untouched."""

    action: Action
    stored: Object | None = None


class Applier:
    """Writes objects of *api*. At most *limit* writes are under way at once; the next ones wait their turn."""

    def __init__(
        self,
        cluster: Cluster,
        api: Api,
        limit: int,
        until_gone: Callable[[str], Awaitable[None]],
    ) -> None:
        self._cluster, self._api = cluster, api
        self._turn = asyncio.Semaphore(limit)
        self._until_gone = until_gone

    async def apply(self, namespace: str, name: str, held: Object | None, plan: Plan) -> Outcome:
        """Do what *plan* says about the object, *held* being the version known here.

        Raises `EventDeferred`, `EventRefused`, and what *plan* raises.
        """
        for _ in range(CONFLICTS):
            action = plan(held)
            try:
                return Outcome(action, await self._carry_out(action))
            except NotFound as error:
                if isinstance(action, Create | Replace):  # it is not the object that is missing: its namespace, or kind
                    raise EventDeferred(str(error)) from error
            except (Conflict, AlreadyExists):
                pass
            except ClusterError as error:
                raise _verdict(error) from error
            held = await self._read(namespace, name)
        raise EventDeferred(f'{self._api.kind} "{namespace}/{name}" changed {CONFLICTS} times under our hands')

    async def _read(self, namespace: str, name: str) -> Object | None:
        try:
            return await self._cluster.get(self._api, namespace, name)
        except NotFound:
            return None
        except ClusterError as error:
            raise _verdict(error) from error

    async def _carry_out(self, action: Action) -> Object | None:
        match action:
            case Nothing() | ReportGone() | ReportNotAdopted():
                return None
            case Create(obj):
                async with self._turn:
                    return await self._cluster.create(self._api, obj)
            case Update(obj, then_delete):
                async with self._turn:
                    stored = await self._cluster.update(self._api, obj)
                if then_delete:
                    await self._delete(stored, Propagation.FOREGROUND)
                return stored
            case Delete(obj, foreground):
                await self._delete(obj, Propagation.FOREGROUND if foreground else Propagation.BACKGROUND)
                return None
            case LetGo(obj):
                if obj.metadata.finalizers:
                    async with self._turn:
                        await self._cluster.update(self._api, obj.with_metadata(finalizers=None))
                return None
            case Replace(old, new):
                return await self._replace(old, new)

    async def _delete(self, obj: Object, propagation: Propagation) -> None:
        async with self._turn:
            try:
                await self._cluster.delete(self._api, obj.namespace, obj.name, uid=obj.uid, propagation=propagation)
            except NotFound:
                return  # somebody was faster; gone is gone

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


def _verdict(error: ClusterError) -> EventDeferred | EventRefused:
    return EventDeferred(str(error)) if error.retryable else EventRefused(str(error))
