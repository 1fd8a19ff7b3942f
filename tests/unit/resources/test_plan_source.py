"""What the principal does about what a managed agent sends."""

import pytest

from argocd_agent.errors import EventDiscarded, EventRefused
from argocd_agent.protocol.events import EventType
from argocd_agent.protocol.names import ANNOTATION_REFRESH, CONDITION_REFUSED
from argocd_agent.resources.objects import Object
from argocd_agent.resources.plan import Action, Incoming, LetGo, Nothing, Update, for_source
from tests.support.objects import an_application

SYNCED = {"sync": {"status": "Synced"}}


def planned(kind: str, incoming: Object, held: Object | None, *, keep_operation: bool = False) -> Action:
    return for_source(Incoming(kind, incoming), held, keep_operation=keep_operation)


@pytest.mark.feature("P-56")
def test_a_status_replaces_the_status_and_nothing_else() -> None:
    held = an_application(labels={"x": "y"}, annotations={"team": "a"}, status={"sync": {"status": "OutOfSync"}})

    action = planned(EventType.STATUS_UPDATE, an_application(path="other", status=SYNCED), held)

    assert action == Update(
        an_application(labels={"x": "y"}, annotations={"team": "a"}, status=SYNCED),
    )


def test_a_known_status_is_nothing() -> None:
    held = an_application(status=SYNCED)

    assert isinstance(planned(EventType.STATUS_UPDATE, an_application(status=SYNCED), held), Nothing)


@pytest.mark.feature("P-56")
def test_an_operation_that_the_spoke_has_taken_goes() -> None:
    held = an_application(operation={"sync": {}}, status=SYNCED)

    action = planned(EventType.STATUS_UPDATE, an_application(status=SYNCED), held)

    assert action == Update(an_application(status=SYNCED))


def test_an_operation_that_began_on_the_spoke_does_not_come_to_the_hub() -> None:
    incoming = an_application(status=SYNCED, operation={"sync": {}})

    assert planned(EventType.STATUS_UPDATE, incoming, an_application()) == Update(an_application(status=SYNCED))


def test_an_operation_that_the_spoke_still_has_stays() -> None:
    held = an_application(operation={"sync": {}}, status=SYNCED)

    action = planned(EventType.STATUS_UPDATE, an_application(status=SYNCED, operation={"sync": {}}), held)

    assert isinstance(action, Nothing)


def test_an_operation_that_has_not_reached_the_spoke_stays() -> None:
    held = an_application(operation={"sync": {}}, status=SYNCED)

    action = planned(EventType.STATUS_UPDATE, an_application(status=SYNCED), held, keep_operation=True)

    assert isinstance(action, Nothing)


@pytest.mark.feature("P-57")
def test_a_refresh_that_the_spoke_has_done_goes() -> None:
    held = an_application(annotations={ANNOTATION_REFRESH: "normal", "team": "a"}, status=SYNCED)

    action = planned(EventType.STATUS_UPDATE, an_application(status=SYNCED), held)

    assert action == Update(an_application(annotations={"team": "a"}, status=SYNCED))


def test_a_refusal_shown_on_the_hub_survives_a_status() -> None:
    refusal = {"type": CONDITION_REFUSED, "message": "m"}
    held = an_application(status={"conditions": [refusal]})

    action = planned(EventType.STATUS_UPDATE, an_application(status=SYNCED), held)

    assert isinstance(action, Update)
    assert action.object.look("status") == {**SYNCED, "conditions": [refusal]}


def test_a_known_status_beside_a_refusal_is_nothing() -> None:
    held = an_application(status={**SYNCED, "conditions": [{"type": CONDITION_REFUSED, "message": "m"}]})

    assert isinstance(planned(EventType.STATUS_UPDATE, an_application(status=SYNCED), held), Nothing)


def test_a_status_of_what_is_not_on_the_hub_is_refused() -> None:
    with pytest.raises(EventRefused, match="guestbook, which is not on the hub"):
        planned(EventType.STATUS_UPDATE, an_application(status=SYNCED), None)


@pytest.mark.feature("P-62")
def test_the_end_of_a_mirror_lets_a_dying_source_go() -> None:
    held = an_application(finalizers=("f/g",), deleting=True)

    assert planned(EventType.DELETE, an_application(), held) == LetGo(held)


@pytest.mark.feature("P-63")
@pytest.mark.parametrize("held", [None, an_application()])
def test_the_end_of_a_mirror_deletes_nothing_that_lives(held: Object | None) -> None:
    assert isinstance(planned(EventType.DELETE, an_application(), held), Nothing)


@pytest.mark.feature("P-61", "C-60")
def test_an_agent_may_not_create_on_the_hub() -> None:
    with pytest.raises(EventDiscarded, match="may not create"):
        planned(EventType.CREATE, an_application(), None)


@pytest.mark.feature("P-61", "C-60")
def test_an_agent_may_not_change_a_specification() -> None:
    with pytest.raises(EventRefused, match="may not send"):
        planned(EventType.SPEC_UPDATE, an_application(), an_application())
