"""Where commands and replies of Redis' protocol end."""

import pytest

from argocd_agent.errors import DecodeError
from argocd_agent.wire.resp import command
from argocd_agent.wire.respframes import Glance, command_at, reply_end


def test_a_command_is_found_when_its_last_byte_is_there() -> None:
    data = command("SET", "a", b"\r\n$1\r\n")
    whole = b"xx" + data + b"rest"

    found = command_at(whole, 2)

    assert found is not None
    assert (found.end, found.words(whole, 2)) == (2 + len(data), [b"SET", b"a", b"\r\n$1\r\n"])
    assert whole[found.first : found.last] == b"SET"
    assert [command_at(data[:size], 0) for size in range(len(data))] == [None] * len(data)


@pytest.mark.parametrize("data", [b"*0\r\n", b"*-1\r\n"])
def test_a_command_may_have_no_words(data: bytes) -> None:
    found = command_at(data, 0)

    assert found is not None
    assert (found.end, found.size, found.words(data, 0)) == (len(data), 0, [])


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"PING\r\n", "Protocol error: expected '\\*', got 'P'"),
        (b"*1\r\n+a\r\n", "Protocol error: expected '\\$', got '\\+'"),
        (b"*1x\r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"*" + b"0" * 30, "invalid multibulk length"),
        (b"*2000000\r\n", "invalid multibulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$11\r\n", "invalid bulk length"),
        (b"*1\r\n$ 1\r\n", "invalid bulk length"),
    ],
)
def test_what_is_no_command_is_refused_as_redis_would(data: bytes, complaint: str) -> None:
    with pytest.raises(DecodeError, match=complaint):
        command_at(data, 0, limit=10)


@pytest.mark.parametrize(
    "data",
    [
        b"+OK\r\n",
        b"-ERR x\r\n",
        b":1\r\n",
        b"$3\r\na\r\n\r\n",
        b"$-1\r\n",
        b"$0\r\n\r\n",
        b"_\r\n",
        b"#t\r\n",
        b",1.5\r\n",
        b"(123\r\n",
        b"=7\r\ntxt:abc\r\n",
        b"!3\r\nERR\r\n",
        b"*2\r\n*1\r\n:1\r\n$1\r\na\r\n",
        b"*0\r\n",
        b"*-1\r\n",
        b"%1\r\n+a\r\n*1\r\n:1\r\n",
        b"~1\r\n:1\r\n",
        b">2\r\n+message\r\n+a\r\n",
        b"|1\r\n+ttl\r\n:1\r\n+OK\r\n",
    ],
)
def test_a_reply_of_any_sort_ends_with_its_last_byte(data: bytes) -> None:
    assert reply_end(b"x" + data + b"+rest\r\n", 1) == 1 + len(data)
    assert [reply_end(data[:size], 0) for size in range(len(data))] == [None] * len(data)


@pytest.mark.parametrize("data", [b"?\r\n", b"$x\r\n", b"*-2\r\n"])
def test_what_is_no_reply_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError, match="Protocol error"):
        reply_end(data, 0)


PLAIN = command("SET", "a", b"\r\n$3\r\nGET") + command("PING")


def test_commands_that_do_not_matter_are_seen_at_a_glance_however_many() -> None:
    glance = Glance(lambda name, _: name == b"GET")

    assert [glance.is_nothing(data) for data in (PLAIN, PLAIN * 100, command("PING"))] == [True] * 3


@pytest.mark.parametrize("size", range(1, len(PLAIN)))
def test_a_command_that_is_not_all_there_is_looked_at_closer(size: int) -> None:
    glance = Glance(lambda *_: False)

    assert glance.is_nothing(PLAIN[:size]) == (size == len(PLAIN) - len(command("PING")))
    assert glance.is_nothing(PLAIN)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN + command("GET", "a"),
        command("GET", "a") + PLAIN,
        b"PING\r\n",
        b"*0\r\n",
        b"*1\r\n*1\r\n:1\r\n",
        b"+OK\r\n",
    ],
)
def test_what_matters_or_is_no_command_is_looked_at_closer(data: bytes) -> None:
    glance = Glance(lambda name, _: name == b"GET")

    assert not glance.is_nothing(data)
    assert glance.is_nothing(PLAIN)
