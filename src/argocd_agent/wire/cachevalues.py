"""Argo CD's cache, as far as it is about clusters: the key of a cluster's information, and the document under it.

Source: the wire contract in docs/protocol, 9.3. Values are JSON with a line end, gzip-compressed where Argo CD is set
up so; the key then ends in `.gz`. Argo CD flushes its gzip streams without closing them: what comes without a trailer
is read like what has one. Fields of the document that we do not know are kept as they are.

Limit: a value that grows beyond `UNPACKED_BYTES` when unpacked is a `DecodeError`.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

import msgspec

from argocd_agent import codec
from argocd_agent.errors import DecodeError
from argocd_agent.wire.payloads import ClusterCacheInfo

CACHE_VERSION = "1.8.3"
"""Argo CD's own constant for the layout of its cache; Argo CD 2.12 to 3.5 have this one."""

UNPACKED_BYTES = 64 * 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_NO_FIELDS: Mapping[str, msgspec.Raw] = MappingProxyType({})


class Compression(StrEnum):
    """How Argo CD compresses what it caches."""

    GZIP = "gzip"
    NONE = "none"

    @property
    def suffix(self) -> str:
        """What keys end in."""
        return ".gz" if self is Compression.GZIP else ""


def cluster_info_key(server: str, compression: Compression) -> str:
    """The key of what Argo CD knows about the cluster at *server*, its URL as the cluster Secret has it."""
    return f"cluster|info|{server}|{CACHE_VERSION}{compression.suffix}"


def pack(document: bytes, compression: Compression) -> bytes:
    """*document* as a cache value. The same bytes for the same document."""
    if compression is Compression.NONE:
        return document
    packer = zlib.compressobj(wbits=_GZIP_WINDOW)
    return packer.compress(document) + packer.flush()


def is_compressed(value: bytes) -> bool:
    """Whether *value* is a gzip stream; JSON cannot begin like one."""
    return value.startswith(_GZIP_MAGIC)


def unpack(value: bytes, limit: int = UNPACKED_BYTES) -> bytes:
    """The document in a cache value, compressed or not. Raises `DecodeError`."""
    if not is_compressed(value):
        return value
    unpacker = zlib.decompressobj(wbits=_GZIP_WINDOW)
    try:
        document = unpacker.decompress(value, limit)
    except zlib.error as error:
        raise DecodeError(f"cache value: expected a gzip stream, found something else: {error}") from error
    if unpacker.unconsumed_tail:
        raise DecodeError(f"cache value: expected at most {limit} bytes when unpacked, found more")
    return document


class ConnectionState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether Argo CD is to show the cluster as connected: `Successful` or `Failed`, a sentence, and since when."""

    status: str = ""
    message: str = ""
    attempted_at: str | None = None


class _Counts(msgspec.Struct):
    """The two counts that stand in `cacheInfo`."""

    resourcesCount: int = 0  # noqa: N815  the document's own names
    apisCount: int = 0  # noqa: N815


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """Argo CD's ClusterInfo document; *fields* are its parts, not looked into."""

    fields: Mapping[str, msgspec.Raw] = field(default_factory=lambda: _NO_FIELDS)

    @property
    def connection(self) -> ConnectionState:
        """The connection state; empty if there is none. Raises `DecodeError`."""
        raw = self.fields.get("connectionState")
        return ConnectionState() if raw is None else codec.decode(raw, ConnectionState, "connectionState")

    @property
    def counts(self) -> ClusterCacheInfo:
        """Applications, APIs, resources, version; 0 or empty for what is not there. Raises `DecodeError`."""
        inner = codec.decode(self.fields.get("cacheInfo", b"{}"), _Counts, "cacheInfo")
        applications = codec.decode(self.fields.get("applicationsCount", b"0"), int, "applicationsCount")
        return ClusterCacheInfo(
            applications_count=applications,
            apis_count=inner.apisCount,
            resources_count=inner.resourcesCount,
            server_version=codec.decode(self.fields.get("serverVersion", b'""'), str, "serverVersion"),
        )

    def with_connection(self, state: ConnectionState) -> "ClusterInfo":
        """The document with another connection state."""
        return self._with("connectionState", state)

    def with_counts(self, counts: ClusterCacheInfo) -> "ClusterInfo":
        """The document with other counts; the rest of `cacheInfo` is kept where it can be read.

        A version that is not told is kept as well.
        """
        try:
            inner = codec.decode(self.fields.get("cacheInfo", b"{}"), dict[str, msgspec.Raw], "cacheInfo")
        except DecodeError:
            inner = {}
        merged = {**inner, "resourcesCount": counts.resources_count, "apisCount": counts.apis_count}
        counted = self._with("cacheInfo", merged)._with("applicationsCount", counts.applications_count)
        return counted._with("serverVersion", counts.server_version) if counts.server_version else counted

    def _with(self, name: str, value: object) -> "ClusterInfo":
        return replace(self, fields={**self.fields, name: msgspec.Raw(codec.encode(value))})


def read_cluster_info(value: bytes) -> ClusterInfo:
    """The document in a cache value, compressed or not. Raises `DecodeError`."""
    return ClusterInfo(codec.decode(unpack(value), dict[str, msgspec.Raw], "cluster info"))


def write_cluster_info(info: ClusterInfo, compression: Compression) -> bytes:
    """*info* as a cache value. `applicationsCount` is always there, as Argo CD writes it."""
    fields = {"applicationsCount": msgspec.Raw(b"0"), **info.fields}
    return pack(codec.encode(fields) + b"\n", compression)
