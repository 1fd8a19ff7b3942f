"""Bytes from a Redis server: replies, the same ones however the bytes are cut, or `DecodeError`."""

from argocd_agent.errors import DecodeError
from argocd_agent.wire.resp import Replies


def read(pieces: list[bytes]) -> list[str]:
    """The replies in *pieces*, as text; `!` at the end where what follows is none."""
    replies, seen = Replies(), []
    try:
        for piece in pieces:
            for reply in replies.feed(piece):
                seen.append(repr(reply))  # noqa: PERF401  those before a fault count
    except DecodeError:
        seen.append("!")
    return seen


def check(data: bytes) -> None:
    """Raises AssertionError where it matters how the bytes are cut."""
    whole = read([data])
    half = len(data) // 2
    assert read([data[:half], data[half:]]) == whole
    assert read([data[at : at + 1] for at in range(len(data))]) == whole
