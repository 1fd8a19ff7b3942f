"""Requests and their replies."""

import pytest

from argocd_agent.errors import LocalProtocolError
from argocd_agent.protocol.correlation import Correlation
from argocd_agent.protocol.events import AgentName

ONE, TWO = AgentName("one"), AgentName("two")


def test_a_reply_counts_once() -> None:
    requests = Correlation()
    requests.open("r1", ONE, 30)

    assert [requests.close("r1", ONE) for _ in range(2)] == [True, False]


def test_a_reply_from_another_agent_does_not_count() -> None:
    requests = Correlation()
    requests.open("r1", ONE, 30)

    assert (requests.close("r1", TWO), requests.close("r1", ONE)) == (False, True)


def test_requests_expire_in_the_order_of_their_deadlines() -> None:
    requests = Correlation()
    for uuid, deadline in (("late", 30), ("early", 10), ("later", 60), ("answered", 5)):
        requests.open(uuid, ONE, deadline)
    requests.close("answered", ONE)

    assert (requests.deadline(), requests.expired(30), requests.deadline()) == (10, ["early", "late"], 60)
    assert not requests.close("early", ONE)


def test_the_requests_to_an_agent_end_with_its_stream() -> None:
    requests = Correlation()
    for uuid, owner in (("r1", ONE), ("r2", TWO), ("r3", ONE)):
        requests.open(uuid, owner, 30)

    assert (requests.abandon(ONE), requests.abandon(ONE), len(requests)) == (["r1", "r3"], [], 1)
    assert requests.expired(100) == ["r2"]


def test_a_uuid_can_be_used_again_only_when_closed() -> None:
    requests = Correlation()
    requests.open("r1", ONE, 10)

    with pytest.raises(LocalProtocolError, match="r1 to two: expected a new uuid"):
        requests.open("r1", TWO, 20)
    requests.close("r1", ONE)
    requests.open("r1", TWO, 20)

    assert (requests.expired(10), requests.expired(20)) == ([], ["r1"])


def test_answered_requests_do_not_pile_up_until_their_deadlines() -> None:
    requests = Correlation()
    for number in range(10_000):
        requests.open(str(number), ONE, 1e9 + number)
        requests.close(str(number), ONE)

    assert len(requests._deadlines) < 200
