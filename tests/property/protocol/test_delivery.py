"""An outbox and an inbox over a link that loses, doubles and reorders: everything arrives, in order, once settled."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argocd_agent.protocol.digest import DigestTree, repairs
from argocd_agent.protocol.events import EventType
from tests.property.protocol.simulation import CALM_STEPS, ROUGH_STEPS, SOURCE_STEPS, Simulation, Thing
from tests.support.builders import an_event

Step = tuple[Callable[[Simulation, int], None], int]


def steps(*kinds: tuple[Callable[[Simulation, int], None], ...]) -> st.SearchStrategy[list[Step]]:
    """Sequences of 50 to 150 steps, each with a number that says what it concerns. Two bytes a step: drawn fast."""
    possible = [step for some in kinds for step in some]

    def script(drawn: bytes) -> list[Step]:
        return [
            (possible[kind % len(possible)], which % 8) for kind, which in zip(drawn[::2], drawn[1::2], strict=False)
        ]

    return st.binary(min_size=100, max_size=300).map(script)


def played(script: list[Step], window: int) -> Simulation:
    """The world after *script*, which begins with a stream."""
    world = Simulation(window)
    world.connect(0)
    for step, which in script:
        step(world, which)
    return world


windows = st.integers(1, 4)


@pytest.mark.feature("P-31", "P-35", "A-31")
@given(steps(SOURCE_STEPS, CALM_STEPS, CALM_STEPS, ROUGH_STEPS), windows)
@settings(max_examples=2000, deadline=None)
def test_once_acks_arrive_the_mirror_has_the_newest_state_of_every_key(script: list[Step], window: int) -> None:
    world = played(script, window)

    world.settle()

    assert world.mirror == world.source


@pytest.mark.feature("P-34", "A-25")
@given(steps(SOURCE_STEPS, CALM_STEPS, CALM_STEPS, ROUGH_STEPS), windows)
@settings(max_examples=2000, deadline=None)
def test_every_operation_on_an_object_that_lives_on_arrives_and_none_overtakes_another(
    script: list[Step], window: int
) -> None:
    world = played(script, window)

    world.settle()

    for name, asked in world.asked.items():
        first_times = list(dict.fromkeys(world.carried_out.get(name, ())))
        assert first_times == [operation for operation in asked if operation in first_times]
        alive = world.source.get(name, Thing(0, 0, 0)).uid
        assert {operation for operation in asked if operation[0] == alive} <= set(first_times)


@given(steps(SOURCE_STEPS, CALM_STEPS))
@settings(max_examples=150, deadline=None)
def test_on_a_stream_that_holds_nothing_is_processed_twice(script: list[Step]) -> None:
    world = played(script, window=4)

    world.settle()

    for operations in world.carried_out.values():
        assert len(operations) == len(set(operations))


@given(steps(SOURCE_STEPS, CALM_STEPS, ROUGH_STEPS, (Simulation.restart_source,)), windows)
@settings(max_examples=200, deadline=None)
def test_after_a_restart_of_the_source_comparing_digests_heals_what_was_forgotten(
    script: list[Step], window: int
) -> None:
    world = played(script, window)
    world.settle()

    found = repairs(tree_of(world.source).entries(range(256)), tree_of(world.mirror).entries(range(256)))
    for entry in found.extra:
        world.outbox.put(an_event(EventType.DELETE, name=entry.key, uid=entry.uid), world.now)
    world.settle()

    assert (found.missing, found.different) == ((), ())
    assert world.mirror == world.source


def tree_of(things: dict[str, Thing]) -> DigestTree:
    """What one end has, as a tree."""
    tree = DigestTree()
    for name, thing in things.items():
        tree.set(name, str(thing.uid), f"{thing.spec}/{thing.status}".encode())
    return tree
