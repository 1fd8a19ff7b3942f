"""The small machines keep what their docstrings promise, whatever the order of events."""

import itertools
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argocd_agent.protocol.backoff import Backoff, Reconnect
from argocd_agent.protocol.correlation import Correlation
from argocd_agent.protocol.digest import DigestTree, bucket_of, differing, repairs
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.heartbeat import Heartbeat
from argocd_agent.protocol.inventory import Inventory, ResourceKey
from argocd_agent.protocol.session import TAKEOVER_SECONDS, Decision, Takeovers
from argocd_agent.protocol.throttle import Throttle

keys = st.sampled_from([f"application/ns/app-{number}" for number in range(6)])
states = st.tuples(st.sampled_from(["u1", "u2"]), st.binary(max_size=2))
trees = st.dictionaries(keys, states, max_size=6)
steps_of_time = st.integers(0, 40).map(float)  # whole seconds: sums are exact
fractions = st.floats(0, 1, exclude_max=True)


def tree_of(entries: dict[str, tuple[str, bytes]]) -> DigestTree:
    tree = DigestTree()
    for key, (uid, checksum) in entries.items():
        tree.set(key, uid, checksum)
    return tree


@given(st.lists(st.tuples(keys, st.none() | states), min_size=5, max_size=40))
@settings(max_examples=100, deadline=None)
def test_a_tree_kept_up_to_date_equals_one_built_anew(changes: list[tuple[str, tuple[str, bytes] | None]]) -> None:
    tree, entries = DigestTree(), dict[str, tuple[str, bytes]]()
    for key, state in changes:
        if state is None:
            tree.remove(key)
            entries.pop(key, None)
        else:
            tree.set(key, *state)
            entries[key] = state

    anew = tree_of(entries)

    assert (tree.buckets(), tree.root, len(tree)) == (anew.buckets(), anew.root, len(anew))


@given(trees, trees)
@settings(max_examples=150, deadline=None)
def test_repairing_makes_the_peer_equal_to_the_source(
    source: dict[str, tuple[str, bytes]], peer: dict[str, tuple[str, bytes]]
) -> None:
    own, theirs = tree_of(source), tree_of(peer)
    buckets = differing(own.buckets(), theirs.buckets())

    found = repairs(own.entries(buckets), theirs.entries(buckets), buckets)
    for entry in (*found.missing, *found.different):
        theirs.set(*entry)
    for entry in found.extra:
        theirs.remove(entry.key)

    assert theirs.root == own.root
    assert set(buckets) == {bucket_of(key) for key in source.keys() | peer.keys() if source.get(key) != peer.get(key)}


@given(st.permutations([ResourceKey("Application", "ns", f"app-{n}", f"u{n}") for n in range(5)]), st.integers(0, 4))
@settings(max_examples=50, deadline=None)
def test_the_checksum_of_an_inventory_depends_on_its_content_only(order: list[ResourceKey], gone: int) -> None:
    inventory = Inventory(order)
    inventory.discard(order[gone])

    assert inventory.agrees_with(Inventory(sorted(set(order) - {order[gone]})).checksum())
    assert not inventory.agrees_with(Inventory(order).checksum())


@pytest.mark.feature("A-70", "C-17")
@given(st.lists(st.tuples(keys, steps_of_time, st.booleans()), min_size=5, max_size=60), st.integers(1, 20))
@settings(max_examples=100, deadline=None)
def test_a_throttle_passes_one_update_per_key_and_interval_and_in_the_end_the_latest(
    updates: list[tuple[str, float, bool]], interval: float
) -> None:
    throttle: Throttle[int] = Throttle(interval)
    passed: dict[str, list[tuple[float, int]]] = defaultdict(list)
    latest: dict[str, int] = {}
    now = 0.0

    def let_pass(until: float) -> None:
        while (deadline := throttle.deadline()) is not None and deadline <= until:
            for key, value in throttle.due(deadline):
                passed[key].append((deadline, value))

    for number, (key, wait, is_reset) in enumerate(updates):
        now += wait
        let_pass(now)
        if is_reset:
            throttle.reset(key)
            passed.pop(key, None)
            latest.pop(key, None)
        else:
            latest[key] = number
            if throttle.update(key, number, now):
                passed[key].append((now, number))
    let_pass(now + 2 * interval)

    assert {key: values[-1][1] for key, values in passed.items()} == latest
    for values in passed.values():
        assert all(later[0] >= earlier[0] + interval for earlier, later in itertools.pairwise(values))
    assert (throttle.deadline(), len(throttle)) == (None, 0)


@pytest.mark.feature("A-103")
@given(st.lists(st.tuples(st.sampled_from(["join", "leave", "late leave"]), steps_of_time), min_size=5, max_size=60))
@settings(max_examples=100, deadline=None)
def test_one_stream_of_an_agent_counts_and_two_takeovers_are_a_minute_apart(script: list[tuple[str, float]]) -> None:
    takeovers, agent = Takeovers(), AgentName("spoke")
    epochs, current, taken_over, now = [0], 0, -TAKEOVER_SECONDS, 0.0
    for what, wait in script:
        now += wait
        if what == "join":
            answer = takeovers.joined(agent, f"address-{now}", now)
            is_second = current != 0 and now - taken_over < TAKEOVER_SECONDS
            assert (answer.decision is Decision.HOLD) == is_second
            assert (answer.decision is Decision.ACCEPT) == (current == 0)
            if answer.decision is Decision.HOLD:
                continue
            if answer.decision is Decision.SUPERSEDE:
                taken_over = now
            assert answer.epoch > max(epochs)
            current = answer.epoch
            epochs.append(current)
        elif what == "leave" and current:
            assert takeovers.left(agent, current)
            current = 0
        else:
            assert not takeovers.left(agent, epochs[-1] - 1)
        assert [takeovers.is_current(agent, epoch) for epoch in epochs[1:]] == [e == current for e in epochs[1:]]


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("ocxae"), st.integers(0, 50)), min_size=5, max_size=80))
@settings(max_examples=100, deadline=None)
def test_every_request_ends_once(script: list[tuple[int, str, int]]) -> None:
    requests, expected, now = Correlation(), dict[str, tuple[AgentName, int]](), 0
    for number, what, amount in script:
        uuid, owner = f"r{number}", AgentName(f"agent-{number % 2}")
        if what == "o" and uuid not in expected:
            requests.open(uuid, owner, now + amount)
            expected[uuid] = (owner, now + amount)
        elif what == "c":
            assert requests.close(uuid, owner) == (expected.pop(uuid, None) is not None)
        elif what == "x":
            assert requests.close(uuid, AgentName("somebody else")) is False
        elif what == "a":
            ended = [uuid for uuid, (other, _) in expected.items() if other == owner]
            assert sorted(requests.abandon(owner)) == sorted(ended)
            expected = {uuid: request for uuid, request in expected.items() if uuid not in ended}
        else:
            now += amount
            late = [uuid for uuid, (_, deadline) in expected.items() if deadline <= now]
            assert sorted(requests.expired(now)) == sorted(late)
            expected = {uuid: request for uuid, request in expected.items() if uuid not in late}
        assert len(requests) == len(expected)
        assert requests.deadline() == min((deadline for _, deadline in expected.values()), default=None)


@given(st.integers(1, 10_000), fractions, st.floats(0.1, 10), st.floats(1, 10), st.floats(10, 300), fractions)
@settings(max_examples=100, deadline=None)
def test_pauses_never_shrink_and_stay_within_ceiling_and_spread(
    attempt: int, jitter: float, first: float, factor: float, ceiling: float, spread: float
) -> None:
    backoff = Backoff(first, factor, ceiling, spread)

    assert min(first, ceiling) <= backoff.delay(attempt) <= backoff.delay(attempt, jitter) <= ceiling * (1 + spread)
    assert backoff.delay(attempt) <= backoff.delay(attempt + 1)


@pytest.mark.feature("A-17")
@given(st.floats(0, 1e5), fractions)
@settings(max_examples=100, deadline=None)
def test_reconnecting_waits_at_most_half_a_second_in_the_first_minute_and_thirty_after(
    down_seconds: float, jitter: float
) -> None:
    reconnect = Reconnect()
    reconnect.failed(0)

    assert 0 <= reconnect.delay(down_seconds, jitter) <= (0.5 if down_seconds <= 60 else 30)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.1, 15)), min_size=5, max_size=40))
@settings(max_examples=100, deadline=None)
def test_a_silent_peer_is_lost_at_the_timeout_and_a_heard_one_never_before(script: list[tuple[bool, float]]) -> None:
    beat, now, last_heard = Heartbeat(), 0.0, 0.0
    beat.sent(now)
    for is_heard, wait in script:
        now += wait
        assert beat.lost(now) == (now >= last_heard + beat.timeout)
        if is_heard:
            beat.heard(now)
            last_heard = now
        if beat.due(now):
            beat.sent(now)
        deadline = beat.deadline()
        assert deadline is not None
        assert deadline <= now + beat.interval
