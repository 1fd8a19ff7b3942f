"""Redis' protocol, read and written."""

import pytest

from argocd_agent.errors import DecodeError
from argocd_agent.wire import resp
from argocd_agent.wire.resp import Failure, Push, Replies


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"+OK\r\n", b"OK"),
        (b"$3\r\na\r\n\r\n", b"a\r\n"),
        (b":-7\r\n", -7),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b"_\r\n", None),
        (b"#f\r\n", False),
        (b"*2\r\n$1\r\na\r\n:1\r\n", [b"a", 1]),
        (b"%1\r\n+a\r\n:1\r\n", {b"a": 1}),
        (b"-NOAUTH Authentication required.\r\n", Failure("NOAUTH Authentication required.")),
        (b"*1\r\n-ERR x\r\n", [Failure("ERR x")]),
        (b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n", Push(b"message", (b"c", b""))),
    ],
)
def test_a_reply_is_read_whole_or_byte_by_byte(data: bytes, value: object) -> None:
    replies = Replies()

    assert list(Replies().feed(data)) == [value]
    assert [reply for at in range(len(data)) for reply in replies.feed(data[at : at + 1])] == [value]


def test_what_follows_a_reply_is_kept_for_the_next() -> None:
    replies = Replies()

    assert list(replies.feed(b"+1\r\n+2\r\n+")) == [b"1", b"2"]
    assert list(replies.feed(b"3\r\n")) == [b"3"]


@pytest.mark.parametrize("data", [b"GET a\r\n", b":x\r\n", b"$-5\r\n", b"%1\r\n*0\r\n:1\r\n"])
def test_what_is_no_reply_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError, match="Redis: expected a reply"):
        list(Replies().feed(data))


def test_replies_before_the_fault_come_out_first() -> None:
    replies = Replies().feed(b"+1\r\n+2\r\n?\r\n")

    assert (next(replies), next(replies)) == (b"1", b"2")
    with pytest.raises(DecodeError):
        next(replies)


def test_a_reply_beyond_the_limit_is_refused_before_it_is_held() -> None:
    replies = Replies(limit=100)
    list(replies.feed(b"$1000\r\n" + b"x" * 80))

    with pytest.raises(DecodeError, match="at most 100 bytes"):
        list(replies.feed(b"x" * 80))


def test_many_small_replies_are_no_large_one() -> None:
    replies = Replies(limit=100)

    assert len(list(replies.feed(b"+OK\r\n" * 1000))) == 1000
    assert len(list(replies.feed(b"+OK\r\n" * 1000))) == 1000


@pytest.mark.parametrize(
    ("written", "data"),
    [
        (resp.command("SET", "ä", b"\x00", 7), b"*4\r\n$3\r\nSET\r\n$2\r\n\xc3\xa4\r\n$1\r\n\x00\r\n$1\r\n7\r\n"),
        (resp.bulk(b"ab"), b"$2\r\nab\r\n"),
        (resp.simple("OK"), b"+OK\r\n"),
        (resp.failure("ERR a\r\nb"), b"-ERR a  b\r\n"),
        (resp.integer(-1), b":-1\r\n"),
        (resp.null(2), b"$-1\r\n"),
        (resp.null(3), b"_\r\n"),
        (resp.array(resp.integer(1), resp.null(2)), b"*2\r\n:1\r\n$-1\r\n"),
        (resp.push(3, resp.bulk(b"a")), b">1\r\n$1\r\na\r\n"),
        (resp.push(2, resp.bulk(b"a")), b"*1\r\n$1\r\na\r\n"),
        (resp.mapping(3, (resp.bulk(b"a"), resp.integer(1))), b"%1\r\n$1\r\na\r\n:1\r\n"),
        (resp.mapping(2, (resp.bulk(b"a"), resp.integer(1))), b"*2\r\n$1\r\na\r\n:1\r\n"),
    ],
)
def test_what_is_written_is_as_the_protocol_says(written: bytes, data: bytes) -> None:
    assert written == data


def test_the_code_of_a_failure_is_its_first_word() -> None:
    assert (Failure("WRONGPASS no").code, Failure("ERR").code) == ("WRONGPASS", "ERR")
