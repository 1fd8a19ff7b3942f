"""The store: versions, the window of changes, cursors into it, and lists of an earlier moment."""

import pytest

from argocd_agent.backends.embedded.store import Change, Ref, Store, within
from argocd_agent.errors import Gone
from argocd_agent.resources.objects import Metadata, Object, OwnerReference


def _object(name: str, content: bytes = b"1", namespace: str = "ns", owner: str = "") -> Object:
    owners = (OwnerReference(uid=owner),) if owner else None
    metadata = Metadata(name=name, namespace=namespace, uid=f"uid-{name}", owner_references=owners)
    return Object(metadata, {"spec": content})


def _store(window: int = 10, window_bytes: int = 2**20) -> Store:
    store = Store(window=window, window_bytes=window_bytes)
    store.open("widgets")
    store.open("gadgets")
    return store


def test_each_write_of_any_kind_raises_the_version() -> None:
    store = _store()

    versions = [store.put("widgets", _object("a")).version, store.put("gadgets", _object("a")).version]
    removed = store.remove(Ref("widgets", ("ns", "a")))

    assert [*versions, removed.version] == ["2", "3", "4"]
    assert store.version == 4


def test_a_cursor_gives_what_came_after_its_version() -> None:
    store = _store()
    first = store.put("widgets", _object("a"))
    store.put("gadgets", _object("g"))
    cursor = store.cursor("widgets", int(first.version))
    second = store.put("widgets", _object("a", b"2"))
    store.remove(Ref("widgets", ("ns", "a")))

    update, removal = cursor.take()

    assert update == Change(4, first, second)
    assert (removal.before, removal.is_removal, removal.after.version) == (second, True, "5")
    assert cursor.take() == []


def test_a_version_before_the_window_is_gone() -> None:
    store = _store(window=3)
    for number in range(5):
        store.put("widgets", _object(f"w{number}"))

    assert len(store.cursor("widgets", 3).take()) == 3
    with pytest.raises(Gone, match=r"too old resource version: 2 \(3\)"):
        store.cursor("widgets", 2)


def test_a_version_that_was_not_reached_yet_is_gone() -> None:
    with pytest.raises(Gone):
        _store().cursor("widgets", 2)


def test_a_quiet_kind_can_be_watched_from_long_ago() -> None:
    store = _store(window=2)
    for number in range(50):
        store.put("gadgets", _object(f"g{number}"))

    assert store.cursor("widgets", 1).take() == []


def test_a_cursor_that_fell_behind_is_gone_and_others_are_not() -> None:
    store = _store(window=3)
    slow, quick = store.cursor("widgets", 1), store.cursor("widgets", 1)
    for number in range(4):
        store.put("widgets", _object(f"w{number}"))
        assert len(quick.take()) == 1

    with pytest.raises(Gone, match="fell 4 changes behind, 3 are kept"):
        slow.take()


def test_the_window_is_bounded_in_bytes() -> None:
    store = _store(window=1000, window_bytes=10_000)
    for number in range(10):
        store.put("widgets", _object(f"w{number}", b"x" * 3000))

    assert len(store.buckets["widgets"].history) <= 3


def test_compaction_forgets_everything_that_was() -> None:
    store = _store()
    store.put("widgets", _object("a"))
    store.compact()

    with pytest.raises(Gone):
        store.cursor("widgets", 1)
    assert store.cursor("widgets", store.version).take() == []


def test_the_past_can_be_rebuilt_from_the_window() -> None:
    store = _store()
    a = store.put("widgets", _object("a"))
    b = store.put("widgets", _object("b"))
    moment = store.version
    store.put("widgets", _object("a", b"2"))
    store.remove(Ref("widgets", b.key))
    store.put("widgets", _object("c"))

    assert store.buckets["widgets"].at(moment) == {a.key: a, b.key: b}


def test_keys_are_sorted_and_cut_by_namespace() -> None:
    keys = sorted([("a", "z"), ("a-b", "a"), ("ab", "a"), ("a", "b")])

    assert within(keys, "a") == [("a", "b"), ("a", "z")]
    assert within(keys, None) == keys
    assert within(keys, "b") == []


def test_owners_and_dependants_are_known_by_uid() -> None:
    store = _store()
    store.put("widgets", _object("owner"))
    store.put("gadgets", _object("child", owner="uid-owner"))
    child = Ref("gadgets", ("ns", "child"))

    assert store.owners["uid-owner"] == Ref("widgets", ("ns", "owner"))
    assert store.dependants == {"uid-owner": {child}}
    store.remove(child)
    assert store.dependants == {}


def test_bells_ring_for_their_kind_and_idle_ones_once_for_any() -> None:
    store, rung = _store(), list[str]()
    store.buckets["widgets"].bells.add(lambda: rung.append("widgets"))
    store.idle.add(lambda: rung.append("idle"))

    store.put("gadgets", _object("a"))
    store.put("widgets", _object("a"))

    assert rung == ["idle", "widgets"]
