"""The tables of statuses, read as tables."""

import asyncio

import pytest
from grpc import StatusCode

from argocd_agent.errors import AuthenticationFailed, LocalProtocolError, PeerUnavailable, StreamClosed
from argocd_agent.transport.status import LOGIN, RECONNECTING, SUBSCRIBE, Status, Table, is_expected, status_of


@pytest.mark.feature("P-125")
def test_no_row_for_subscribe_has_a_code_that_a_go_agent_cannot_live_with() -> None:
    assert {row.code for row in SUBSCRIBE} <= RECONNECTING


@pytest.mark.parametrize("table", [LOGIN, SUBSCRIBE])
def test_every_table_has_an_answer_for_a_defect_that_tells_no_details(table: Table) -> None:
    status = status_of(ZeroDivisionError("secret"), table)

    assert status == Status(StatusCode.UNAVAILABLE, "internal error at the principal, see its log")


def test_of_a_group_the_error_whose_row_comes_first_counts() -> None:
    group = BaseExceptionGroup("tasks", [StreamClosed("gone"), ExceptionGroup("more", [AuthenticationFailed("no")])])

    status = status_of(group, SUBSCRIBE)

    assert status == Status(StatusCode.UNAUTHENTICATED, "invalid authentication data")


def test_the_reason_of_a_refused_login_stays_on_the_hub() -> None:
    status = status_of(AuthenticationFailed("certificate ABC is on the blocklist"), LOGIN)

    assert status == Status(StatusCode.UNAUTHENTICATED, "authentication failed")


def test_the_reason_of_an_unavailable_principal_travels() -> None:
    status = status_of(PeerUnavailable("not accepting connections in state standby"), SUBSCRIBE)

    assert status == Status(StatusCode.UNAVAILABLE, "not accepting connections in state standby")


def test_a_group_with_one_defect_in_it_is_not_expected() -> None:
    assert is_expected(ExceptionGroup("session", [StreamClosed("gone"), PeerUnavailable("later")]))
    assert is_expected(asyncio.CancelledError())
    assert not is_expected(ExceptionGroup("session", [StreamClosed("gone"), KeyError("bug")]))
    assert not is_expected(LocalProtocolError("bug"))
