"""What the principal sends → what is done about it on the spoke: the dispatch table of a managed agent.

Every handler raises `EventDiscarded`, `EventRefused` or `EventDeferred` for what it does not do; the session acks.
"""

from collections.abc import Awaitable, Callable, Mapping

from argocd_agent.agent.mirrors import Key, Mirrors, Ordered, mirror_of
from argocd_agent.agent.outbound import Outbound
from argocd_agent.errors import EventDiscarded, EventRefused
from argocd_agent.peer.apply import Applier
from argocd_agent.peer.link import Link, object_of
from argocd_agent.protocol.capabilities import Capability
from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.resources.mapping import SpokeMapping
from argocd_agent.resources.objects import Object
from argocd_agent.resources.plan import (
    Action,
    Create,
    Delete,
    Incoming,
    Nothing,
    Replace,
    ReportGone,
    ReportNotAdopted,
    Update,
    for_mirror,
)
from argocd_agent.resources.policy import Policies
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.payloads import ErrorData, Refusal

log = get_log("Agent")

_SPECIFIES = frozenset({EventType.CREATE, EventType.SPEC_UPDATE})


class Inbound:
    """Handles events of a principal. *held*: the Applications of the spoke as last seen."""

    def __init__(
        self,
        link: Link,
        applier: Applier,
        mirrors: Mirrors,
        held: Mapping[Key, Object],
        outbound: Outbound,
        mapping: SpokeMapping,
        policies: Policies,
        resync: Callable[[Event], Awaitable[None]],
    ) -> None:
        self._link, self._applier, self._mirrors, self._held = link, applier, mirrors, held
        self._outbound, self._mapping, self._policies = outbound, mapping, policies
        self._handlers: dict[Target, Callable[[Event], Awaitable[None]]] = {
            Target.APPLICATION: self._application,
            Target.RESYNC: resync,
        }
        self._reported: set[Key] = set()

    async def handle(self, event: Event) -> None:
        """Do what *event* asks."""
        handler = self._handlers.get(event.target)
        if handler is None:
            raise EventDiscarded(f"this agent does not serve events about {event.target.value!r}")
        await handler(event)

    async def _application(self, event: Event) -> None:
        # Owners are objects of the hub; here they would be nobody's.
        obj = object_of(event).with_metadata(owner_references=None)
        key = (self._mapping.spoke_namespace(obj.namespace), obj.name)
        incoming = Incoming(event.type, obj, event.principal_uid)
        before = self._mirrors.get(key)
        ordered: list[str] = []

        def plan(held: Object | None) -> Action:
            action = for_mirror(incoming, held, key[0], self._policies)
            # Before the write: its watch event must find what it is compared with.
            self._expect(key, action, incoming, held, ordered)
            return action

        try:
            outcome = await self._applier.apply(*key, self._held.get(key), plan)
        except EventRefused as error:  # what is deferred stays wanted, and may have been done: the answer can be lost
            self._mirrors.expect(key, before)
            for uid in ordered:
                self._mirrors.ordered(uid)
            if event.type in _SPECIFIES:
                self._report(event, key, obj, str(error))
            raise
        self._tell(outcome.action, event, key, obj)
        self._log(outcome.action, key)

    def _expect(self, key: Key, action: Action, incoming: Incoming, held: Object | None, ordered: list[str]) -> None:
        """Note what the principal wants from now on, also where nothing is to be done for it."""
        specifies = incoming.type in _SPECIFIES
        match action:
            case Create(obj):
                self._mirrors.expect(key, mirror_of(obj))
            case Update(obj, then_delete) if specifies:
                self._mirrors.expect(key, mirror_of(obj))
                if then_delete:
                    self._order(obj, Ordered.REPORT, ordered)
            case Replace(old, new):
                self._mirrors.expect(key, mirror_of(new))
                self._order(old, Ordered.DONE, ordered)
            case Delete(obj, foreground):
                self._order(obj, Ordered.REPORT if foreground else Ordered.DONE, ordered)
                if not foreground:
                    self._mirrors.expect(key, None)
            case ReportGone():
                self._mirrors.expect(key, None)
            case Nothing() if incoming.type == EventType.DELETE:  # gone or going already: nobody may put it back
                self._mirrors.expect(key, None)
                if held is not None:
                    self._order(held, Ordered.DONE, ordered)
            case Nothing() if specifies and held is not None:
                self._mirrors.expect(key, mirror_of(held))
        if specifies and incoming.object.is_deleting and held is not None and held.is_deleting:
            self._order(held, Ordered.REPORT, ordered)  # both sides are going; the source waits for word

    def _order(self, obj: Object, why: Ordered, ordered: list[str]) -> None:
        self._mirrors.order(obj, why)
        ordered.append(obj.uid)

    def _tell(self, action: Action, event: Event, key: Key, obj: Object) -> None:
        match action:
            case ReportGone():
                self._link.put(self._outbound.deletion_of(obj.with_metadata(namespace=key[0])))
            case ReportNotAdopted(message):
                payload = ErrorData(resource_name=obj.name, resource_namespace=key[0], message=message)
                self._link.put(self._link.message(Target.APPLICATION, EventType.ERROR, payload))
            case _ if key in self._reported and event.type in _SPECIFIES:
                self._reported.discard(key)
                self._send_refusal(event, key, obj, "")

    def _report(self, event: Event, key: Key, obj: Object, message: str) -> None:
        """Tell the owner why its object is not here. A reference principal has no word for it."""
        if self._link.peer.can(Capability.REFUSED):
            self._reported.add(key)
            self._send_refusal(event, key, obj, message)

    def _send_refusal(self, event: Event, key: Key, obj: Object, message: str) -> None:
        payload = Refusal(
            target=event.target.value,
            namespace=key[0],
            name=obj.name,
            uid=obj.uid,
            reason="Refused" if message else "",
            message=message,
            event_id=event.event_id,
        )
        self._link.put(
            self._link.message(event.target, EventType.REFUSED, payload, key=f"refused/{event.target.value}/{key}")
        )

    def _log(self, action: Action, key: Key) -> None:
        about = {fields.NAMESPACE: key[0], fields.NAME: key[1], fields.KIND: "Application"}
        match action:
            case Create():
                log.info(f"Created Application {key[0]}/{key[1]}", about | {fields.ACTION: "create"})
            case Update() | Replace():
                log.info(f"Updated Application {key[0]}/{key[1]}", about | {fields.ACTION: "update"})
            case Delete():
                log.info(f"Deleted Application {key[0]}/{key[1]}", about | {fields.ACTION: "delete"})
            case Nothing(because):
                log.debug(f"Nothing to do: {because}", about)
