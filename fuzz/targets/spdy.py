"""Bytes of an API server that speaks SPDY: frames, or `RemoteProtocolError`; what we say is read as it was."""

from argocd_agent.errors import RemoteProtocolError
from argocd_agent.wire.spdy import Data, GoAway, Listener, Opened, Ping, Reset, Speaker


def check(data: bytes) -> None:
    """Raises AssertionError where a frame depends on how the bytes are cut, or is not read as it was written."""
    whole, pieces = Listener(), Listener()
    try:
        frames = whole.feed(data)
    except RemoteProtocolError:
        frames = None
    if frames is not None:
        assert [frame for byte in data for frame in pieces.feed(bytes((byte,)))] == frames
    speaker, listener = Speaker(), Listener()
    name = data[:40].hex()
    said = speaker.open(1, {name: name}) + speaker.data(1, data, is_last=True) + speaker.reply(2, {}) + speaker.ping(2)
    assert listener.feed(said + speaker.reset(1, 3) + speaker.go_away()) == [
        Opened(1, {name: name}, is_reply=False),
        Data(1, data, is_last=True),
        Opened(2, {}, is_reply=True),
        Ping(2),
        Reset(1, 3),
        GoAway(),
    ]
