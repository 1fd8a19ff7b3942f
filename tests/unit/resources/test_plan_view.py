"""What the hub does about its copies: word that comes while one is being deleted must not be lost with it."""

import pytest

from argocd_agent.errors import EventDeferred
from argocd_agent.protocol.events import EventType
from argocd_agent.resources.plan import Incoming
from argocd_agent.resources.plan_autonomous import Viewing, for_view
from tests.support.objects import a_mirror, an_application


@pytest.mark.parametrize("kind", [EventType.CREATE, EventType.SPEC_UPDATE])
def test_news_about_a_copy_that_is_being_deleted_waits_for_the_next_one(kind: EventType) -> None:
    viewing = Viewing(lambda edition: edition, lambda _, edition: edition)

    with pytest.raises(EventDeferred):
        for_view("Application", Incoming(kind, an_application()), a_mirror(deleting=True), viewing)
