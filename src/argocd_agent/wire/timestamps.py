"""Times as text: RFC 3339 in UTC, as the reference and Kubernetes write it, and back.

Inside, a time is an integer of nanoseconds since 1970 (no float has room for them), or seconds where that is exact
enough. Written with "Z"; read with any offset and any number of digits, of which nine count. From year 1 to 9999.
"""

import re
from datetime import UTC, datetime, timedelta

from argocd_agent.errors import DecodeError

_NANOSECONDS = 1_000_000_000
_DAY_SECONDS = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_FIRST_SECOND = (datetime.min.toordinal() - _EPOCH_ORDINAL) * _DAY_SECONDS
_LAST_SECOND = (datetime.max.toordinal() - _EPOCH_ORDINAL + 1) * _DAY_SECONDS - 1
_PATTERN = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


def format_sent_at(epoch_nanoseconds: int) -> str:
    """The time to the nanosecond, trailing zeros trimmed as Go does: `2026-08-21T04:05:16.12Z`."""
    seconds, fraction = divmod(epoch_nanoseconds, _NANOSECONDS)
    digits = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{_to_second(seconds)}{digits}Z"


def format_time(epoch_seconds: float) -> str:
    """The time to the second below, as Kubernetes' `Time`: `2026-08-21T04:05:16Z`."""
    return f"{_to_second(int(epoch_seconds // 1))}Z"


def format_micro_time(epoch_nanoseconds: int) -> str:
    """The time to the microsecond below, always six digits, as Kubernetes' `MicroTime` in Leases."""
    seconds, fraction = divmod(epoch_nanoseconds, _NANOSECONDS)
    return f"{_to_second(seconds)}.{fraction // 1000:06d}Z"


def parse_nanoseconds(text: str, what: str = "time") -> int:
    """Nanoseconds since 1970. Raises `DecodeError`, naming *what* was being read."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise _no_time(text, what)
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    if hour > 23 or minute > 59 or second > 60 or int(offset_hours or 0) > 23 or int(offset_minutes or 0) > 59:
        raise _no_time(text, what)
    try:
        days = datetime(year, month, day, tzinfo=UTC).toordinal() - _EPOCH_ORDINAL
    except ValueError as error:
        raise _no_time(text, what) from error
    # A leap second (60) is the first second of the next minute, as in POSIX time.
    seconds = days * _DAY_SECONDS + hour * 3600 + minute * 60 + second
    if sign:
        offset_seconds = int(offset_hours) * 3600 + int(offset_minutes) * 60
        seconds += offset_seconds if sign == "-" else -offset_seconds
    if not _FIRST_SECOND <= seconds <= _LAST_SECOND:
        raise _no_time(text, what)
    return seconds * _NANOSECONDS + (int(fraction[:9].ljust(9, "0")) if fraction else 0)


def parse_seconds(text: str, what: str = "time") -> float:
    """Seconds since 1970, exact to a microsecond for times of our days. Raises `DecodeError`."""
    return parse_nanoseconds(text, what) / _NANOSECONDS


def parse_datetime(text: str, what: str = "time") -> datetime:
    """The time in UTC, to the microsecond below. Raises `DecodeError`."""
    return _EPOCH + timedelta(microseconds=parse_nanoseconds(text, what) // 1000)


def _to_second(epoch_seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=epoch_seconds)).isoformat()[:19]


def _no_time(text: str, what: str) -> DecodeError:
    return DecodeError(f"{what}: expected RFC 3339 like 2026-08-21T04:05:16.12Z, found {text[:60]!r}")
