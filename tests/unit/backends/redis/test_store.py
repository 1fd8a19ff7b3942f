"""Values in bounded memory: what goes when something must go."""

from argocd_agent.backends.redis.store import ENTRY_BYTES, Channels, Store

ROOM = ENTRY_BYTES + 11  # a key of one byte and a value of ten


def test_what_was_used_longest_ago_goes_first() -> None:
    store = Store(3 * ROOM)
    for key in (b"a", b"b", b"c"):
        store.set(key, b"x" * 10, 0)
    store.get(b"a", 0)

    store.set(b"d", b"x" * 10, 0)

    assert (store.keys(0), store.evicted) == ([b"c", b"a", b"d"], 1)


def test_what_has_expired_goes_before_what_is_alive() -> None:
    store = Store(2 * ROOM)
    store.set(b"a", b"x" * 10, 0)
    store.set(b"b", b"x" * 10, 0, expires_at=5)

    store.set(b"c", b"x" * 10, 6)

    assert (store.keys(6), store.evicted) == ([b"a", b"c"], 0)


def test_a_value_larger_than_everything_is_not_taken_and_costs_nobody_else() -> None:
    store = Store(ROOM)
    store.set(b"a", b"x" * 10, 0)

    assert not store.set(b"b", b"x" * 11, 0)
    assert store.get(b"a", 0) == b"x" * 10


def test_time_left_is_counted_and_can_be_changed() -> None:
    store = Store(10 * ROOM)
    store.set(b"a", b"", 0, expires_at=10)
    store.set(b"b", b"", 0)
    assert (store.remaining(b"a", 4), store.remaining(b"b", 4), store.remaining(b"c", 4)) == (6, float("inf"), None)

    assert store.expire(b"a", 4, None)
    assert not store.expire(b"c", 4, 5)

    assert store.get(b"a", 11) == b""


def test_deleting_says_whether_there_was_something() -> None:
    store = Store(10 * ROOM)
    store.set(b"a", b"", 0, expires_at=1)

    assert not store.delete(b"a", 2)
    store.set(b"a", b"", 2)
    assert store.delete(b"a", 2)
    assert (len(store), store.used_bytes) == (0, 0)


def test_overwriting_for_ever_does_not_grow() -> None:
    store = Store(10 * ROOM)
    for number in range(10_000):
        store.set(b"a", b"", number, expires_at=1_000_000 + number)

    assert len(store._expiries) < 100


def test_who_listens_hears_until_they_leave() -> None:
    channels, heard = Channels(), list[bytes]()
    channels.join(b"c", heard.append)

    assert (channels.publish(b"c", b"1"), channels.publish(b"d", b"2")) == (1, 0)
    channels.leave(b"c", heard.append)

    assert (channels.publish(b"c", b"3"), heard) == (0, [b"1"])
