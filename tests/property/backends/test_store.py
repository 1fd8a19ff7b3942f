"""Whatever is done to a store: it stays within its bytes, and what it says is what was written last and is not over."""

from hypothesis import given
from hypothesis import strategies as st

from argocd_agent.backends.redis.store import ENTRY_BYTES, Store

KEYS = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["set", "get", "delete", "expire"]),
        KEYS,
        st.binary(max_size=400),
        st.none() | st.integers(min_value=-2, max_value=10),
        st.integers(min_value=0, max_value=3),
    ),
    max_size=60,
)


@given(STEPS, st.integers(min_value=0, max_value=1500))
def test_a_store_keeps_its_promises(steps: list[tuple[str, bytes, bytes, int | None, int]], limit: int) -> None:
    store, model, now = Store(limit), dict[bytes, tuple[bytes, float]](), 0.0
    for what, key, value, ttl, later in steps:
        now += later
        until = None if ttl is None else now + ttl
        if what == "set":
            if store.set(key, value, now, expires_at=until):
                model[key] = (value, float("inf") if until is None else until)
                assert store.get(key, now) == (value if until is None or until > now else None)
            else:
                assert len(key) + len(value) + ENTRY_BYTES > limit
        elif what == "expire":
            if store.expire(key, now, until):
                model[key] = (model[key][0], float("inf") if until is None else until)
        elif what == "delete":
            store.delete(key, now)
            model.pop(key, None)
        found = store.get(key, now)
        if found is not None:  # it may have been pushed out, but never be wrong
            assert found == model[key][0]
            assert model[key][1] > now
        assert store.used_bytes <= limit
        assert store.used_bytes == sum(len(k) + len(e.value) + ENTRY_BYTES for k, e in store._entries.items())
