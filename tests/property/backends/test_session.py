"""Whatever a client sends, our own cache answers, and the same however the bytes are cut."""

from hypothesis import given
from hypothesis import strategies as st

from argocd_agent.backends.redis.commands import ROWS
from argocd_agent.backends.redis.memory import MemoryCache
from argocd_agent.backends.redis.session import Session
from argocd_agent.wire.resp import Replies, command

WORDS = st.binary(max_size=12) | st.sampled_from(
    [b"0", b"1", b"-1", b"a", b"EX", b"NX", b"MATCH", b"AUTH", b"3", b"\xff*["]
)
NAMES = st.sampled_from(sorted(ROWS)) | st.sampled_from(
    [
        b"hello",
        b"auth",
        b"multi",
        b"exec",
        b"discard",
        b"subscribe",
        b"unsubscribe",
        b"publish",
        b"client",
        b"pubsub",
        b"reset",
    ]
)
COMMANDS = st.lists(st.tuples(NAMES, st.lists(WORDS, max_size=5)), max_size=12)


def said_to(pieces: list[bytes]) -> bytes:
    """All that the cache says to *pieces*."""
    said = bytearray()
    session = Session(MemoryCache(clock=lambda: 0.0), said.extend, epoch=lambda: 0.0)
    for piece in pieces:
        said += session.feed(piece)
    session.close()
    return bytes(said)


@given(COMMANDS, st.integers(min_value=1, max_value=7))
def test_every_command_is_answered_and_answers_do_not_depend_on_how_it_came(
    commands: list[tuple[bytes, list[bytes]]], size: int
) -> None:
    data = b"".join(command(name, *words) for name, words in commands)

    whole = said_to([data])

    assert said_to([data[at : at + size] for at in range(0, len(data), size)]) == whole
    assert len(list(Replies().feed(whole))) >= len(commands)


@given(st.binary(max_size=200))
def test_any_bytes_are_answered_or_refused(data: bytes) -> None:
    list(Replies().feed(said_to([data])))
