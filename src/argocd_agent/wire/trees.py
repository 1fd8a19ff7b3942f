"""Argo CD's resource trees, as cache values: a remark on their root nodes. All else stays as it is.

A tree is `{"nodes": [{…, "parentRefs": […], "info": [{"name", "value"}]}], …}`; the user interface shows each `info`
item on its node. Root nodes are those without parents.
"""

import msgspec

from argocd_agent import codec
from argocd_agent.errors import DecodeError
from argocd_agent.wire.cachevalues import Compression, is_compressed, pack, unpack

_Fields = dict[str, msgspec.Raw]
_List = list[msgspec.Raw]


def with_remark(value: bytes, name: str, text: str) -> bytes:
    """The tree in *value* with an `info` item *name*: *text* on its root nodes, compressed as it was. *value* itself
    where it is no tree that we can read: it is shown without the remark rather than not at all."""
    try:
        tree = codec.decode(unpack(value), _Fields, "resource tree")
        nodes = codec.decode(tree.get("nodes", b"[]"), list[_Fields], "nodes")
        item = {"name": name, "value": text}
        remarked = [_remarked(node, item) if _is_root(node) else node for node in nodes]
    except DecodeError:
        return value
    document = codec.encode({**tree, "nodes": remarked}) + b"\n"
    return pack(document, Compression.GZIP if is_compressed(value) else Compression.NONE)


def _is_root(node: _Fields) -> bool:
    return not _list_in(node, "parentRefs")


def _remarked(node: _Fields, item: dict[str, str]) -> _Fields:
    info = [*_list_in(node, "info"), msgspec.Raw(codec.encode(item))]
    return {**node, "info": msgspec.Raw(codec.encode(info))}


def _list_in(node: _Fields, name: str) -> _List:
    raw = node.get(name, b"null")
    return [] if bytes(raw) == b"null" else codec.decode(raw, _List, name)
