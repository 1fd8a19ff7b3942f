"""A managed agent that is broken or malicious reaches nothing on the hub that is not its own."""

import base64

import pytest

from argocd_agent.codec import encode
from argocd_agent.errors import EventRefused
from argocd_agent.protocol.events import AgentName, Event, EventType, Target
from argocd_agent.protocol.names import (
    ANNOTATION_LAST_APPLIED,
    LABEL_SECRET_TYPE,
    SECRET_TYPE_REPOSITORY,
)
from argocd_agent.resources.kinds import APPLICATIONS, APPPROJECTS, SECRETS
from argocd_agent.resources.objects import Metadata, Object, new_object
from argocd_agent.wire.payloads import Refusal, RequestUpdate
from tests.support.objects import a_project, an_application
from tests.support.world import HOME, Side, World, a_world, passing

NAME = AgentName("agent-1")


def says_refused(world: World, target: Target, name: str, namespace: str = HOME) -> Event:
    assert world.hub is not None
    agent = world.hub.agents.get(NAME)
    assert agent is not None
    payload = Refusal(target=target.value, namespace=namespace, name=name, reason="Refused", message="ha")
    return agent.link.message(target, EventType.REFUSED, payload)


async def handled(world: World, event: Event) -> None:
    assert world.hub is not None
    agent = world.hub.agents.get(NAME)
    assert agent is not None
    await world.hub.inbound.handle(agent, event)


def a_secret(name: str, labels: dict[str, str] | None = None, **data: str) -> Object:
    values = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return new_object(SECRETS, Metadata(name=name, namespace=HOME, labels=labels), data=values)


@pytest.mark.feature("C-60")
async def test_a_report_about_what_it_was_not_given_marks_nothing() -> None:
    async with a_world() as world:
        secret = await world.hub_cluster.create(SECRETS, a_secret("argocd-secret"))
        others = {"destinations": [{"name": "other"}], "sourceNamespaces": ["other"]}
        project = await world.hub_home(APPPROJECTS).create(a_project(spec=others))
        await passing(0.5)

        for target, name in ((Target.REPOSITORY, "argocd-secret"), (Target.APPPROJECT, "team")):
            with pytest.raises(EventRefused):
                await handled(world, says_refused(world, target, name))

        assert await world.hub_cluster.get(SECRETS, HOME, "argocd-secret") == secret
        assert await world.hub_home(APPPROJECTS).expect("team") == project


@pytest.mark.feature("C-60")
async def test_a_report_about_an_application_that_takes_no_part_marks_nothing() -> None:
    async with a_world("agent-1", "private", principal={"destination_based_mapping": True}) as world:
        hidden = await Side(world.hub_cluster, "private").create(an_application())
        await passing(0.5)

        with pytest.raises(EventRefused):
            await handled(world, says_refused(world, Target.APPLICATION, "guestbook", "private"))

        assert await world.hub_cluster.get(APPLICATIONS, "private", "guestbook") == hidden


@pytest.mark.feature("C-60")
async def test_asking_for_anothers_repository_tells_nothing_of_it() -> None:
    async with a_world() as world:
        assert world.hub is not None
        others = {"destinations": [{"name": "other"}], "sourceNamespaces": ["other"]}
        await world.hub_home(APPPROJECTS).create(a_project(spec=others))
        secret = a_secret("repo", {LABEL_SECRET_TYPE: SECRET_TYPE_REPOSITORY}, project="team", password="hunter2")
        annotations = {ANNOTATION_LAST_APPLIED: encode(secret.look("data")).decode()}
        await world.hub_cluster.create(SECRETS, secret.with_metadata(annotations=annotations))
        await passing(0.5)
        agent = world.hub.agents.get(NAME)
        assert agent is not None
        await world.cut()

        payload = RequestUpdate(name="repo", namespace=HOME, uid="guessed", kind="Repository")
        await handled(world, agent.link.message(Target.RESYNC, EventType.REQUEST_UPDATE, payload))

        agent.link.outbox.connected(0.0, window=16)
        told = agent.link.outbox.take(0.0, lambda: 0.0, "")
        assert [event.type for event in told] == [EventType.DELETE]
        assert ANNOTATION_LAST_APPLIED.encode() not in told[0].data
