"""Anti-entropy between two of our own ends: digests are compared, what differs is sent again.

Each tree has a source, which announces its digest, and a holder, which answers with its entries where the two differ;
the source then sends what the holder lacks or has wrong. A bug or a lost watch event heals at the next round.
Checksums are computed once per version of an object. Bounded by the number of objects.
"""

import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from argocd_agent.errors import DecodeError, EventDiscarded, EventRefused
from argocd_agent.peer.link import Link, payload_of
from argocd_agent.protocol.capabilities import Capability
from argocd_agent.protocol.digest import BUCKETS, DigestTree, Entry, Repairs, differing, repairs
from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.session import Input
from argocd_agent.resources.checksum import digest_checksum
from argocd_agent.resources.kinds import Kind
from argocd_agent.resources.objects import Object
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.antientropy import Digest, DigestEntries, DigestEntry
from argocd_agent.wire.antientropy import Tree as TreeName

log = get_log("Resync")

SPEC: TreeName = "spec"
STATUS: TreeName = "status"


VERIFY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a tree: *key* names it alike on both ends, *uid* is that of its source, *parts* is what counts."""

    kind: Kind
    key: str
    uid: str
    object: Object
    parts: Callable[[Object], tuple[bytes, ...]]


class Tree:
    """One set of objects that both ends hold. *items* yields them."""

    def __init__(self, items: Callable[[], Iterable[Item]]) -> None:
        self._items = items
        self._sums: dict[str, tuple[str, str, bytes]] = {}

    def build(self) -> tuple[DigestTree, dict[str, Item]]:
        """The tree as of now, and what is in it by key."""
        tree, held = DigestTree(), {}
        sums: dict[str, tuple[str, str, bytes]] = {}
        for item in self._items():
            obj = item.object
            known = self._sums.get(item.key)
            if known is None or known[:2] != (obj.uid, obj.version):
                known = (obj.uid, obj.version, _checksum(item))
            sums[item.key], held[item.key] = known, item
            tree.set(item.key, item.uid, known[2])
        self._sums = sums
        return tree, held


def _checksum(item: Item) -> bytes:
    try:
        return digest_checksum(item.parts(item.object))
    except (DecodeError, EventRefused) as error:  # one odd object must not hide the others
        about = {fields.KIND: item.kind.name, fields.NAME: item.object.name, fields.ERROR: str(error)}
        log.error("An object cannot be compared", about)
        return b""


Repairer = Callable[[Repairs, dict[str, Item]], None]


class AntiEntropy:
    """Compares trees with one peer.

    *ours*: the trees that we are the source of, each with what repairs the peer. *theirs*: those that we hold.
    *interval_seconds* 0: only when a session begins. *is_open*: whether comparing makes sense now. *compared*: told
    whether a tree of the peer's was equal to ours. What was repaired is compared once more, a second later.
    """

    def __init__(
        self,
        link: Link,
        *,
        ours: dict[TreeName, tuple[Tree, Repairer]],
        theirs: dict[TreeName, Tree],
        interval_seconds: float,
        principal_uid: str = "",
        is_open: Callable[[], bool] = lambda: True,
        compared: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._link, self._ours, self._theirs = link, ours, theirs
        self._interval, self._principal_uid, self._clock = interval_seconds, principal_uid, link.clock
        self._is_open, self._compared = is_open, compared
        self._has_verified = self._is_verifying = False
        self._next: float | None = None

    def opened(self) -> None:
        """A session has begun: the next tick compares."""
        self._next, self._has_verified, self._is_verifying = 0.0, False, False

    def tick(self, now: float) -> None:
        """Compare if it is time: when a session begins, then after every interval, a tenth more or less."""
        if self._next is not None and now >= self._next:
            self.announce()
            self._next = now + self._interval * (0.9 + random.random() / 5) if self._interval else None
            self._has_verified = self._is_verifying
            self._is_verifying = False

    def _verify(self) -> None:
        """Compare once more when the repairs have arrived: once, since a peer may be beyond repair."""
        if not self._has_verified and not self._is_verifying:
            self._is_verifying, self._next = True, self._clock() + VERIFY_SECONDS

    def deadline(self) -> float | None:
        """When `tick` next has something to do; None: not in this session."""
        return self._next

    def announce(self) -> None:
        """Tell the peer what we have, if it understands."""
        if not self._link.peer.can(Capability.DIGEST) or not self._is_open():
            return
        for name, (tree, _) in self._ours.items():
            built, _ = tree.build()
            payload = Digest(tree=name, buckets=built.buckets(), principal_uid=self._principal_uid)
            self._link.put(self._link.message(Target.RESYNC, EventType.DIGEST, payload, key=f"digest/{name}"))

    def tell(self) -> None:
        """Tell the peer what we hold of its trees, unasked: it sends again what differs."""
        if self._link.peer.can(Capability.DIGEST) and self._is_open():
            for name, tree in self._theirs.items():
                self._answer(name, tree.build()[0], range(BUCKETS))

    async def handle(self, event: Event) -> None:
        """Answer a digest, or repair after an answer. Raises `EventRefused`, `EventDiscarded`."""
        if not self._is_open():
            raise EventDiscarded("digests are not compared with this peer now")
        if event.type == EventType.DIGEST:
            self._compare(payload_of(event, Digest))
        elif event.type == EventType.DIGEST_ENTRIES:
            self._repair(payload_of(event, DigestEntries))
        else:
            raise EventDiscarded(f"{event.type!r} is no part of comparing digests")

    def _compare(self, digest: Digest) -> None:
        tree = self._theirs.get(digest.tree)
        if tree is None:
            raise EventRefused(f"digest of tree {digest.tree!r}: expected one of {', '.join(self._theirs)}")
        built, _ = tree.build()
        buckets = differing(built.buckets(), digest.buckets)
        self._compared(not buckets)
        if not buckets:
            return
        self._answer(digest.tree, built, buckets)

    def _answer(self, name: TreeName, tree: DigestTree, buckets: Collection[int]) -> None:
        entries = tuple(DigestEntry(e.key, e.uid, e.checksum) for e in tree.entries(buckets))
        payload = DigestEntries(tree=name, buckets=tuple(buckets), entries=entries)
        self._link.put(self._link.message(Target.RESYNC, EventType.DIGEST_ENTRIES, payload, key=f"entries/{name}"))

    def _repair(self, answer: DigestEntries) -> None:
        if answer.tree not in self._ours:
            raise EventRefused(f"entries of tree {answer.tree!r}: expected one of {', '.join(self._ours)}")
        buckets = frozenset(answer.buckets)
        if any(number >= BUCKETS for number in buckets):
            raise EventRefused(
                f"entries of tree {answer.tree!r}: expected buckets below {BUCKETS}, found {max(buckets)}"
            )
        tree, repairer = self._ours[answer.tree]
        built, held = tree.build()
        theirs = [Entry(e.key, e.uid, e.checksum) for e in answer.entries]
        found = repairs(built.entries(buckets), theirs, buckets)
        if not found:
            return
        _log(answer.tree, found, buckets)
        self._link.happened(Input.DIFFERED)
        self._verify()
        repairer(found, held)


def _log(tree: str, found: Repairs, buckets: Collection[int]) -> None:
    log.info(
        f"The {tree} tree differs and is repaired",
        {
            fields.MISSING: len(found.missing),
            fields.DIFFERENT: len(found.different),
            fields.EXTRA: len(found.extra),
            fields.BUCKETS: len(buckets),
        },
    )
