"""Any document survives being packed, cut short at a flush, and merged."""

import zlib

from hypothesis import given
from hypothesis import strategies as st

from argocd_agent.codec import decode_any, encode
from argocd_agent.errors import DecodeError
from argocd_agent.wire.cachevalues import (
    Compression,
    ConnectionState,
    pack,
    read_cluster_info,
    unpack,
    write_cluster_info,
)
from argocd_agent.wire.payloads import ClusterCacheInfo

NUMBERS = st.integers(min_value=0, max_value=2**63 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.binary(max_size=2000).filter(lambda data: not data.startswith(b"\x1f\x8b")), st.sampled_from(Compression))
def test_packing_and_unpacking_change_nothing(document: bytes, compression: Compression) -> None:
    assert unpack(pack(document, compression)) == document


@given(st.binary(max_size=2000), st.integers(min_value=0, max_value=8))
def test_a_flushed_stream_is_read_with_any_part_of_its_trailer(document: bytes, missing: int) -> None:
    packer = zlib.compressobj(wbits=31)
    stream = packer.compress(document) + packer.flush(zlib.Z_FULL_FLUSH) + packer.flush()

    assert unpack(stream[: len(stream) - missing]) == document


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=4), NUMBERS, NUMBERS, NUMBERS)
def test_merging_keeps_every_other_field(others: dict[str, object], one: int, two: int, three: int) -> None:
    counts = ClusterCacheInfo(applications_count=one, apis_count=two, resources_count=three)
    state = ConnectionState(status="Successful", message="m")

    info = read_cluster_info(encode(others)).with_counts(counts).with_connection(state)
    written = write_cluster_info(info, Compression.GZIP)

    found = decode_any(unpack(written))
    ours = ("connectionState", "cacheInfo", "applicationsCount")
    assert {name: value for name, value in found.items() if name not in ours} == {
        name: value for name, value in others.items() if name not in ours
    }
    assert (read_cluster_info(written).counts, read_cluster_info(written).connection) == (counts, state)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_refused(data: bytes) -> None:
    for value in (data, b"\x1f\x8b" + data, pack(data, Compression.GZIP)):
        try:
            info = read_cluster_info(value)
            _ = info.counts, info.connection
        except DecodeError:
            pass
