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
from argocd_agent.protocol.modes import Mode, Role
from argocd_agent.protocol.resync import (
    Held,
    Opening,
    Surroundings,
    UpdateRequest,
    answer_resync_request,
    answer_synced_resource,
    check,
    openings,
    place_of_synced,
)
from argocd_agent.protocol.resync import SyncedResource as Synced
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
        self,
        link: Link,
        outbound: Outbound,
        mapping: SpokeMapping,
        held: Mapping[Key, Object],
        *,
        interval_seconds: float,
        ignore_unmanaged: bool,
    ) -> None:
        self._link, self._outbound, self._held = link, outbound, held
        self._ignore_unmanaged = ignore_unmanaged
        self._at = Surroundings(Role.AGENT, agent="", home=mapping.home)
        self._is_first = True

        def key(obj: Object) -> str:
            return mapping.digest_key(APPLICATION.name, obj)

        spec = Tree(
            self._of_this_principal, key, source_uid, lambda obj: application.digest_parts(obj, is_source=False)
        )
        status = Tree(self._of_this_principal, key, source_uid, application.status_parts)
        self.entropy = AntiEntropy(
            link, ours={STATUS: (status, self._repair)}, theirs={SPEC: spec}, interval_seconds=interval_seconds
        )

    def opened(self) -> None:
        """A session has begun: what the principal may have missed is put right."""
        is_first, self._is_first = self._is_first, False
        self.entropy.opened()
        for opening in openings(Role.AGENT, Mode.MANAGED, is_first, self._link.peer):
            if opening is Opening.UPDATE_REQUESTS:
                self._ask_about_all()
                for obj in self._mirrors():
                    self._link.put(self._outbound.status_of(obj))
            elif opening is Opening.LIST_REQUEST:
                payload = RequestSyncedResourceList(checksum=self._inventory().checksum())
                self._link.put(self._link.message(Target.RESYNC, EventType.REQUEST_SYNCED_RESOURCE_LIST, payload))

    async def handle(self, event: Event) -> None:
        """A resync message of the principal. Raises `EventRefused`, `EventDiscarded`."""
        if event.type in (EventType.DIGEST, EventType.DIGEST_ENTRIES):
            await self.entropy.handle(event)
            return
        check(event.type, Role.AGENT, Mode.MANAGED)
        if event.type == EventType.REQUEST_RESOURCE_RESYNC:
            self._ask_about_all()
        else:
            self._is_there(payload_of(event, SyncedResource))

    def _is_there(self, payload: SyncedResource) -> None:
        """The principal has this resource: ask for it, unless what is here is the same."""
        if payload.kind != APPLICATION.name:
            raise EventRefused(f"resync of {payload.kind} {payload.name!r}: this agent serves {APPLICATION.name} only")
        resource = Synced(payload.kind, payload.namespace, payload.name, payload.uid)
        held = self._held.get(place_of_synced(resource, self._at))
        request = answer_synced_resource(
            resource, None if held is None else _held(held), self._at, ignore_unmanaged=self._ignore_unmanaged
        )
        if request is not None:
            self._ask(request)

    def _ask_about_all(self) -> None:
        for request in answer_resync_request((_held(obj) for obj in self._mirrors()), self._at):
            self._ask(request)

    def _ask(self, request: UpdateRequest) -> None:
        payload = RequestUpdate(
            name=request.name,
            namespace=request.namespace,
            uid=request.uid,
            kind=request.kind,
            checksum=request.checksum,
        )
        self._link.put(self._link.message(Target.RESYNC, EventType.REQUEST_UPDATE, payload))

    def _inventory(self) -> Inventory:
        return Inventory(
            ResourceKey(APPLICATION.name, obj.namespace, obj.name, source_uid(obj)) for obj in self._mirrors()
        )

    def _mirrors(self) -> Iterator[Object]:
        return (obj for obj in list(self._held.values()) if source_uid(obj))

    def _of_this_principal(self) -> Iterator[Object]:
        """What a principal may call its own: not what another one wrote last."""
        ours = self._link.peer.principal_uid
        return (obj for obj in self._mirrors() if principal_uid(obj) in ("", ours))

    def _repair(self, found: Repairs, held: Mapping[str, Object]) -> None:
        for entry in found.different:
            self._link.put(self._outbound.status_of(held[entry.key]))


def _held(obj: Object) -> Held:
    return Held(APPLICATION.name, obj.namespace, obj.name, source_uid(obj), spec_checksum(obj, APPLICATION))
