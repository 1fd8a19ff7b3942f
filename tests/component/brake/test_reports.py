"""Reports are written onto objects that others write too, and Events count the same news."""

from typing import Any

import pytest

from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.backends.ports import Scope
from argocd_agent.errors import Conflict, EventDeferred, EventRefused, Forbidden, Unavailable
from argocd_agent.peer.kubeevents import MAX_KNOWN, MAX_MESSAGE, QUIET_SECONDS, KubeEvents
from argocd_agent.peer.reports import CONFLICTS, DELETION_HELD, Reports
from argocd_agent.protocol.brake import HeldDeletion, How
from argocd_agent.protocol.names import ANNOTATION_REFUSED, CONDITION_DELETION_HELD
from argocd_agent.resources.kinds import (
    APPLICATION,
    APPLICATIONS,
    APPPROJECT,
    APPPROJECTS,
    CONFIGMAPS,
    EVENTS,
    NAMESPACES,
    Api,
    Kind,
)
from argocd_agent.resources.objects import Metadata, Object, new_object
from tests.support.objects import an_application
from tests.support.world import HOME, fresh

EPOCH = 1_800_000_000.0


class Contended:
    """A cluster whose updates fail with the errors given, and are counted."""

    def __init__(self, cluster: EmbeddedCluster, errors: list[Exception]) -> None:
        self.cluster, self.errors, self.updates = cluster, errors, 0

    async def update(self, api: Api, obj: Object, **more: Any) -> Object:
        self.updates += 1
        if self.errors and api is not EVENTS:
            raise self.errors.pop()
        return await self.cluster.update(api, obj, **more)

    def __getattr__(self, verb: str) -> Any:
        return getattr(self.cluster, verb)


class Clock:
    def __init__(self) -> None:
        self.now = EPOCH

    def __call__(self) -> float:
        return self.now


async def a_cluster(*errors: Exception) -> Contended:
    cluster = open_memory()
    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=HOME)))
    await cluster.create(APPLICATIONS, fresh(an_application()))
    metadata = Metadata(name="team", namespace=HOME)
    await cluster.create(APPPROJECTS, new_object(APPPROJECTS, metadata, spec={}))
    return Contended(cluster, list(errors))


async def events_of(cluster: Contended, namespace: str = HOME) -> list[dict[str, Any]]:
    page = await cluster.list(EVENTS, Scope(namespace), limit=2 * MAX_KNOWN)
    names = ("type", "reason", "message", "count", "involvedObject", "firstTimestamp", "lastTimestamp", "source")
    return [{name: one.look(name) for name in names} for one in page.items]


def a_held(kind: str = "Application", name: str = "guestbook") -> HeldDeletion:
    return HeldDeletion(kind, HOME, name, "u", How.DELETE, "2027-01-15T08:00:00Z")


@pytest.mark.parametrize(
    ("api", "kind", "name"), [(APPLICATIONS, APPLICATION, "guestbook"), (APPPROJECTS, APPPROJECT, "team")]
)
async def test_a_refusal_is_on_the_object_and_in_an_event_and_heals(api: Api, kind: Kind, name: str) -> None:
    cluster = await a_cluster(Conflict("changed"), Conflict("changed"))
    reports = Reports(cluster, KubeEvents(cluster, "argocd-agent", Clock()))

    await reports.refused(kind, HOME, name, "agent-1", "too large")
    refused = await cluster.get(api, HOME, name)
    await reports.refused(kind, HOME, name, "agent-1", "")
    healed = await cluster.get(api, HOME, name)

    assert b"too large" in refused.encode()
    assert b"too large" not in healed.encode()
    [event] = await events_of(cluster)
    assert event["message"] == f"Agent agent-1 cannot apply this {kind.name}: too large"
    assert (event["type"], event["reason"], event["involvedObject"]["uid"]) == ("Warning", "AgentRefused", refused.uid)


async def test_the_same_refusal_again_is_no_write() -> None:
    cluster = await a_cluster()
    reports = Reports(cluster, KubeEvents(cluster, "argocd-agent", Clock()))

    for _ in range(50):
        await reports.refused(APPPROJECT, HOME, "team", "agent-1", "too large")

    assert cluster.updates == 1
    assert [event["count"] for event in await events_of(cluster)] == [1]


async def test_a_refusal_of_what_is_gone_is_nothing() -> None:
    cluster = await a_cluster()

    await Reports(cluster, KubeEvents(cluster, "a", Clock())).refused(APPPROJECT, HOME, "no", "a", "m")

    assert await events_of(cluster) == []


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([Unavailable("later")], EventDeferred),
        ([Conflict("changed")] * CONFLICTS, EventDeferred),
        ([Forbidden("no")], EventRefused),
    ],
)
async def test_a_report_that_cannot_be_written_is_the_events_failure(
    errors: list[Exception], expected: type[Exception]
) -> None:
    cluster = await a_cluster(*errors)
    reports = Reports(cluster, KubeEvents(cluster, "a", Clock()))

    with pytest.raises(expected):
        await reports.refused(APPPROJECT, HOME, "team", "agent-1", "m")

    assert ANNOTATION_REFUSED not in (await cluster.get(APPPROJECTS, HOME, "team")).annotations


async def test_a_held_deletion_is_a_condition_on_an_application_only() -> None:
    cluster = await a_cluster()
    reports = Reports(cluster, KubeEvents(cluster, "a", Clock()))

    await reports.deletion_held(a_held(), True)
    await reports.deletion_held(a_held("AppProject", "team"), True)
    await reports.deletion_held(a_held(name="gone"), True)
    status = (await cluster.get(APPLICATIONS, HOME, "guestbook")).look("status")
    await reports.deletion_held(a_held(), False)

    assert status["conditions"] == [{"type": CONDITION_DELETION_HELD, "message": DELETION_HELD}]
    assert (await cluster.get(APPLICATIONS, HOME, "guestbook")).look("status") == {}
    assert cluster.updates == 2


async def test_a_condition_that_cannot_be_written_stops_nobody() -> None:
    cluster = await a_cluster(Unavailable("later"))

    await Reports(cluster, KubeEvents(cluster, "a", Clock())).deletion_held(a_held(), True)

    assert cluster.updates == 1


async def test_the_same_news_is_counted_and_written_once_a_minute() -> None:
    cluster, clock = await a_cluster(), Clock()
    events = KubeEvents(cluster, "argocd-agent", clock)
    team = await cluster.get(APPPROJECTS, HOME, "team")

    for _ in range(1000):
        await events.record(APPPROJECTS, team, "Odd", "it is odd")
    clock.now += QUIET_SECONDS
    await events.record(APPPROJECTS, team, "Odd", "it is odd")

    [event] = await events_of(cluster)
    assert (event["count"], cluster.updates) == (1001, 1)
    assert (event["firstTimestamp"], event["lastTimestamp"]) == ("2027-01-15T08:00:00Z", "2027-01-15T08:01:00Z")
    assert event["source"] == {"component": "argocd-agent"}


async def test_news_is_written_at_once_into_the_same_event() -> None:
    cluster, clock = await a_cluster(), Clock()
    events = KubeEvents(cluster, "argocd-agent", clock)
    team = await cluster.get(APPPROJECTS, HOME, "team")

    await events.record(APPPROJECTS, team, "Odd", "it is odd")
    await events.record(APPPROJECTS, team, "Odd", "it is very odd")
    await KubeEvents(cluster, "argocd-agent", clock).record(APPPROJECTS, team, "Odd", "after a restart")
    await events.record(APPPROJECTS, team, "Fine", "it is fine", is_warning=False)

    found = {event["reason"]: (event["type"], event["message"], event["count"]) for event in await events_of(cluster)}
    assert found == {"Odd": ("Warning", "after a restart", 3), "Fine": ("Normal", "it is fine", 1)}


async def test_an_event_about_an_object_of_the_cluster_lies_in_default() -> None:
    cluster = await a_cluster()
    namespace = await cluster.get(NAMESPACES, "", HOME)

    await KubeEvents(cluster, "a", Clock()).record(NAMESPACES, namespace, "Odd", "x" * (MAX_MESSAGE + 5))

    [event] = await events_of(cluster, "default")
    assert len(event["message"]) == MAX_MESSAGE
    assert "namespace" not in event["involvedObject"]


async def test_the_longest_name_makes_a_name_that_is_allowed() -> None:
    cluster = await a_cluster()
    long = new_object(CONFIGMAPS, Metadata(name="a" * 235 + "." + "b" * 17, namespace=HOME), data={})
    stored = await cluster.create(CONFIGMAPS, long)

    await KubeEvents(cluster, "a", Clock()).record(CONFIGMAPS, stored, "Odd", "odd")

    [event] = (await cluster.list(EVENTS, Scope(HOME))).items
    assert event.name.startswith("a" * 235 + ".")
    assert len(event.name) == 252


async def test_an_event_that_cannot_be_recorded_is_left_and_tried_with_the_next_news() -> None:
    cluster = await a_cluster()
    events = KubeEvents(cluster, "a", Clock())
    lost = new_object(CONFIGMAPS, Metadata(name="a", namespace="nowhere"), data={})

    await events.record(CONFIGMAPS, lost, "Odd", "odd")
    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name="nowhere")))
    await events.record(CONFIGMAPS, lost, "Odd", "odd")

    assert len(await events_of(cluster, "nowhere")) == 1


async def test_of_too_many_events_the_oldest_is_no_longer_remembered_but_still_counted() -> None:
    cluster = await a_cluster()
    events = KubeEvents(cluster, "a", Clock())
    team = await cluster.get(APPPROJECTS, HOME, "team")

    for number in range(MAX_KNOWN + 1):
        await events.record(APPPROJECTS, team, f"Odd{number}", "odd")
    await events.record(APPPROJECTS, team, "Odd0", "odd")

    counts = {event["reason"]: event["count"] for event in await events_of(cluster)}
    assert (counts["Odd0"], counts["Odd1"]) == (2, 1)
