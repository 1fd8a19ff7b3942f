"""One agent's resource keys, and the checksum over them that the reference compares after a restart.

A key is kind, namespace, name and the UID of the source's object. An object that was made anew replaces the old one.
Source: the wire contract in docs/protocol, 5.1.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class ResourceKey:
    """One resource. `kind` is the reference's name for it; `uid` is the source's: of the copy, its annotation."""

    kind: str
    namespace: str
    name: str
    uid: str


class Inventory:
    """The resources of one agent, at one end. Iterates in order of kind, namespace and name."""

    def __init__(self, keys: Iterable[ResourceKey] = ()) -> None:
        self._uids: dict[tuple[str, str, str], str] = {}
        for key in keys:
            self.put(key)

    def __len__(self) -> int:
        return len(self._uids)

    def __iter__(self) -> Iterator[ResourceKey]:
        return iter(sorted(ResourceKey(*place, uid) for place, uid in self._uids.items()))

    def __contains__(self, key: ResourceKey) -> bool:
        return self._uids.get((key.kind, key.namespace, key.name)) == key.uid

    def put(self, key: ResourceKey) -> None:
        """There is such a resource; another of the same name is no more."""
        self._uids[key.kind, key.namespace, key.name] = key.uid

    def discard(self, key: ResourceKey) -> None:
        """There is no such resource. Leaves one of the same name but another UID alone."""
        if key in self:
            del self._uids[key.kind, key.namespace, key.name]

    def checksum(self) -> bytes | None:
        """SHA-256 over the sorted `<kind>/<name>/<uid>` of all, without separators; None if there are none."""
        if not self._uids:
            return None
        lines = sorted(f"{kind}/{name}/{uid}".encode() for (kind, _, name), uid in self._uids.items())
        return hashlib.sha256(b"".join(lines)).digest()

    def agrees_with(self, checksum: bytes | None) -> bool:
        """Whether the peer, whose checksum this is, has the same. The reference sends empty bytes for nothing, too."""
        return (checksum or None) == self.checksum()
