"""Turns: limits, and who comes next."""

import pytest

from argocd_agent.errors import LocalProtocolError
from argocd_agent.protocol.turns import Admission, Turns


def fill(turns: Turns[str], caller: str, count: int) -> list[Admission]:
    return [turns.ask(caller, f"{caller}{number}") for number in range(count)]


def test_as_many_go_as_there_are_places_and_the_next_wait() -> None:
    turns = Turns[str](at_once=2, per_caller=2, waiting=2)

    assert fill(turns, "a", 3) == [Admission.GO, Admission.GO, Admission.WAIT]


def test_one_caller_never_has_more_than_its_share() -> None:
    turns = Turns[str](at_once=4, per_caller=1, waiting=4)

    assert fill(turns, "a", 2) == [Admission.GO, Admission.WAIT]
    assert turns.ask("b", "b0") is Admission.GO


def test_callers_take_turns_whatever_number_each_has_waiting() -> None:
    turns = Turns[str](at_once=1, per_caller=1, waiting=100)
    fill(turns, "a", 4)
    fill(turns, "b", 2)
    order, going = list[str](), "a"

    while (following := turns.done(going)) is not None:
        order.append(following)
        going = following[0]

    assert order == ["a1", "b0", "a2", "b1", "a3"]


def test_one_caller_cannot_take_the_room_of_all() -> None:
    turns = Turns[str](at_once=1, per_caller=1, waiting=4)

    assert fill(turns, "a", 4)[-1] is Admission.CALLER_FULL
    assert fill(turns, "b", 2) == [Admission.WAIT, Admission.WAIT]
    assert turns.ask("c", "c0") is Admission.FULL


def test_where_nobody_may_wait_one_too_many_is_told_whose_fault_it_is() -> None:
    turns = Turns[str](at_once=2, per_caller=1, waiting=0)

    assert fill(turns, "a", 2) == [Admission.GO, Admission.CALLER_FULL]
    assert turns.ask("b", "b0") is Admission.GO
    assert turns.ask("c", "c0") is Admission.FULL


def test_who_leaves_is_passed_over() -> None:
    turns = Turns[str](at_once=1, per_caller=1, waiting=4)
    fill(turns, "a", 1)
    fill(turns, "b", 2)

    assert turns.leave("b", "b0")
    assert not turns.leave("b", "b0")
    assert turns.done("a") == "b1"
    assert turns.done("b") is None
    assert (turns.going, turns.waiting) == (0, 0)


def test_a_place_that_a_full_caller_cannot_take_goes_to_the_next() -> None:
    turns = Turns[str](at_once=2, per_caller=1, waiting=8)
    fill(turns, "a", 3)
    fill(turns, "b", 1)
    fill(turns, "c", 1)

    assert turns.done("b") == "c0"


def test_nobody_is_done_who_did_not_go() -> None:
    with pytest.raises(LocalProtocolError):
        Turns[str](1, 1, 1).done("a")
