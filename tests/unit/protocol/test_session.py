"""States of a stream, and which of an agent's streams counts."""

import itertools

import pytest

from argocd_agent.errors import LocalProtocolError
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.session import TRANSITIONS, Decision, Input, State, Takeovers, step

AGENT, OTHER = AgentName("spoke-1"), AgentName("spoke-2")


def test_a_stream_goes_from_connecting_to_steady() -> None:
    state = State.CONNECTING
    seen = []
    for happened in (Input.AUTHENTICATED, Input.OPENED, Input.SETTLED, Input.DIFFERED, Input.SETTLED, Input.CLOSED):
        state = step(state, happened)
        seen.append(state)

    assert seen == ["authenticated", "resyncing", "steady", "resyncing", "steady", "closed"]


def test_what_the_table_does_not_list_is_our_bug() -> None:
    unlisted = [pair for pair in itertools.product(State, Input) if pair not in TRANSITIONS]

    assert len(unlisted) == len(State) * len(Input) - len(TRANSITIONS)
    for state, happened in unlisted:
        with pytest.raises(LocalProtocolError, match=f"stream that is {state}: expected .*closed.*{happened.value}"):
            step(state, happened)


@pytest.mark.parametrize("state", State)
def test_a_stream_can_close_at_any_time(state: State) -> None:
    assert step(state, Input.CLOSED) is State.CLOSED


def test_nothing_leads_out_of_closed() -> None:
    assert {after for (at, _), after in TRANSITIONS.items() if at is State.CLOSED} == {State.CLOSED}


def test_a_first_stream_is_accepted() -> None:
    assert Takeovers().joined(AGENT, "10.0.0.1:1", 0).decision is Decision.ACCEPT


@pytest.mark.feature("A-103", "C-69")
def test_a_new_stream_supersedes_the_open_one_under_a_new_epoch() -> None:
    takeovers = Takeovers()
    first = takeovers.joined(AGENT, "10.0.0.1:1", 0)

    second = takeovers.joined(AGENT, "10.0.0.1:2", 5)

    assert (second.decision, second.addresses) == (Decision.SUPERSEDE, ("10.0.0.1:1", "10.0.0.1:2"))
    assert second.epoch > first.epoch
    assert [takeovers.is_current(AGENT, takeover.epoch) for takeover in (first, second)] == [False, True]


@pytest.mark.feature("A-103", "C-69")
def test_a_second_takeover_within_a_minute_is_held_and_names_both_addresses() -> None:
    takeovers = Takeovers()
    for port in (1, 2):
        takeovers.joined(AGENT, f"10.0.0.{port}:1", 0)

    held = takeovers.joined(AGENT, "10.0.0.1:9", 59)

    assert held.decision is Decision.HOLD
    assert held.message == (
        "duplicate identity: agent spoke-1 is connected from 10.0.0.2:1 and again from 10.0.0.1:9;"
        " expected one agent of this name"
    )
    assert takeovers.is_current(AGENT, held.epoch)


def test_a_takeover_a_minute_after_the_last_supersedes() -> None:
    takeovers = Takeovers()
    for now in (0, 1):
        takeovers.joined(AGENT, "a", now)

    assert takeovers.joined(AGENT, "b", 61).decision is Decision.SUPERSEDE


def test_a_held_stream_does_not_put_off_the_next_takeover() -> None:
    takeovers = Takeovers()
    decisions = [takeovers.joined(AGENT, "a", now).decision for now in (0, 1, 50, 61)]

    assert decisions == [Decision.ACCEPT, Decision.SUPERSEDE, Decision.HOLD, Decision.SUPERSEDE]


def test_reconnecting_after_the_own_stream_ended_is_no_takeover_however_often() -> None:
    takeovers = Takeovers()
    decisions = []
    for now in range(5):
        takeover = takeovers.joined(AGENT, "a", now)
        decisions.append(takeover.decision)
        takeovers.left(AGENT, takeover.epoch)

    assert set(decisions) == {Decision.ACCEPT}


def test_the_end_of_a_superseded_stream_changes_nothing() -> None:
    takeovers = Takeovers()
    first = takeovers.joined(AGENT, "a", 0)
    second = takeovers.joined(AGENT, "b", 1)

    assert takeovers.left(AGENT, first.epoch) is False
    assert takeovers.is_current(AGENT, second.epoch)
    assert takeovers.left(AGENT) is True
    assert not takeovers.is_current(AGENT, second.epoch)


def test_agents_do_not_take_each_other_over() -> None:
    takeovers = Takeovers()

    assert [takeovers.joined(name, "a", 0).decision for name in (AGENT, OTHER)] == [Decision.ACCEPT] * 2


def test_an_agent_that_was_forgotten_does_not_get_an_epoch_twice() -> None:
    takeovers = Takeovers()
    before = takeovers.joined(AGENT, "a", 0).epoch
    takeovers.forget(AGENT)

    after = takeovers.joined(AGENT, "a", 1).epoch

    assert (after > before, takeovers.is_current(AGENT, before), takeovers.epoch(AGENT)) == (True, False, after)
