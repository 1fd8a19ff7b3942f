"""What only our own ends tell each other to find what differs: digest trees, and the entries behind them.

Sent to a peer that announced the capability, never to the reference. Read and written with `payloads.encode` and
`payloads.decode`. One message holds at most `MAX_DIGEST_BUCKETS` buckets and `MAX_DIGEST_ENTRIES` entries: a reader
refuses more, a writer splits. Checksums are `resources.checksum.digest_checksum`, base64 on the wire.
"""

from typing import Annotated, Literal

import msgspec

from argocd_agent.wire.payloads import Payload

MAX_DIGEST_BUCKETS = 4096
MAX_DIGEST_ENTRIES = 50_000

Tree = Literal["spec", "status"]
BucketNumber = Annotated[int, msgspec.Meta(ge=0, lt=MAX_DIGEST_BUCKETS)]
_Checksums = Annotated[tuple[bytes, ...], msgspec.Meta(max_length=MAX_DIGEST_BUCKETS)]
_Numbers = Annotated[tuple[BucketNumber, ...], msgspec.Meta(max_length=MAX_DIGEST_BUCKETS)]


class DigestEntry(msgspec.Struct, frozen=True, array_like=True):
    """One object: its key, the UID at the source and the checksum; on the wire `[key, uid, checksum]`."""

    key: str
    uid: str
    checksum: bytes


_Entries = Annotated[tuple[DigestEntry, ...], msgspec.Meta(max_length=MAX_DIGEST_ENTRIES)]


class Digest(Payload, frozen=True, kw_only=True):
    """The sender's tree: one checksum for each bucket of keys. Specifications and statuses have a tree each."""

    tree: Tree
    buckets: _Checksums
    principal_uid: str = ""


class DigestEntries(Payload, frozen=True, kw_only=True):
    """All that the sender holds in *buckets*, which are those where the trees differ."""

    tree: Tree
    buckets: _Numbers
    entries: _Entries
