"""Lists and watch lines of a Kubernetes API, taken apart and put together again; what is in them stays unread. Pure."""

from collections.abc import Sequence

import msgspec

from argocd_agent.codec import decode, encode


class _Line(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


def items_of(document: bytes) -> tuple[bytes, ...] | None:
    """The items of a list, as JSON; None where *document* is no list. Raises `DecodeError` where it is no object."""
    raw = decode(document, dict[str, msgspec.Raw], "list").get("items")
    if raw is None:
        return None
    return () if bytes(raw) == b"null" else tuple(bytes(item) for item in decode(raw, list[msgspec.Raw], "items"))


def with_items(document: bytes, items: Sequence[bytes]) -> bytes:
    """The list *document* with *items* instead of its own. Raises `DecodeError`."""
    top = decode(document, dict[str, msgspec.Raw], "list")
    parts = [b"%b:%b" % (encode(name), bytes(raw)) for name, raw in top.items() if name != "items"]
    return b"{%b}" % b",".join([*parts, b'"items":[%b]' % b",".join(items)])


def watch_line(line: bytes) -> tuple[str, bytes]:
    """Type and object of one line of a watch. Raises `DecodeError`."""
    found = decode(line, _Line, "watch event")
    return found.type, bytes(found.object)
