"""A remark on the root nodes of a resource tree."""

import gzip

import pytest

from argocd_agent.codec import decode_any
from argocd_agent.wire.trees import with_remark

TREE = (
    b'{"nodes":[{"kind":"Deployment","health":{"status":"Healthy"}},'
    b'{"kind":"ReplicaSet","parentRefs":[{"kind":"Deployment"}],"info":[{"name":"Revision","value":"Rev:1"}]},'
    b'{"kind":"Service","parentRefs":null,"info":[{"name":"a","value":"b"}]}],"orphanedNodes":[{"kind":"X"}],"hosts":[1]}'
)
REMARK = {"name": "as of", "value": "noon"}


@pytest.mark.parametrize("value", [TREE, gzip.compress(TREE), gzip.compress(TREE)[:-8]])
def test_root_nodes_get_the_remark_and_all_else_stays(value: bytes) -> None:
    remarked = with_remark(value, "as of", "noon")

    assert remarked.startswith(b"\x1f\x8b") == value.startswith(b"\x1f\x8b")
    tree = decode_any(gzip.decompress(remarked) if remarked.startswith(b"\x1f\x8b") else remarked)
    wanted = decode_any(TREE)
    wanted["nodes"][0]["info"] = [REMARK]
    wanted["nodes"][2]["info"].append(REMARK)
    assert tree == wanted


@pytest.mark.parametrize(
    "value", [b"", b"no tree", b'{"nodes":7}', b'{"nodes":null}', b'{"nodes":[{"info":7}]}', b"\x1f\x8bx", b"[]"]
)
def test_what_cannot_be_read_is_shown_as_it_is(value: bytes) -> None:
    assert with_remark(value, "as of", "noon") == value
