"""One verdict on whose copy an object is."""

import pytest

from argocd_agent.resources.identity import Verdict, compare, incoming_uid
from argocd_agent.resources.objects import Object
from tests.support.objects import a_mirror, an_application


@pytest.mark.feature("A-45", "A-46", "A-47")
@pytest.mark.parametrize(
    ("held", "uid", "principal", "verdict"),
    [
        (None, "uid-1", "hub-1", Verdict.ABSENT),
        (a_mirror(), "uid-1", "hub-1", Verdict.SAME),
        (a_mirror(), "uid-1", "", Verdict.SAME),
        (a_mirror(principal=""), "uid-1", "hub-1", Verdict.SAME),
        (a_mirror(), "uid-1", "hub-2", Verdict.MOVED),
        (a_mirror(), "uid-2", "hub-2", Verdict.MOVED),
        (a_mirror(principal=""), "uid-2", "hub-1", Verdict.MOVED),
        (a_mirror(), "", "hub-1", Verdict.WIPED),
        (a_mirror(), "uid-2", "hub-1", Verdict.REPLACED),
        (a_mirror(principal=""), "uid-2", "", Verdict.REPLACED),
        (an_application(), "uid-1", "hub-1", Verdict.UNCLAIMED),
    ],
)
def test_verdict_on_what_is_held(held: Object | None, uid: str, principal: str, verdict: Verdict) -> None:
    incoming = an_application(namespace="agent-1", uid=uid)

    assert compare(incoming, held, principal) is verdict


def test_a_replica_of_a_hub_names_the_first_source() -> None:
    assert incoming_uid(a_mirror(source="uid-of-the-first", uid="uid-of-the-replica")) == "uid-of-the-first"
