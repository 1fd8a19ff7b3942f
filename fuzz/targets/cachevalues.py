"""Bytes under a key of Argo CD's cache: a document that is written and read again the same, or `DecodeError`."""

from argocd_agent.errors import DecodeError
from argocd_agent.wire.cachevalues import Compression, read_cluster_info, unpack, write_cluster_info

LIMIT = 10_000


def check(data: bytes) -> None:
    """Raises AssertionError where a document changes on its way, or grows beyond the limit."""
    try:
        assert len(unpack(data, LIMIT)) <= LIMIT or not data.startswith(b"\x1f\x8b")
        info = read_cluster_info(data)
        counts, connection = info.counts, info.connection
    except DecodeError:
        return
    again = read_cluster_info(write_cluster_info(info.with_counts(counts), Compression.GZIP))
    assert (again.counts, again.connection) == (counts, connection)
