"""Text that should be a time: nanoseconds that are written and read again the same, or `DecodeError`."""

from argocd_agent.errors import DecodeError
from argocd_agent.wire.timestamps import (
    format_micro_time,
    format_sent_at,
    format_time,
    parse_datetime,
    parse_nanoseconds,
    parse_seconds,
)


def check(data: bytes) -> None:
    """Raises AssertionError where a time changes on its way through text."""
    text = data.decode(errors="replace")
    try:
        moment = parse_nanoseconds(text)
    except DecodeError:
        return
    assert parse_nanoseconds(format_sent_at(moment)) == moment
    assert parse_nanoseconds(format_micro_time(moment)) == moment // 1000 * 1000
    assert parse_nanoseconds(format_time(moment // 10**9)) == moment // 10**9 * 10**9
    assert abs(parse_seconds(text) - moment / 10**9) < 1
    assert parse_datetime(text).isoformat()[:19] == format_time(moment // 10**9)[:19]
