"""When to send a heartbeat, and when to give the peer up."""

import pytest

from argocd_agent.protocol.capabilities import REFERENCE, Capability, PeerInfo
from argocd_agent.protocol.heartbeat import Heartbeat, heartbeat_for
from argocd_agent.protocol.modes import Role

OURS = PeerInfo(protocol=1, capabilities=frozenset(Capability))


@pytest.mark.feature("A-19", "C-63")
def test_the_first_heartbeat_is_due_at_once_and_the_next_after_the_interval() -> None:
    beat = Heartbeat()
    first = beat.due(100)
    beat.sent(100)

    assert (first, beat.due(109.9), beat.due(110), beat.deadline()) == (True, False, True, 110)


def test_a_peer_that_says_nothing_is_lost_after_the_timeout() -> None:
    beat = Heartbeat()
    for now in (0, 10, 20):
        beat.sent(now)

    assert [beat.lost(now) for now in (29.9, 30)] == [False, True]


def test_anything_heard_keeps_the_peer() -> None:
    beat = Heartbeat()
    beat.sent(0)
    beat.heard(25)

    assert (beat.lost(54), beat.lost(55)) == (False, True)


def test_the_deadline_is_the_loss_if_that_comes_first() -> None:
    beat = Heartbeat(interval=10, timeout=12)
    beat.heard(0)
    beat.sent(5)

    assert beat.deadline() == 12


def test_a_half_open_link_between_ours_is_noticed_within_thirty_seconds() -> None:
    beat = heartbeat_for(Role.AGENT, OURS)
    beat.sent(0)

    assert beat.lost(30)


def test_without_an_interval_nothing_is_sent_and_nobody_is_lost() -> None:
    beat = Heartbeat(interval=0)
    beat.heard(0)

    assert (beat.due(1e6), beat.lost(1e6), beat.deadline()) == (False, False, None)


def test_both_of_our_ends_send_heartbeats() -> None:
    beats = [heartbeat_for(role, OURS) for role in Role]

    assert [(beat.interval, beat.toward_reference) for beat in beats] == [(10, False)] * 2


@pytest.mark.feature("A-19")
def test_an_agent_pings_a_reference_principal_only_if_an_interval_is_set() -> None:
    unset, given = heartbeat_for(Role.AGENT, REFERENCE), heartbeat_for(Role.AGENT, REFERENCE, 20)

    assert (unset.is_on, given.is_on, given.toward_reference) == (False, True, True)
    assert (given.interval, given.timeout) == (20, 60)


def test_a_principal_never_sends_a_heartbeat_to_a_reference_agent() -> None:
    assert not heartbeat_for(Role.PRINCIPAL, REFERENCE, 20).is_on
