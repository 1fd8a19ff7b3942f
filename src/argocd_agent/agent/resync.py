"""Brings both sides up to date: by digests with a principal of ours, by the reference's messages with one that is not.

The principal is the source of what Applications specify, the agent of their status. The reference never sends a status
again that its hub missed while the agent was down; here every status goes out once after a start.
"""

from collections.abc import Iterator, Mapping

from argocd_agent.agent.mirrors import Key
from argocd_agent.agent.outbound import Outbound
from argocd_agent.errors import EventRefused
from argocd_agent.peer.link import Link, payload_of
from argocd_agent.peer.reconcile import SPEC, STATUS, AntiEntropy, Tree
from argocd_agent.protocol.digest import Repairs
from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.inventory import Inventory, ResourceKey
from argocd_agent.resources import application
from argocd_agent.resources.checksum import spec_checksum
from argocd_agent.resources.identity import principal_uid, source_uid
from argocd_agent.resources.kinds import APPLICATION
from argocd_agent.resources.mapping import SpokeMapping
from argocd_agent.resources.objects import Object
from argocd_agent.wire.payloads import RequestSyncedResourceList, RequestUpdate, SyncedResource


class Resync:
    """One for the spoke. *held*: its Applications as last seen."""

    def __init__(
        self, link: Link, outbound: Outbound, mapping: SpokeMapping, held: Mapping[Key, Object], interval_seconds: float
    ) -> None:
        self._link, self._outbound, self._mapping, self._held = link, outbound, mapping, held
        self._interval = interval_seconds
        self._is_first = True

        def key(obj: Object) -> str:
            return mapping.digest_key(APPLICATION.name, obj)

        spec = Tree(
            self._of_this_principal, key, source_uid, lambda obj: application.digest_parts(obj, is_source=False)
        )
        status = Tree(self._of_this_principal, key, source_uid, application.status_parts)
        self._entropy = AntiEntropy(link, ours={STATUS: (status, self._repair)}, theirs={SPEC: spec})

    def opened(self) -> None:
        """A session has begun: what the principal may have missed is put right."""
        first, self._is_first = self._is_first, False
        if not first or not self._link.peer.is_reference:
            return
        inventory = Inventory()
        for obj in self._mirrors():
            inventory.put(ResourceKey(APPLICATION.name, obj.namespace, obj.name, source_uid(obj)))
            self._ask_for(obj)
            self._link.put(self._outbound.status_of(obj))
        payload = RequestSyncedResourceList(checksum=inventory.checksum())
        self._link.put(self._link.message(Target.RESYNC, EventType.REQUEST_SYNCED_RESOURCE_LIST, payload))

    async def beside(self) -> None:
        """Compare digests as long as the session lasts."""
        await self._entropy.run(self._interval)

    async def handle(self, event: Event) -> None:
        """A resync message of the principal. Raises `EventRefused`, `EventDiscarded`."""
        if event.type in (EventType.DIGEST, EventType.DIGEST_ENTRIES):
            await self._entropy.handle(event)
        elif event.type == EventType.REQUEST_RESOURCE_RESYNC:
            for obj in self._mirrors():
                self._ask_for(obj)
        elif event.type == EventType.RESPONSE_SYNCED_RESOURCE:
            self._is_there(payload_of(event, SyncedResource))
        else:
            raise EventRefused(f"{event.type!r} is not what a principal asks of a managed agent")

    def _is_there(self, resource: SyncedResource) -> None:
        """The principal has *resource*: ask for it, unless what is here is the same."""
        if resource.kind != APPLICATION.name:
            raise EventRefused(
                f"resync of {resource.kind} {resource.name!r}: this agent serves {APPLICATION.name} only"
            )
        held = self._held.get((self._mapping.spoke_namespace(resource.namespace), resource.name))
        if held is not None and source_uid(held):
            self._ask_for(held)
        elif held is None:
            self._ask(RequestUpdate(name=resource.name, namespace=resource.namespace, uid="", kind=resource.kind))

    def _ask_for(self, obj: Object) -> None:
        self._ask(
            RequestUpdate(
                name=obj.name,
                namespace=obj.namespace,
                uid=source_uid(obj),
                kind=APPLICATION.name,
                checksum=spec_checksum(obj, APPLICATION),
            )
        )

    def _ask(self, payload: RequestUpdate) -> None:
        self._link.put(self._link.message(Target.RESYNC, EventType.REQUEST_UPDATE, payload))

    def _mirrors(self) -> Iterator[Object]:
        return (obj for obj in list(self._held.values()) if source_uid(obj))

    def _of_this_principal(self) -> Iterator[Object]:
        """What a principal may call its own: not what another one wrote last."""
        ours = self._link.peer.principal_uid
        return (obj for obj in self._mirrors() if principal_uid(obj) in ("", ours))

    def _repair(self, found: Repairs, held: Mapping[str, Object]) -> None:
        for entry in found.different:
            self._link.put(self._outbound.status_of(held[entry.key]))
