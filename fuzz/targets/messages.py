"""The first byte chooses a message of the calls, the rest is its bytes: a message, or `DecodeError`."""

from argocd_agent.errors import DecodeError
from argocd_agent.wire.datastreams import LogFrame, LogReply, TerminalFrame
from argocd_agent.wire.messages import LoginReply, LoginRequest, PushSummary, RefreshRequest, VersionReply

SHAPES = (LoginRequest, LoginReply, RefreshRequest, VersionReply, PushSummary, LogFrame, LogReply, TerminalFrame)


def check(data: bytes) -> None:
    """Raises AssertionError where a message is not read back as it was written."""
    if not data:
        return
    shape = SHAPES[data[0] % len(SHAPES)]
    try:
        message = shape.decode(data[1:])
    except DecodeError:
        return
    assert shape.decode(message.encode()) == message
