"""The tree that two of our ends compare: 256 buckets of keys, a digest for each, one for all.

Equal trees have equal digests; two that differ have equal ones with a chance of less than 2⁻¹⁰⁰ unless somebody makes
them so on purpose. Setting and removing an entry take constant time. Keys are spelled alike at both ends, and the
source's view decides: what its peer lacks is *missing*, what its peer has and it has not is *extra*.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from argocd_agent.errors import EventRefused

BUCKETS = 256
_DIGEST_BYTES = 16
_MODULUS = 1 << (8 * _DIGEST_BYTES)
_EMPTY = bytes(_DIGEST_BYTES)


class Entry(NamedTuple):
    """One object: its key, the UID of the source's object, and the checksum of what counts. Also its form in JSON."""

    key: str
    uid: str
    checksum: bytes


@dataclass(frozen=True, slots=True)
class Repairs:
    """How a peer's entries differ from the source's. `missing` and `different` are the source's entries, `extra` the
    peer's; each is sorted by key."""

    missing: tuple[Entry, ...] = ()
    different: tuple[Entry, ...] = ()
    extra: tuple[Entry, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.different or self.extra)


class DigestTree:
    """One end's entries of one kind of state. Bounded by the number of objects."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._buckets: dict[int, dict[str, Entry]] = {}
        self._sums: dict[int, int] = {}
        for entry in entries:
            self.set(*entry)

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._buckets.values())

    def set(self, key: str, uid: str, checksum: bytes) -> None:
        """There is such an object, in this state."""
        number, entry = bucket_of(key), Entry(key, uid, checksum)
        bucket = self._buckets.setdefault(number, {})
        held = bucket.get(key)
        if held != entry:
            bucket[key] = entry
            self._add(number, _number(entry) - (0 if held is None else _number(held)))

    def remove(self, key: str) -> None:
        """There is no such object."""
        number = bucket_of(key)
        held = self._buckets.get(number, {}).pop(key, None)
        if held is not None:
            self._add(number, -_number(held))

    def buckets(self) -> tuple[bytes, ...]:
        """The digest of each bucket."""
        return tuple(
            self._sums[number].to_bytes(_DIGEST_BYTES) if number in self._sums else _EMPTY for number in range(BUCKETS)
        )

    @property
    def root(self) -> bytes:
        """The digest of all."""
        return hashlib.blake2b(b"".join(self.buckets()), digest_size=_DIGEST_BYTES).digest()

    def entries(self, buckets: Iterable[int]) -> list[Entry]:
        """What is in *buckets*, by bucket and key. A number that is none is an empty bucket."""
        return [entry for number in buckets for entry in sorted(self._buckets.get(number, {}).values())]

    def _add(self, number: int, difference: int) -> None:
        # A sum, not xor: of a sum, equal entries do not cancel out.
        self._sums[number] = (self._sums.get(number, 0) + difference) % _MODULUS
        if not self._buckets[number]:
            del self._buckets[number], self._sums[number]


def bucket_of(key: str) -> int:
    """The bucket of *key*: part of the wire contract between our ends, never to be changed."""
    return hashlib.blake2b(key.encode(), digest_size=1).digest()[0]


def differing(own: Sequence[bytes], theirs: Sequence[bytes]) -> list[int]:
    """The numbers of the buckets that differ. Raises `EventRefused` for a peer's digest of another shape."""
    if len(theirs) != len(own):
        raise EventRefused(f"digest: expected {len(own)} buckets, found {len(theirs)}")
    return [number for number, (mine, other) in enumerate(zip(own, theirs, strict=True)) if mine != other]


def repairs(own: Iterable[Entry], theirs: Iterable[Entry], buckets: Collection[int] | None = None) -> Repairs:
    """What the source, which has *own*, must tell a peer that has *theirs*.

    Only what belongs into *buckets* counts (None: all): both must be all that the two have there. Either end may have
    moved on since; sending a state that the peer has by now, or a delete of what it no longer has, does no harm.
    """
    ours, others = _by_key(own, buckets), _by_key(theirs, buckets)
    return Repairs(
        missing=tuple(ours[key] for key in sorted(ours.keys() - others.keys())),
        different=tuple(ours[key] for key in sorted(ours.keys() & others.keys()) if ours[key] != others[key]),
        extra=tuple(others[key] for key in sorted(others.keys() - ours.keys())),
    )


def _by_key(entries: Iterable[Entry], buckets: Collection[int] | None) -> dict[str, Entry]:
    return {entry.key: entry for entry in entries if buckets is None or bucket_of(entry.key) in buckets}


def _number(entry: Entry) -> int:
    """What *entry* adds to its bucket. Lengths first: no two entries have the same bytes."""
    key, uid = entry.key.encode(), entry.uid.encode()
    content = b"%d.%d." % (len(key), len(uid)) + key + uid + entry.checksum
    return int.from_bytes(hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest())
