"""Our own cache answers as Debian's Redis does, to whatever of its commands are sent in whatever order."""

import random
import socket
from collections.abc import Iterator

import pytest

from argocd_agent.backends.redis.memory import MemoryCache
from argocd_agent.backends.redis.session import Session
from argocd_agent.wire.resp import Failure, Push, Replies, command
from tests.support.redis import RealRedis, a_redis

ROUNDS, COMMANDS = 60, 60
KEYS = (b"a", b"b", b"c", b"app|x|1.8.3.gz")
CHANNELS = (b"one", b"two")
VALUES = (b"", b"1", b"x" * 300, b"\x00\r\n$1\r\n")
LONG = (b"1000", b"2000")


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRedis]:
    with a_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


def a_command(chance: random.Random) -> list[bytes]:
    """One command, right or wrong."""
    pick = chance.choice
    key, value, time = pick(KEYS), pick(VALUES), pick((*LONG, b"0", b"-1", b"x"))
    options = pick(
        ([], [b"EX", time], [b"px", pick(LONG)], [b"NX"], [b"xx"], [b"KEEPTTL"], [b"GET"], [b"NX", b"XX"], [b"?"])
    )
    commands: list[list[bytes]] = [
        [b"SET", key, value, *options],
        [b"get", key],
        [b"GET"],
        [b"MGET", key, pick(KEYS)],
        [b"SETEX", key, time, value],
        [b"PSETEX", key, pick(LONG), value],
        [b"SETNX", key, value],
        [b"DEL", key, pick(KEYS)],
        [b"UNLINK", key],
        [b"EXISTS", key, key],
        [b"EXPIRE", key, time],
        [b"PERSIST", key],
        [b"TTL", key],
        [b"TYPE", key],
        [b"ECHO", value],
        [b"PING"],
        [b"PING", value],
        [b"SELECT", b"0"],
        [b"DBSIZE"],
        [b"MULTI"],
        [b"EXEC"],
        [b"DISCARD"],
        [b"SUBSCRIBE", pick(CHANNELS), pick(CHANNELS)],
        [b"UNSUBSCRIBE", pick(CHANNELS)],
        [b"PUBLISH", pick(CHANNELS), value],
        [b"CLIENT", b"SETNAME", b"me"],
        [b"CLIENT", b"GETNAME"],
        [b"PING", b"1", b"2"],
        [b"EXPIRE", key, b"1000", b"?"],
        [b"FLUSHDB", pick((b"ASYNC", b"?"))],
        [b"SCAN", pick((b"0", b"x")), b"MATCH", pick((b"nothing", b"[a]*3.gz")), b"COUNT", pick((b"5", b"x"))],
        [b"NONSENSE", key],
        [b"AUTH", b"a", b"b", b"c"],
    ]
    return pick(commands)


def conversation(chance: random.Random) -> list[list[bytes]]:
    """Commands, without messages to oneself in a transaction: where those stand differs between versions of Redis."""
    commands, is_queued = [], False
    for _ in range(COMMANDS):
        words = a_command(chance)
        is_queued = words == [b"MULTI"] or (is_queued and words[0] not in (b"EXEC", b"DISCARD"))
        commands.append([b"PING"] if is_queued and words[0] == b"PUBLISH" else words)
    return commands


def shape(reply: object) -> object:
    """What of a reply must be the same: of an error its code, since we say more than Redis does."""
    if isinstance(reply, Failure):
        return f"error {reply.code}"
    if isinstance(reply, Push):
        return "push", reply.kind, [shape(part) for part in reply.parts]
    return [shape(one) for one in reply] if isinstance(reply, list) else reply


def real(redis: RealRedis, commands: list[list[bytes]]) -> list[object]:
    """The replies of the real one."""
    redis.say("flushall")
    found, replies = [], Replies()
    with socket.create_connection(("127.0.0.1", redis.port), timeout=10) as connected:
        connected.sendall(b"".join(command(*words) for words in commands) + command("QUIT"))
        while data := connected.recv(65536):
            found += list(replies.feed(data))
    return found


def ours(commands: list[list[bytes]]) -> list[object]:
    """The replies of our own."""
    said = bytearray()
    session = Session(MemoryCache(clock=lambda: 0.0), said.extend, epoch=lambda: 0.0)
    replies = session.feed(b"".join(command(*words) for words in commands) + command("QUIT"))
    return list(Replies().feed(bytes(said) + replies))


@pytest.mark.parametrize("version", [2, 3])
def test_random_conversations_are_the_same(redis: RealRedis, version: int) -> None:
    chance = random.Random(version)
    for _ in range(ROUNDS):
        commands = conversation(chance)
        if version == 3:
            commands = [[b"HELLO", b"3"], *commands]

        wanted, found = real(redis, commands), ours(commands)

        skipped = 1 if version == 3 else 0  # what HELLO says of itself
        assert [shape(one) for one in found[skipped:]] == [shape(one) for one in wanted[skipped:]], commands
