"""The first byte chooses an end and a protocol, the rest is a message of a terminal.

It is understood or passed over, and what was understood means the same at the other end.
"""

from argocd_agent.wire.execframes import (
    PROTOCOLS,
    V5,
    Ended,
    choose,
    ended_of,
    ended_of_text,
    ending_to_client,
    from_client,
    from_pod,
    status_of,
    to_client,
    to_pod,
)

UUID = "u"


def check(data: bytes) -> None:
    """Raises AssertionError where a message changes its meaning on its way."""
    if not data:
        return
    protocol = PROTOCOLS[(data[0] >> 1) % len(PROTOCOLS)]
    (_client if data[0] % 2 else _pod)(data[1:], protocol)


def _client(message: bytes, protocol: str) -> None:
    frame = from_client(message, UUID)
    if frame is None:
        return
    assert to_client(frame) is None or frame.data, "only data is shown"
    onward = to_pod(frame, protocol)
    assert onward is not None or (frame.is_end and protocol != V5)
    if onward is not None:
        assert from_client(onward, UUID) == frame


def _pod(message: bytes, protocol: str) -> None:
    found = from_pod(message, protocol)
    if isinstance(found, Ended):
        assert ended_of(status_of(found)).is_success == found.is_success
        assert ended_of_text(found.message).exit_code in (None, found.exit_code) or found.exit_code is None
        ending_to_client(found, protocol)
    elif found is not None:
        assert message.endswith(found)
    assert choose((message.decode("latin-1"),)) in (None, *PROTOCOLS)
