"""What is said about deletions that the brake holds: the agent's report, the hub's order, the spoke's own record.

Report and order go to a peer that announced the capability, never to the reference; they are read and written with
`payloads.encode` and `payloads.decode`. A report names at most `MAX_HELD_ITEMS` deletions, the oldest, and counts them
all: a reader refuses more. It is the whole truth of its moment; a newer one takes its place.
"""

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Annotated

import msgspec

from argocd_agent.codec import decode, encode
from argocd_agent.protocol.brake import HeldDeletion, How, Order
from argocd_agent.wire.payloads import Payload
from argocd_agent.wire.timestamps import parse_seconds

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
    """How many deletions the agent holds, since when (empty: none), and the oldest of them.

    `problem` says why it can hold no more, or does not know what it held before.
    """

    count: _Count
    since: str = ""
    items: _Items = ()
    problem: str = ""


class HeldOrder(Payload, frozen=True, kw_only=True):
    """What the agent is to do with everything it holds."""

    order: Order


def report_of(held: Collection[HeldDeletion], problem: str = "") -> HeldReport:
    """The report about *held*, which is in the order in which they came to be held."""
    items = tuple(
        HeldItem(
            kind=one.kind, namespace=one.namespace, name=one.name, uid=one.source_uid, how=one.how, since=one.since
        )
        for one in islice(held, MAX_HELD_ITEMS)
    )
    return HeldReport(count=len(held), since=items[0].since if items else "", items=items, problem=problem)


class _Line(msgspec.Struct, frozen=True, array_like=True):
    kind: str
    namespace: str
    name: str
    uid: str
    how: How
    since: str


def line_of(held: HeldDeletion) -> bytes:
    """One entry of a record, as compact JSON."""
    return encode(_Line(held.kind, held.namespace, held.name, held.source_uid, held.how, held.since))


def record_of(held: Iterable[HeldDeletion]) -> str:
    """A JSON array of all that is held, with a line for each."""
    return (b"[\n" + b",\n".join(line_of(one) for one in held) + b"\n]").decode()


def read_record(text: str, what: str) -> tuple[HeldDeletion, ...]:
    """What is held, of a record. Raises `DecodeError`, naming *what* was read, for anything not understood."""
    lines = decode(text, tuple[_Line, ...], what)
    for number, line in enumerate(lines):
        parse_seconds(line.since, f"{what}[{number}][5]")
    return tuple(HeldDeletion(one.kind, one.namespace, one.name, one.uid, one.how, one.since) for one in lines)
