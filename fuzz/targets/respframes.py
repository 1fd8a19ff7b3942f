"""Bytes as commands and as replies: ends that do not depend on what follows, or `DecodeError`. hiredis agrees."""

import contextlib

from argocd_agent.errors import DecodeError
from argocd_agent.wire.resp import Replies, command
from argocd_agent.wire.respframes import Glance, command_at, reply_end

MATTERS = b"get"


def names_in(data: bytes) -> list[bytes] | None:
    """The names of the commands that *data* is made of; None if it is not made of whole ones."""
    names, at = list[bytes](), 0
    while at < len(data):
        found = command_at(data, at)
        if found is None or not found.size:
            return None
        names.append(data[found.first : found.last])
        at = found.end
    return names


def check(data: bytes) -> None:
    """Raises AssertionError where an end moves, or a command is not what it is made of."""
    try:
        found = command_at(data, 0, limit=1000)
        if found is not None:
            words = found.words(data, 0)
            again = command(*words)
            assert command_at(again + b"rest", 0, limit=1000) is not None
            assert words == (command_at(again, 0) or found).words(again, 0)
            assert command_at(data[: found.end - 1], 0, limit=1000) is None
    except DecodeError:
        pass
    if Glance(lambda name, _: name == MATTERS).is_nothing(data):
        with contextlib.suppress(DecodeError):  # which Redis says too
            names = names_in(data)
            assert names is not None
            assert MATTERS not in names
    try:
        end = reply_end(data, 0)
        if end is None:
            return
        assert reply_end(data[:end], 0) == end
        replies = list(Replies().feed(data[:end]))
    except DecodeError:
        return
    assert len(replies) <= 2  # an attribute, and what it is about
