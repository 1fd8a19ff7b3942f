"""What a client of the Redis face gets, and what the hub's Redis sees of it."""

import pytest

from argocd_agent.proxies.redis.connection import HELD_BYTES, SLOTS, Phase
from argocd_agent.wire.resp import Failure, Push, command
from tests.support.rediswire import LOCAL, MANAGED, TREE, Wire

AGENT_2 = "app|resources-tree|agent-2_guestbook|1.8.3"


def said(channel: str) -> Push:
    return Push(b"message", (channel.encode(), b""))


@pytest.mark.feature("P-103")
def test_what_is_no_agents_is_the_hubs_redis_own() -> None:
    wire = Wire()

    wire.say("SET", "mfst|x", b"\x00\r\n$5\r\n")
    wire.say("GET", "mfst|x")
    wire.say("get", LOCAL)
    wire.say("NONSENSE")

    value, local, unknown = wire.replies()[1:]
    assert (value, local) == (b"\x00\r\n$5\r\n", None)
    assert isinstance(unknown, Failure)
    assert len(wire.asked) == 0


@pytest.mark.feature("P-104")
@pytest.mark.parametrize("name", ["get", "GET", "GeT"])
def test_an_agents_key_is_asked_of_the_agent_in_any_case(name: str) -> None:
    wire = Wire()

    wire.say(name, TREE)
    (asked,) = wire.asked
    wire.answer(b"\x1f\x8b\x00\r\n")

    assert (asked.agent, asked.key) == ("agent-1", TREE.encode())
    assert wire.replies() == [b"\x1f\x8b\x00\r\n"]


@pytest.mark.feature("P-105")
def test_a_key_that_the_agent_does_not_have_is_nil_in_the_clients_version() -> None:
    wire = Wire()
    wire.say("GET", TREE)
    wire.answer(None)
    assert bytes(wire.to_client) == b"$-1\r\n"
    wire.replies()

    wire.say("HELLO", "3")
    wire.replies()
    wire.say("GET", TREE)
    wire.answer(None)

    assert bytes(wire.to_client) == b"_\r\n"


def test_a_failure_is_an_error_reply_and_the_connection_stays() -> None:
    wire = Wire()

    wire.say("GET", TREE)
    wire.answer(None, "ERR agent agent-1 is not connected")
    wire.say("PING")

    assert wire.replies() == [Failure("ERR agent agent-1 is not connected"), b"PONG"]
    assert wire.closed is None


@pytest.mark.feature("P-103")
def test_replies_keep_the_order_of_pipelined_commands() -> None:
    wire = Wire()
    wire.say("SET", "a", "1")
    wire.replies()

    wire.send(
        command("GET", "a") + command("GET", TREE) + command("GET", "a") + command("GET", AGENT_2) + command("PING")
    )
    assert wire.replies() == [b"1"]
    wire.asked.rotate(1)
    wire.answer(b"two")
    assert wire.replies() == []
    wire.answer(b"one")

    assert wire.replies() == [b"one", b"1", b"two", b"PONG"]


@pytest.mark.feature("P-107")
@pytest.mark.parametrize(("version", "mark"), [("2", b"*3"), ("3", b">3")])
def test_a_subscription_is_confirmed_by_redis_and_carries_what_agents_say(version: str, mark: bytes) -> None:
    wire = Wire()
    wire.say("HELLO", version)
    wire.replies()

    wire.say("subscribe", "new-revoked-token", MANAGED)
    assert bytes(wire.to_client).count(b"subscribe") == 2
    wire.to_client.clear()
    assert wire.joined == [("agent-1", MANAGED.encode())]
    wire.push(MANAGED)

    channel = f"${len(MANAGED)}\r\n{MANAGED}\r\n".encode()
    assert bytes(wire.to_client) == mark + b"\r\n$7\r\nmessage\r\n" + channel + b"$0\r\n\r\n"


@pytest.mark.feature("P-107")
def test_a_channel_left_is_heard_no_more_and_others_are() -> None:
    wire = Wire()
    wire.say("HELLO", "3")
    wire.say("SUBSCRIBE", MANAGED, AGENT_2)
    wire.say("UNSUBSCRIBE", MANAGED)
    wire.replies()

    wire.push(MANAGED)
    wire.push(AGENT_2)

    assert (wire.replies(), wire.joined) == ([said(AGENT_2)], [("agent-2", AGENT_2.encode())])


@pytest.mark.feature("P-107")
@pytest.mark.parametrize("command_", [("UNSUBSCRIBE",), ("RESET",)])
def test_leaving_everything_leaves_every_agent(command_: tuple[str]) -> None:
    wire = Wire()
    wire.say("SUBSCRIBE", MANAGED, AGENT_2, MANAGED)
    assert len(wire.joined) == 2

    wire.say(*command_)

    assert wire.joined == []


def test_a_message_never_stands_within_a_reply() -> None:
    wire = Wire()
    wire.say("HELLO", "3")
    wire.say("SET", "a", "x" * 1000)
    wire.say("SUBSCRIBE", MANAGED)
    wire.replies()
    wire.is_held = True
    wire.say("GET", "a")
    reply = wire.upstream.feed(bytes(wire.up))
    wire.up.clear()

    wire.do(wire.machine.upstream_said(reply[:100]))
    wire.push(MANAGED)
    wire.do(wire.machine.upstream_said(reply[100:]))
    wire.flow()

    assert wire.replies() == [b"x" * 1000, said(MANAGED)]


def test_messages_that_cannot_be_passed_on_yet_are_one_per_channel() -> None:
    wire = Wire()
    wire.say("HELLO", "3")
    wire.say("SUBSCRIBE", MANAGED)
    wire.replies()
    wire.say("GET", TREE)

    for _ in range(1000):
        wire.push(MANAGED)
    wire.answer(b"tree")

    assert wire.replies() == [b"tree", said(MANAGED)]
    wire.push(MANAGED)
    assert wire.replies() == [said(MANAGED)]


def test_while_subscribed_in_version_2_a_ping_of_the_client_gets_its_own_answer() -> None:
    wire = Wire()
    wire.say("SUBSCRIBE", MANAGED)
    wire.replies()

    wire.say("PING", "mine")
    wire.push(MANAGED)
    wire.say("PING", "again")

    assert wire.replies() == [[b"pong", b"mine"], [b"message", MANAGED.encode(), b""], [b"pong", b"again"]]


@pytest.mark.feature("P-103")
def test_without_a_password_nobody_gets_an_agents_key_from_a_locked_redis() -> None:
    wire = Wire(password="right")

    wire.say("GET", TREE)
    wire.say("SUBSCRIBE", MANAGED)
    wire.say("AUTH", "wrong")
    wire.say("GET", TREE)

    assert [reply.code for reply in wire.replies() if isinstance(reply, Failure)] == [
        *("NOAUTH", "NOAUTH", "WRONGPASS", "NOAUTH")
    ]
    assert (len(wire.asked), wire.joined) == (0, [])


@pytest.mark.feature("P-103")
@pytest.mark.parametrize("words", [("AUTH", "right"), ("hello", "3", "auth", "default", "right")])
def test_whoever_is_let_in_gets_agents_keys_even_when_it_is_all_sent_at_once(words: tuple[str, ...]) -> None:
    wire = Wire(password="right")

    wire.send(command(*words) + command("GET", TREE) + command("PING"))
    wire.answer(b"tree")

    assert wire.replies()[1:] == [b"tree", b"PONG"]


def test_after_a_reset_the_password_is_asked_for_again() -> None:
    wire = Wire(password="right")
    wire.say("AUTH", "right")
    wire.say("RESET")
    wire.say("GET", TREE)

    assert wire.replies()[:2] == [b"OK", b"RESET"]
    assert (wire.machine.phase, len(wire.asked)) == (Phase.LOCKED, 0)


def test_hello_waits_for_the_answers_before_it() -> None:
    wire = Wire()

    wire.send(command("GET", TREE) + command("HELLO", "3") + command("GET", TREE))
    assert wire.replies() == []
    wire.answer(None)
    wire.answer(None)

    first, hello, last = wire.replies()
    assert isinstance(hello, dict)
    assert (first, last, wire.machine.version) == (None, None, 3)


def test_a_transaction_is_the_hubs_own() -> None:
    wire = Wire()
    wire.say("HELLO", "3")
    wire.say("SUBSCRIBE", MANAGED)
    wire.replies()

    wire.send(command("MULTI") + command("SET", "a", "1") + command("GET", TREE))
    wire.push(MANAGED)
    assert wire.replies() == [b"OK", b"QUEUED", b"QUEUED"]
    wire.say("EXEC")

    assert wire.replies() == [[b"OK", None], said(MANAGED)]
    assert len(wire.asked) == 0


@pytest.mark.parametrize("words", [("MONITOR",), ("CLIENT", "REPLY", "OFF")])
def test_where_replies_cannot_be_told_apart_agents_are_left_alone(words: tuple[str, ...]) -> None:
    wire = Wire()
    wire.say("SUBSCRIBE", MANAGED)

    wire.say(*words)
    wire.say("GET", TREE)

    assert (wire.joined, len(wire.asked), wire.machine.phase) == ([], 0, Phase.RAW)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"GET a\r\n", "expected '*', got 'G'"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*x\r\n", "invalid multibulk length"),
        (b"*" + b"1" * 40, "invalid multibulk length"),
        (b"*1\r\n$-5\r\n", "invalid bulk length"),
        (b"*1\r\n$99999999999\r\n", "invalid bulk length"),
        (b"*99999999\r\n", "invalid multibulk length"),
    ],
)
@pytest.mark.parametrize("password", ["", "right"])
def test_what_breaks_the_protocol_is_told_so_and_ends_the_connection(
    data: bytes, complaint: str, password: str
) -> None:
    wire = Wire(password=password)

    wire.send(command("PING") + data)

    first, last = wire.replies()
    assert isinstance(last, Failure)
    assert last.text.startswith("ERR Protocol error: ")
    assert complaint in last.text
    assert first == b"PONG" or password
    assert wire.closed is not None


def test_the_last_error_comes_after_the_answers_before_it() -> None:
    wire = Wire()

    wire.send(command("GET", TREE) + b"nonsense\r\n" + command("PING"))
    before = wire.replies()
    wire.answer(b"tree")

    tree, error = wire.replies()
    assert (before, tree, isinstance(error, Failure)) == ([], b"tree", True)
    assert wire.closed is not None


def test_a_redis_that_takes_nobody_is_passed_on_and_ends_the_connection() -> None:
    wire = Wire(is_held=True)

    wire.do(wire.machine.upstream_said(b"-ERR max number of clients reached\r\n"))

    assert wire.replies() == [Failure("ERR max number of clients reached")]
    assert wire.closed is not None


def test_a_redis_that_breaks_its_protocol_in_lock_step_ends_the_connection() -> None:
    wire = Wire(is_held=True)

    wire.do(wire.machine.upstream_said(b"?\r\n"))

    assert wire.closed is not None
    assert wire.machine.client_said(command("PING")) == []


def test_so_many_answers_are_waited_for_and_no_more() -> None:
    wire = Wire()

    wire.send(command("GET", TREE) * (SLOTS + 10))
    assert (len(wire.asked), wire.machine.wants_client) == (SLOTS, False)
    wire.answer(b"1")
    assert len(wire.asked) == SLOTS
    while wire.asked:
        wire.answer(b"1")

    assert wire.replies() == [b"1"] * (SLOTS + 10)
    assert wire.machine.wants_client


def test_what_comes_behind_an_answer_that_is_waited_for_is_bounded() -> None:
    wire = Wire()
    wire.say("SET", "a", "x" * 1000)
    wire.say("GET", TREE)

    for _ in range(HELD_BYTES // 1000 + 1):
        wire.say("GET", "a")
    wanted = [wire.machine.wants_upstream]
    wire.answer(b"tree")
    wanted.append(wire.machine.wants_upstream)

    assert wanted == [False, True]
    assert wire.replies()[1] == b"tree"


def test_a_side_that_goes_leaves_every_channel() -> None:
    wire = Wire()
    wire.say("SUBSCRIBE", MANAGED)

    wire.do(wire.machine.ended())

    assert wire.joined == []
    assert wire.machine.pushed(MANAGED.encode()) == []


@pytest.mark.parametrize("at", range(1, len(command("GET", TREE))))
def test_an_agents_key_is_known_however_its_command_is_cut(at: int) -> None:
    wire, whole = Wire(), command("GET", TREE)

    wire.send(command("PING") + whole[:at])
    wire.send(whole[at:] + command("PING"))
    wire.answer(b"tree")

    assert wire.replies() == [b"PONG", b"tree", b"PONG"]
