"""Puts onto objects of this cluster what people must know about them: refused by the other end, or deletion held.

Nothing is written that stands there already. Where others write the object too, it is read and decided again, at most
`CONFLICTS` times. An object that is not there (any more) needs no report.
"""

from collections.abc import Callable

from argocd_agent.backends.ports import Cluster
from argocd_agent.errors import ClusterError, Conflict, EventDeferred, EventRefused, NotFound, Unauthorized
from argocd_agent.peer.kubeevents import KubeEvents
from argocd_agent.protocol.brake import HeldDeletion
from argocd_agent.protocol.names import CONDITION_DELETION_HELD, CONDITION_REFUSED
from argocd_agent.resources.kinds import APPLICATION, Api, Kind
from argocd_agent.resources.objects import Object
from argocd_agent.resources.report import refusal_sentence, with_deletion_held, with_refusal
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("Reports")

CONFLICTS = 8

DELETION_HELD = (
    "The hub deleted this Application, and the brake holds the deletion: too many were asked for within a minute. "
    "An operator releases or discards it"
)


class Reports:
    """Writes reports into *cluster*, and records them as *events*."""

    def __init__(self, cluster: Cluster, events: KubeEvents) -> None:
        self._cluster, self._events = cluster, events

    async def refused(self, kind: Kind, namespace: str, name: str, reporter: str, message: str) -> None:
        """*reporter* (an agent, or `THE_PRINCIPAL`) could not apply the object; with an empty *message* it now can.

        Raises `EventDeferred` where that cannot be written now, `EventRefused` where it can never be.
        """
        try:
            held = await self._change(
                kind.api, namespace, name, lambda obj: with_refusal(obj, kind.name, reporter, message)
            )
        except ClusterError as error:
            if error.retryable or isinstance(error, Conflict | Unauthorized):
                raise EventDeferred(str(error)) from error
            raise EventRefused(str(error)) from error
        if held is not None and message:
            await self._events.record(kind.api, held, CONDITION_REFUSED, refusal_sentence(kind.name, reporter, message))

    async def deletion_held(self, held: HeldDeletion, is_held: bool) -> None:
        """Show on an Application that its deletion is held, or no longer; a failure is logged. Other kinds have no
        place for it."""
        if held.kind != APPLICATION.name:
            return
        message = DELETION_HELD if is_held else ""
        try:
            await self._change(APPLICATION.api, held.namespace, held.name, lambda obj: with_deletion_held(obj, message))
        except ClusterError as error:
            log.warning(
                "A condition cannot be written",
                {
                    fields.KIND: held.kind,
                    fields.NAMESPACE: held.namespace,
                    fields.NAME: held.name,
                    fields.REASON: CONDITION_DELETION_HELD,
                    fields.ERROR: str(error),
                },
            )

    async def _change(
        self, api: Api, namespace: str, name: str, change: Callable[[Object], Object | None]
    ) -> Object | None:
        """The object as it is then; None if there is none."""
        for left in reversed(range(CONFLICTS)):
            try:
                held = await self._cluster.get(api, namespace, name)
                changed = change(held)
                return held if changed is None else await self._cluster.update(api, changed)
            except NotFound:
                return None
            except Conflict:
                if not left:
                    raise
        return None
