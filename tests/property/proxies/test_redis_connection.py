"""However bytes are cut, whenever agents answer and speak: every reply is in its place, and whole."""

from hypothesis import given, settings
from hypothesis import strategies as st

from argocd_agent.wire.resp import Failure, Push
from tests.support.rediswire import MANAGED, TREE, Wire

VALUES = st.binary(max_size=40) | st.sampled_from(
    [b"$32\r\ntoken-", b"*2\r\n$4\r\npong", b"\r\n", b"*2\r\n$4\r\npong\r\n"]
)
STEPS = st.lists(
    st.tuples(st.just("set"), VALUES)
    | st.tuples(
        st.sampled_from(["get", "tree", "answer", "push", "subscribe", "unsubscribe", "hello", "flow"]), st.just(b"")
    ),
    max_size=30,
)


@settings(deadline=None)
@given(STEPS, st.lists(st.integers(min_value=1, max_value=60), min_size=1, max_size=20), st.booleans(), st.booleans())
def test_replies_keep_their_places(
    steps: list[tuple[str, bytes]], cuts: list[int], is_held: bool, begins_with_3: bool
) -> None:
    turns = iter(range(10**9))
    wire = Wire(cut=lambda size: min(size, cuts[next(turns) % len(cuts)]), is_held=is_held)
    if begins_with_3:
        wire.say("HELLO", "3")
    held, wanted, trees = None, list[object](), 0
    version = 3 if begins_with_3 else 2
    for what, value in steps:
        if what == "set":
            wire.say("SET", "a", value)
            held = value
            wanted.append(b"OK")
        elif what == "get":
            wire.say("GET", "a")
            wanted.append(held)
        elif what == "tree":
            trees += 1
            wire.say("GET", TREE)
            wanted.append(f"tree {trees}".encode())
        elif what == "hello":
            wire.say("HELLO", "3")
            version = 3
            wanted.append("hello")
        elif what in ("subscribe", "unsubscribe") and version == 3:
            wire.say(what, MANAGED)
        elif what == "answer":
            answer(wire)
        elif what == "push":
            wire.push(MANAGED)
        elif what == "flow":
            wire.flow()
    wire.flow()
    while wire.asked:
        answer(wire)
        wire.flow()

    found = [one for one in wire.replies() if not isinstance(one, Push)]
    got = ["hello" if isinstance(one, dict) else one for one in found]
    assert not [one for one in got if isinstance(one, Failure)]
    assert got == (["hello"] if begins_with_3 else []) + wanted
    assert wire.closed is None


def answer(wire: Wire) -> None:
    """The agent answers what was asked last, which is the least convenient."""
    if wire.asked:
        asked = wire.asked.pop()
        wire.do(wire.machine.answered(asked.number, f"tree {asked.number}".encode()))
