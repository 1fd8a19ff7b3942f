"""What only our own ends tell each other about deletions that the brake holds: the agent's report, the hub's order.

Sent to a peer that announced the capability, never to the reference. Read and written with `payloads.encode` and
`payloads.decode`. A report names at most `MAX_HELD_ITEMS` deletions, the oldest, and counts them all: a reader refuses
more. It is the whole truth of its moment; a newer one takes its place.
"""

from collections.abc import Collection
from itertools import islice
from typing import Annotated

import msgspec

from argocd_agent.protocol.brake import HeldDeletion, Order
from argocd_agent.wire.payloads import Payload

MAX_HELD_ITEMS = 100


class HeldItem(Payload, frozen=True, kw_only=True):
    """One deletion that is held, for people to read. `how` is one of `protocol.brake.How`, or newer than us."""

    kind: str
    namespace: str = ""
    name: str
    uid: str = ""
    how: str
    since: str


_Items = Annotated[tuple[HeldItem, ...], msgspec.Meta(max_length=MAX_HELD_ITEMS)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class HeldReport(Payload, frozen=True, kw_only=True):
    """How many deletions the agent holds, since when (empty: none), and the oldest of them."""

    count: _Count
    since: str = ""
    items: _Items = ()


class HeldOrder(Payload, frozen=True, kw_only=True):
    """What the agent is to do with everything it holds."""

    order: Order


def report_of(held: Collection[HeldDeletion]) -> HeldReport:
    """The report about *held*, which is in the order in which they came to be held."""
    items = tuple(
        HeldItem(
            kind=one.kind, namespace=one.namespace, name=one.name, uid=one.source_uid, how=one.how, since=one.since
        )
        for one in islice(held, MAX_HELD_ITEMS)
    )
    return HeldReport(count=len(held), since=items[0].since if items else "", items=items)
