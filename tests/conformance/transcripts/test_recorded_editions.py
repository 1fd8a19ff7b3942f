"""What the reference was seen to make of an object for the other side is what we make of it."""

from collections.abc import Iterator

from argocd_agent.codec import encode
from argocd_agent.protocol.events import AgentName, EventType, Target
from argocd_agent.protocol.names import ANNOTATION_LAST_UPDATED, ANNOTATION_SOURCE_UID
from argocd_agent.resources import appproject, autonomous
from argocd_agent.resources.checksum import canonical, spec_checksum
from argocd_agent.resources.identity import source_uid
from argocd_agent.resources.kinds import APPPROJECT
from argocd_agent.resources.objects import Object, decode_object
from argocd_agent.wire.payloads import RequestUpdate, decode
from tests.conformance.transcripts.records import events

MANAGED, AUTONOMOUS = AgentName("agent-managed"), AgentName("agent-autonomous")
HUB = "argocd-principal"


def sent(name: str, sender: str, target: Target) -> Iterator[Object]:
    """The objects of kind *target* that *sender* sent in conversation *name*, deletions apart."""
    for record in events(name):
        event = record.event
        if event.target is target and record.sender == sender and event.type != EventType.DELETE:
            yield decode_object(event.data)


def test_a_project_as_the_hub_may_hold_it_has_the_edition_that_the_reference_sent() -> None:
    editions = list(sent("managed", "principal", Target.APPPROJECT))

    assert {obj.name for obj in editions} == {"default", "team"}
    for edition in editions:
        here = edition.look("spec")
        on_hub = {
            **here,
            "destinations": [{"name": "other"}, {"name": "agent-*", "server": "*", "namespace": "*"}],
            "sourceNamespaces": ["agent-*"],
            "roles": [{"name": "dev"}],
        }
        project = edition.with_fields({"spec": encode(on_hub)})
        assert appproject.is_for_agent(project, MANAGED, by_destination=False)
        ours = appproject.agent_edition(project, MANAGED, by_destination=False)
        assert ours == edition.with_fields({"spec": canonical(here)})


def test_the_project_that_the_principal_holds_of_an_autonomous_agent_has_our_editions_checksum() -> None:
    requests = [
        decode(record.event.data, RequestUpdate)
        for record in events("autonomous")
        if record.sender == "principal" and record.event.type == EventType.REQUEST_UPDATE
    ]
    theirs = {(one.name, one.checksum) for one in requests if one.kind == APPPROJECT.name and one.checksum}
    ours = [appproject.hub_edition(obj, AUTONOMOUS, HUB) for obj in sent("autonomous", "agent", Target.APPPROJECT)]

    assert [name for name, _ in theirs] == ["agent-autonomous-mine"]  # with a role whose policy was translated
    assert theirs <= {(edition.name, spec_checksum(edition, APPPROJECT)) for edition in ours}


def test_a_mirror_that_the_principal_sent_back_is_the_one_that_we_would_hold() -> None:
    by_uid: dict[str, list[Object]] = {}
    for source in sent("autonomous", "agent", Target.APPLICATION):
        by_uid.setdefault(source.uid, []).append(source)
    mirrors = list(sent("autonomous", "principal", Target.APPLICATION))

    assert {obj.name for obj in mirrors} == {"solo", "solo2"}
    for theirs in mirrors:
        sources = by_uid[source_uid(theirs)]
        ours = [autonomous.mirror(autonomous.hub_edition(one, AUTONOMOUS, AUTONOMOUS), "now") for one in sources]
        # The newest that the principal had by then: an earlier one may be equal to it.
        (found,) = [one for one in ours if is_the_same(one, theirs)][-1:]
        assert found.key == theirs.key
        assert found.labels == theirs.labels
        assert found.annotations.keys() == theirs.annotations.keys() & {ANNOTATION_SOURCE_UID, ANNOTATION_LAST_UPDATED}


def is_the_same(ours: Object, theirs: Object) -> bool:
    return all(canonical(ours.look(field)) == canonical(theirs.look(field)) for field in ("spec", "status"))
