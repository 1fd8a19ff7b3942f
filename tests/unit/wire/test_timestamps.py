"""Times as text and back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argocd_agent.errors import DecodeError
from argocd_agent.wire.timestamps import (
    format_micro_time,
    format_sent_at,
    format_time,
    parse_datetime,
    parse_nanoseconds,
    parse_seconds,
)

MOMENT = 1_787_285_116  # 2026-08-21T04:05:16Z
FIRST, LAST = -62_135_596_800 * 10**9, 253_402_300_800 * 10**9 - 1


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "2026-08-21T04:05:16Z"),
        (1, "2026-08-21T04:05:16.000000001Z"),
        (123_456_789, "2026-08-21T04:05:16.123456789Z"),
        (120_000_000, "2026-08-21T04:05:16.12Z"),
    ],
)
def test_time_of_sending_loses_its_trailing_zeros(fraction: int, text: str) -> None:
    assert format_sent_at(MOMENT * 10**9 + fraction) == text
    assert parse_nanoseconds(text) == MOMENT * 10**9 + fraction


def test_kubernetes_times_are_cut_to_seconds_and_to_microseconds() -> None:
    assert format_time(MOMENT + 0.999) == "2026-08-21T04:05:16Z"
    assert format_time(-0.5) == "1969-12-31T23:59:59Z"
    assert format_micro_time(MOMENT * 10**9 + 999) == "2026-08-21T04:05:16.000000Z"
    assert format_micro_time(MOMENT * 10**9 + 120_000_000) == "2026-08-21T04:05:16.120000Z"


@pytest.mark.parametrize(
    "text",
    [
        "2026-08-21t04:05:16z",
        "2026-08-21 04:05:16Z",
        "2026-08-21T06:05:16+02:00",
        "2026-08-20T18:35:16-09:30",
        "2026-08-21T04:05:16.0000000009Z",
    ],
)
def test_other_spellings_of_one_moment_are_read(text: str) -> None:
    assert parse_nanoseconds(text) == MOMENT * 10**9
    assert parse_seconds(text) == MOMENT
    assert parse_datetime(text) == datetime(2026, 8, 21, 4, 5, 16, tzinfo=UTC)


def test_leap_second_is_the_first_of_the_next_minute() -> None:
    assert parse_nanoseconds("2016-12-31T23:59:60Z") == parse_nanoseconds("2017-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-08-21",
        "2026-08-21T04:05:16",
        "2026-08-21T04:05:16.Z",
        "2026-02-30T04:05:16Z",
        "2026-08-21T24:05:16Z",
        "2026-08-21T04:60:16Z",
        "2026-08-21T04:05:61Z",
        "2026-08-21T04:05:16+24:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:60Z",
        "２０２６-08-21T04:05:16Z",
        "2026-08-21T04:05:16Z\n",
    ],
)
def test_what_is_no_time_is_named(text: str) -> None:
    with pytest.raises(DecodeError, match=r"sentat: expected RFC 3339 like .*, found "):
        parse_nanoseconds(text, "sentat")


@given(st.integers(FIRST, LAST))
def test_every_nanosecond_from_year_1_to_9999_is_read_back(moment: int) -> None:
    assert parse_nanoseconds(format_sent_at(moment)) == moment
    assert parse_nanoseconds(format_micro_time(moment)) == moment // 1000 * 1000
