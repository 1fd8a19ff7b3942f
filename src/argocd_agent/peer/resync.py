"""Bringing two ends up to date, seen from the source of objects and from the one that holds copies: all kinds alike.

With a peer of ours digests are compared; with one of the reference, its four messages are asked and answered
(`protocol.resync` decides). What a source has for a peer is a `Supply` for each kind, what is held of a peer's a
`Stock`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Protocol

from argocd_agent.errors import DecodeError, EventRefused
from argocd_agent.peer.link import Link, payload_of
from argocd_agent.peer.mirrors import Key
from argocd_agent.peer.reconcile import Item, Tree
from argocd_agent.protocol.digest import Repairs
from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.inventory import Inventory, ResourceKey
from argocd_agent.protocol.modes import Role
from argocd_agent.protocol.names import ANNOTATION_NAMESPACE_REMAPPED
from argocd_agent.protocol.resync import (
    Held,
    Owned,
    Reply,
    Surroundings,
    UpdateRequest,
    answer_list_request,
    answer_resync_request,
    answer_synced_resource,
    answer_update_request,
    place_of_synced,
    place_of_update,
)
from argocd_agent.protocol.resync import SyncedResource as Synced
from argocd_agent.resources.checksum import spec_checksum
from argocd_agent.resources.identity import source_uid
from argocd_agent.resources.kinds import APPLICATION, Kind
from argocd_agent.resources.objects import Metadata, Object
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.payloads import RequestSyncedResourceList, RequestUpdate, SyncedResource

log = get_log("Resync")


class Supply(Protocol):
    """What one peer is to have of us, of one kind."""

    @property
    def kind(self) -> Kind: ...
    def objects(self) -> Iterable[Object]:
        """Ours, as they stand here, that the peer is to have."""

    def find(self, key: Key) -> Object | None:
        """What stands under a name here, whether or not the peer is to have it."""

    def is_for_peer(self, obj: Object) -> bool: ...
    def edition(self, obj: Object) -> Object:
        """*obj* as the peer is to have it. Raises `EventRefused` for one that cannot be made."""

    def uid(self, obj: Object) -> str: ...
    def key(self, obj: Object) -> str:
        """The name in digests."""

    def parts(self, obj: Object) -> tuple[bytes, ...]:
        """What counts in digests."""

    def kept(self) -> Collection[str]:
        """The UIDs of what the peer may have under whatever name: nobody has ordered its deletion."""

    def create(self, obj: Object) -> None: ...
    def update(self, obj: Object) -> None: ...
    def delete(self, obj: Object) -> None: ...


class Stock(Protocol):
    """What we hold of one peer's, of one kind."""

    @property
    def kind(self) -> Kind: ...
    def objects(self) -> Iterable[Object]:
        """The copies that the peer may call its own."""

    def find(self, key: Key) -> Object | None: ...
    def key(self, obj: Object) -> str:
        """The name in digests."""

    def parts(self, obj: Object) -> tuple[bytes, ...]:
        """What counts in digests."""


class SourceEnd:
    """Answers a peer that holds copies of what is ours. *at* says where we are."""

    def __init__(self, link: Link, at: Callable[[], Surroundings], supplies: Sequence[Supply]) -> None:
        self._link, self._at = link, at
        self._supplies = {supply.kind.name: supply for supply in supplies}
        self.tree = Tree(self._items)

    def repair(self, found: Repairs, held: dict[str, Item]) -> None:
        """Send what the peer lacks, has wrong, or should not have."""
        for entry in found.missing:
            self._supplies[held[entry.key].kind.name].create(held[entry.key].object)
        for entry in found.different:
            self._supplies[held[entry.key].kind.name].update(held[entry.key].object)
        kept = {name: supply.kept() for name, supply in self._supplies.items()} if found.extra else {}
        for entry in found.extra:
            kind, _, rest = entry.key.partition("/")
            namespace, _, name = rest.rpartition("/")
            if (supply := self._supplies.get(kind)) is None:
                continue
            place = (namespace or self._namespace_of(kind), name)
            self._withdraw(supply, place, entry.uid, kept[kind])

    def handle(self, event: Event) -> None:
        """A question of the peer. Raises `EventRefused`."""
        if event.type == EventType.REQUEST_UPDATE:
            self._update(payload_of(event, RequestUpdate))
        else:
            self._list(payload_of(event, RequestSyncedResourceList))

    def _namespace_of(self, kind: str) -> str:
        """Where an object of *kind* is whose digest key names no namespace."""
        at = self._at()
        is_by_namespace = kind == APPLICATION.name and at.role is Role.PRINCIPAL and not at.destination_mapping
        return at.agent if is_by_namespace else at.home

    def _withdraw(self, supply: Supply, place: Key, uid: str, kept: Collection[str]) -> None:
        """Let the peer delete what it is not to have at *place*.

        What is *kept* stays: the agent has under another name what it is to have, since the two ends map differently,
        or did; or what is another agent's, since it has another name than before, or a copy of another cluster.
        """
        namespace, name = place
        if not uid or uid not in kept:
            supply.delete(Object(Metadata(name=name, namespace=namespace, uid=uid), {}))
            return
        about = {fields.AGENT: self._at().agent, fields.KIND: supply.kind.name, fields.NAMESPACE: namespace}
        log.error(
            "An object is not where it should be on the spoke, and stays: do principal and agent both use "
            "--destination-based-mapping, or neither? Does the agent have the name that it had?",
            about | {fields.NAME: name},
        )

    def _items(self) -> Iterator[Item]:
        for supply in self._supplies.values():
            for obj in supply.objects():
                yield Item(supply.kind, supply.key(obj), supply.uid(obj), obj, supply.parts)

    def _list(self, request: RequestSyncedResourceList) -> None:
        own = Inventory(
            ResourceKey(supply.kind.name, obj.namespace, obj.name, supply.uid(obj))
            for supply in self._supplies.values()
            for obj in supply.objects()
        )
        for one in answer_list_request(own, request.checksum):
            payload = SyncedResource(name=one.name, namespace=one.namespace, uid=one.uid, kind=one.kind)
            self._link.put(self._link.message(Target.RESYNC, EventType.RESPONSE_SYNCED_RESOURCE, payload))

    def _update(self, request: RequestUpdate) -> None:
        asked = UpdateRequest(request.kind, request.namespace, request.name, request.uid, request.checksum)
        supply = self._supplies.get(asked.kind)
        if supply is None:
            raise EventRefused(
                f"request-update of {asked.kind} {asked.name!r}: expected one of {', '.join(self._supplies)}"
            )
        place = place_of_update(asked, self._at())
        obj = supply.find(place)
        reply = answer_update_request(asked, None if obj is None else self._owned(supply, obj))
        if obj is None or reply in (Reply.DELETE_STUB, Reply.DELETE):
            # Of an object that is not the peer's it is told no more than it has said itself.
            self._withdraw(supply, place, asked.uid, supply.kept())
        elif reply is Reply.UPDATE:
            supply.update(obj)

    def _owned(self, supply: Supply, obj: Object) -> Owned:
        if not supply.is_for_peer(obj):
            return Owned(supply.uid(obj), None, is_for_agent=False)
        return Owned(supply.uid(obj), _checksum(supply.edition(obj), supply.kind))


class MirrorEnd:
    """Asks a peer about the copies that we hold of what is its. *at* says where we are."""

    def __init__(
        self, link: Link, at: Callable[[], Surroundings], stocks: Sequence[Stock], *, ignore_unmanaged: bool = False
    ) -> None:
        self._link, self._at, self._ignore_unmanaged = link, at, ignore_unmanaged
        self._stocks = {stock.kind.name: stock for stock in stocks}
        self.tree = Tree(self._items)

    def ask_about_all(self) -> None:
        """Ask about everything that is held."""
        held = (_held(stock.kind, obj) for stock in self._stocks.values() for obj in stock.objects())
        for request in answer_resync_request(held, self._at()):
            self._ask(request)

    def ask_for_list(self) -> None:
        """Ask what there is, unless it is what we have."""
        own = Inventory(
            ResourceKey(stock.kind.name, obj.namespace, obj.name, source_uid(obj))
            for stock in self._stocks.values()
            for obj in stock.objects()
        )
        payload = RequestSyncedResourceList(checksum=own.checksum())
        self._link.put(self._link.message(Target.RESYNC, EventType.REQUEST_SYNCED_RESOURCE_LIST, payload))

    def handle(self, event: Event) -> None:
        """What the peer says of what it has. Raises `EventRefused`, `EventDiscarded`."""
        if event.type == EventType.REQUEST_RESOURCE_RESYNC:
            self.ask_about_all()
        else:
            self._is_there(payload_of(event, SyncedResource))

    def ask_for(self, kind: Kind, namespace: str, name: str) -> None:
        """Ask for an object of which nothing is held."""
        self._ask(UpdateRequest(kind.name, namespace, name))

    def _items(self) -> Iterator[Item]:
        for stock in self._stocks.values():
            for obj in stock.objects():
                yield Item(stock.kind, stock.key(obj), source_uid(obj), obj, stock.parts)

    def _is_there(self, payload: SyncedResource) -> None:
        """The peer has this resource: ask for it, unless what is here is the same."""
        stock = self._stocks.get(payload.kind)
        if stock is None:
            raise EventRefused(f"resync of {payload.kind} {payload.name!r}: expected one of {', '.join(self._stocks)}")
        resource = Synced(payload.kind, payload.namespace, payload.name, payload.uid)
        held = stock.find(place_of_synced(resource, self._at()))
        request = answer_synced_resource(
            resource,
            None if held is None else _held(stock.kind, held),
            self._at(),
            ignore_unmanaged=self._ignore_unmanaged,
        )
        if request is not None:
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


def _held(kind: Kind, obj: Object) -> Held:
    is_remapped = ANNOTATION_NAMESPACE_REMAPPED in obj.annotations
    return Held(kind.name, obj.namespace, obj.name, source_uid(obj), _checksum(obj, kind), is_remapped)


def _checksum(obj: Object, kind: Kind) -> bytes | None:
    try:
        return spec_checksum(obj, kind)
    except DecodeError:  # an odd object: it counts as different from every other
        return None
