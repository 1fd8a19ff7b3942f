"""The checksums that the reference was seen to send are those that we compute from the objects it sent."""

from collections.abc import Iterator

import pytest

from argocd_agent.protocol.events import EventType, Target
from argocd_agent.resources.checksum import spec_checksum
from argocd_agent.resources.kinds import APPLICATION, APPPROJECTS, CONFIGMAPS, SECRETS, Kind
from argocd_agent.resources.objects import decode_object
from argocd_agent.wire.payloads import RequestUpdate, decode
from tests.conformance.transcripts.records import NAMES, events

KINDS = {
    kind.target: kind
    for kind in (
        APPLICATION,
        Kind("AppProject", Target.APPPROJECT, APPPROJECTS, compared=("spec",)),
        Kind("Repository", Target.REPOSITORY, SECRETS, compared=("data",)),
        Kind("GPGKey", Target.GPGKEY, CONFIGMAPS, compared=("data",)),
    )
}
# The autonomous agent's own project, of which the principal holds a copy that it has rewritten and never sends.
NEVER_SENT = {"agent-autonomous-mine"}


def computed(name: str) -> set[tuple[str, bytes]]:
    """Kind and checksum of every object in conversation *name*."""
    found = set()
    for record in events(name):
        kind = KINDS.get(record.event.target)
        if kind is not None and record.event.type != EventType.ERROR:
            found.add((kind.name, spec_checksum(decode_object(record.event.data), kind)))
    return found


def requested(name: str) -> Iterator[RequestUpdate]:
    for record in events(name):
        if record.event.type == EventType.REQUEST_UPDATE:
            yield decode(record.event.data, RequestUpdate)


@pytest.mark.feature("A-73")
@pytest.mark.parametrize(
    ("name", "kinds"), [("managed", {"Application", "AppProject", "Repository"}), ("autonomous", {"Application"})]
)
def test_every_recorded_spec_checksum_of_a_recorded_object_is_ours_too(name: str, kinds: set[str]) -> None:
    ours = computed(name)
    theirs = [update for update in requested(name) if update.checksum and update.name not in NEVER_SENT]

    assert {update.kind for update in theirs} == kinds
    assert [update for update in theirs if (update.kind, update.checksum) not in ours] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_resource_that_the_peer_does_not_have_is_asked_for_without_uid_and_checksum(name: str) -> None:
    unknown = [update for update in requested(name) if not update.uid]

    assert unknown
    assert all(update.checksum is None for update in unknown)
