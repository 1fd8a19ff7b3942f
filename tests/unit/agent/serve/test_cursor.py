import pytest

from argocd_agent.agent.serve.cursor import STEP_BYTES, Cursor


def a_line(second: int, text: str, nanos: int = 0) -> bytes:
    return f"2026-11-21T12:00:{second:02d}.{nanos:09d}Z {text}\n".encode()


def read(cursor: Cursor, log: bytes, piece: int = 7) -> bytes:
    return b"".join(cursor.feed(log[at : at + piece]) for at in range(0, len(log), piece)) + cursor.rest()


LOG = a_line(1, "one") + a_line(2, "two") + a_line(2, "two again") + a_line(3, "") + a_line(59, "last")
NOON = 1795262400


@pytest.mark.parametrize("piece", [1, 7, 64, 10_000])
def test_timestamps_are_taken_off_where_nobody_asked_for_them(piece: int) -> None:
    assert read(Cursor(keeps_timestamps=False), LOG, piece) == b"one\ntwo\ntwo again\n\nlast\n"


@pytest.mark.parametrize("piece", [1, 7, 64, 10_000])
def test_a_log_with_timestamps_passes_as_it_is(piece: int) -> None:
    assert read(Cursor(keeps_timestamps=True), LOG, piece) == LOG


@pytest.mark.feature("A-92")
@pytest.mark.parametrize("keeps", [True, False])
def test_wherever_it_was_cut_the_rest_of_it_follows_what_has_arrived(keeps: bool) -> None:
    whole = read(Cursor(keeps_timestamps=keeps), LOG)

    for arrived in range(len(whole) + 1):
        cursor = Cursor(keeps_timestamps=keeps)
        read(cursor, LOG)
        assert cursor.resume(arrived) == NOON + 1
        assert read(cursor, LOG) == whole[arrived:]


def test_it_is_read_again_from_the_second_of_the_last_mark_before_what_has_arrived() -> None:
    cursor = Cursor(keeps_timestamps=False)
    long = "x" * STEP_BYTES
    log = a_line(1, long) + a_line(2, "a") + a_line(2, "b", nanos=1) + a_line(5, long) + a_line(9, "z")
    whole = read(cursor, log, 10_000)

    since = cursor.resume(STEP_BYTES + 1 + 3)

    assert since == NOON + 2
    assert read(cursor, log[len(a_line(1, long)) :], 10_000) == whole[STEP_BYTES + 4 :]


def test_lines_of_one_timestamp_are_told_apart_by_count() -> None:
    log = b"".join(a_line(7, f"{number} " + "x" * STEP_BYTES) for number in range(3))
    cursor = Cursor(keeps_timestamps=False)
    whole = read(cursor, log, 10_000)

    cursor.resume(2 * (STEP_BYTES + 3) + 1)

    assert read(cursor, log, 10_000) == whole[2 * (STEP_BYTES + 3) + 1 :]


def test_toward_a_hub_that_says_nothing_it_is_read_again_from_a_little_before_the_last_line() -> None:
    cursor = Cursor(keeps_timestamps=True)
    read(cursor, a_line(1, "one") + a_line(3, "three", nanos=50_000_000))

    assert cursor.resume(None) == NOON + 2
    assert read(cursor, a_line(3, "three")) == a_line(3, "three")


def test_before_the_first_line_there_is_nothing_to_go_on_from() -> None:
    cursor = Cursor(keeps_timestamps=False)

    assert cursor.resume(0) is None
    assert not cursor.has_lines


def test_when_the_node_has_thrown_away_where_we_were_what_is_newer_follows() -> None:
    cursor = Cursor(keeps_timestamps=False)
    read(cursor, LOG)
    cursor.resume(4)

    assert read(cursor, a_line(2, "two") + a_line(59, "last", nanos=1) + a_line(59, "new", nanos=2)) == b"last\nnew\n"
    assert cursor.position == 4 + len(b"last\nnew\n")


def test_words_of_the_kubelet_without_a_timestamp_pass_as_they_are() -> None:
    text = b"failed to try resolving symlinks in path: no such file\n"

    assert read(Cursor(keeps_timestamps=False), text + a_line(1, "one")) == text + b"one\n"


def test_an_end_in_the_middle_of_a_line_is_handed_out() -> None:
    assert read(Cursor(keeps_timestamps=False), a_line(1, "one")[:-2]) == b"on"
    assert read(Cursor(keeps_timestamps=True), b"2026-11-21T12") == b"2026-11-21T12"
