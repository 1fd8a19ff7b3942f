"""Argo CD's cache values: keys, compression, and the document about a cluster."""

import gzip
import zlib

import pytest

from argocd_agent.codec import decode_any
from argocd_agent.errors import DecodeError
from argocd_agent.wire.cachevalues import (
    ClusterInfo,
    Compression,
    ConnectionState,
    cluster_info_key,
    pack,
    read_cluster_info,
    unpack,
    write_cluster_info,
)
from argocd_agent.wire.payloads import ClusterCacheInfo

COUNTS = ClusterCacheInfo(applications_count=1, apis_count=2, resources_count=3)
FOUND = (
    b'{"connectionState":{"status":"Failed","message":"no","attemptedAt":null},"serverVersion":"1.36",'
    b'"cacheInfo":{"resourcesCount":7,"apisCount":5,"lastCacheSyncTime":"2026-01-01T00:00:00Z"},"applicationsCount":4,'
    b'"apiVersions":["v1"],"later":{"a":1}}\n'
)


@pytest.mark.feature("C-51")
def test_the_key_says_how_the_value_is_compressed() -> None:
    server = "https://argocd-agent-resource-proxy:9090?agentName=agent-1"

    assert cluster_info_key(server, Compression.GZIP) == f"cluster|info|{server}|1.8.3.gz"
    assert cluster_info_key(server, Compression.NONE) == f"cluster|info|{server}|1.8.3"


@pytest.mark.feature("C-51")
@pytest.mark.parametrize("compression", Compression)
def test_what_is_packed_is_unpacked(compression: Compression) -> None:
    assert unpack(pack(b"document", compression)) == b"document"


def test_a_gzip_stream_that_was_flushed_but_not_closed_is_read() -> None:
    packer = zlib.compressobj(wbits=31)
    flushed = packer.compress(b"document") + packer.flush(zlib.Z_SYNC_FLUSH)

    assert unpack(flushed) == b"document"


def test_a_gzip_stream_without_its_trailer_is_read() -> None:
    assert unpack(gzip.compress(b"document")[:-8]) == b"document"


def test_a_bomb_is_refused() -> None:
    with pytest.raises(DecodeError, match="at most 1000 bytes when unpacked"):
        unpack(gzip.compress(b"\x00" * 1_000_000), limit=1000)


def test_a_broken_stream_is_refused() -> None:
    with pytest.raises(DecodeError, match="expected a gzip stream"):
        unpack(b"\x1f\x8bnothing of the sort")


def test_counts_and_connection_are_read() -> None:
    info = read_cluster_info(pack(FOUND, Compression.GZIP))

    assert info.connection == ConnectionState(status="Failed", message="no")
    assert info.counts == ClusterCacheInfo(applications_count=4, apis_count=5, resources_count=7, server_version="1.36")


def test_the_version_is_read_and_left_alone_by_counts_without_one() -> None:
    info = read_cluster_info(b'{"serverVersion":"1.36"}')

    assert info.counts.server_version == "1.36"
    assert info.with_counts(COUNTS).counts.server_version == "1.36"


def test_an_empty_document_counts_nothing() -> None:
    info = read_cluster_info(b"{}")

    assert (info.connection.status, info.counts.apis_count) == ("", 0)


def test_new_counts_keep_all_that_is_not_a_count() -> None:
    info = read_cluster_info(FOUND).with_counts(COUNTS)

    assert decode_any(write_cluster_info(info, Compression.NONE)) == {
        **decode_any(FOUND),
        "applicationsCount": 1,
        "cacheInfo": {"resourcesCount": 3, "apisCount": 2, "lastCacheSyncTime": "2026-01-01T00:00:00Z"},
    }


def test_a_new_connection_state_keeps_all_else() -> None:
    state = ConnectionState(status="Successful", message="yes", attempted_at="2026-08-21T04:05:16Z")

    info = read_cluster_info(FOUND).with_connection(state)

    assert decode_any(write_cluster_info(info, Compression.NONE)) == {
        **decode_any(FOUND),
        "connectionState": {"status": "Successful", "message": "yes", "attemptedAt": "2026-08-21T04:05:16Z"},
    }


def test_a_document_always_counts_applications_and_ends_with_a_line() -> None:
    assert write_cluster_info(ClusterInfo(), Compression.NONE) == b'{"applicationsCount":0}\n'


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\x1f\x8b"])
def test_what_is_no_document_is_refused(text: bytes) -> None:
    with pytest.raises(DecodeError):
        read_cluster_info(text)


@pytest.mark.parametrize("text", [b'{"cacheInfo":[]}', b'{"applicationsCount":"many"}', b'{"applicationsCount":1e400}'])
def test_counts_that_are_none_are_refused(text: bytes) -> None:
    with pytest.raises(DecodeError):
        _ = read_cluster_info(text).counts
