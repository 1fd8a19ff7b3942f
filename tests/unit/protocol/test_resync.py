"""Who lists, who compares, who asks after a connect."""

import itertools

import pytest

from argocd_agent.errors import EventDiscarded, EventRefused
from argocd_agent.protocol.capabilities import REFERENCE, Capability, PeerInfo
from argocd_agent.protocol.events import EventType
from argocd_agent.protocol.inventory import Inventory, ResourceKey
from argocd_agent.protocol.modes import Mode, Role
from argocd_agent.protocol.resync import (
    Held,
    Opening,
    Owned,
    Reply,
    Surroundings,
    SyncedResource,
    UpdateRequest,
    answer_list_request,
    answer_resync_request,
    answer_synced_resource,
    answer_update_request,
    check,
    openings,
    place_of_synced,
    place_of_update,
)

OURS = PeerInfo(protocol=1, capabilities=frozenset(Capability))
SPOKE = Surroundings(Role.AGENT, "spoke-1", home="argocd", peer_home="spoke-1")
HUB = Surroundings(Role.PRINCIPAL, "spoke-1", home="argocd-hub", peer_home="argocd")
HELD = Held("Application", "argocd", "guestbook", "u1", b"sum")


@pytest.mark.feature("P-82", "A-73")
@pytest.mark.parametrize(
    ("role", "mode", "is_first", "sent"),
    [
        (Role.AGENT, Mode.MANAGED, True, [Opening.LIST_REQUEST, Opening.UPDATE_REQUESTS]),
        (Role.AGENT, Mode.MANAGED, False, []),
        (Role.AGENT, Mode.AUTONOMOUS, True, [Opening.RESYNC_REQUEST]),
        (Role.AGENT, Mode.AUTONOMOUS, False, []),
        (Role.PRINCIPAL, Mode.MANAGED, True, [Opening.STATE_PUSH, Opening.RESYNC_REQUEST]),
        (Role.PRINCIPAL, Mode.MANAGED, False, [Opening.STATE_PUSH]),
        (Role.PRINCIPAL, Mode.AUTONOMOUS, True, [Opening.UPDATE_REQUESTS, Opening.LIST_REQUEST]),
        (Role.PRINCIPAL, Mode.AUTONOMOUS, False, []),
    ],
)
def test_toward_the_reference_its_messages_are_sent(
    role: Role, mode: Mode, is_first: bool, sent: list[Opening]
) -> None:
    assert list(openings(role, mode, is_first, REFERENCE)) == sent


@pytest.mark.parametrize("mode", Mode)
def test_between_ours_each_tree_is_announced_by_one_end_on_every_connect(mode: Mode) -> None:
    for is_first in (True, False):
        announced = [opening for role in Role for opening in openings(role, mode, is_first, OURS)]

        assert len(announced) == len(set(announced)) == (2 if mode is Mode.MANAGED else 1)


def test_statuses_are_announced_by_the_agent() -> None:
    assert Opening.STATUS_DIGEST in openings(Role.AGENT, Mode.MANAGED, False, OURS)
    # An autonomous agent is the source of both: they are one tree.
    assert openings(Role.AGENT, Mode.AUTONOMOUS, False, OURS) == (Opening.SPEC_DIGEST,)


def test_each_message_is_for_one_end_in_each_mode() -> None:
    for_source = {EventType.REQUEST_SYNCED_RESOURCE_LIST, EventType.REQUEST_UPDATE}
    for_peer = {EventType.RESPONSE_SYNCED_RESOURCE, EventType.REQUEST_RESOURCE_RESYNC}
    sources = {(Role.PRINCIPAL, Mode.MANAGED), (Role.AGENT, Mode.AUTONOMOUS)}
    accepted = set()
    for message, role, mode in itertools.product(for_source | for_peer, Role, Mode):
        try:
            check(message, role, mode)
        except EventRefused:
            continue
        accepted.add((message, role, mode))

    assert accepted == {
        (message, role, mode)
        for message, role, mode in itertools.product(for_source | for_peer, Role, Mode)
        if (message in for_source) == ((role, mode) in sources)
    }


def test_what_is_no_resync_message_is_refused() -> None:
    with pytest.raises(EventRefused, match="expected one of its four messages, found type"):
        check(EventType.CREATE, Role.AGENT, Mode.MANAGED)


@pytest.mark.feature("P-84")
def test_a_list_is_given_to_a_peer_that_has_another_one() -> None:
    own = Inventory([ResourceKey("Application", "spoke-1", "guestbook", "u1")])

    assert answer_list_request(own, None) == (SyncedResource("Application", "spoke-1", "guestbook", "u1"),)
    assert answer_list_request(own, own.checksum()) == ()
    assert answer_list_request(Inventory(), b"something") == ()


@pytest.mark.feature("A-75")
def test_a_peer_asks_about_what_it_holds_and_about_what_it_lacks() -> None:
    message = SyncedResource("Application", "spoke-1", "guestbook", "u1")

    assert answer_synced_resource(message, HELD, SPOKE) == UpdateRequest(
        "Application", "argocd", "guestbook", "u1", b"sum"
    )
    assert answer_synced_resource(message, None, SPOKE) == UpdateRequest("Application", "spoke-1", "guestbook")


def test_on_the_hub_a_missing_resource_is_asked_for_in_the_agents_namespace() -> None:
    message = SyncedResource("AppProject", "argocd", "mine", "u1")

    assert answer_synced_resource(message, None, HUB) == UpdateRequest("AppProject", "spoke-1", "mine")


@pytest.mark.feature("A-66")
def test_an_object_that_no_source_has_claimed_is_discarded_or_ignored() -> None:
    message = SyncedResource("Application", "spoke-1", "guestbook", "u1")
    unclaimed = Held("Application", "argocd", "guestbook", "", b"sum")

    with pytest.raises(EventDiscarded, match="Application argocd/guestbook: expected a source UID, found none"):
        answer_synced_resource(message, unclaimed, SPOKE)
    assert answer_synced_resource(message, unclaimed, SPOKE, ignore_unmanaged=True) is None


@pytest.mark.feature("A-76")
def test_after_the_source_has_restarted_the_peer_asks_about_all_that_a_source_has_claimed() -> None:
    unclaimed = Held("AppProject", "argocd", "default", "", b"sum")
    remapped = Held("Application", "argocd", "two", "u2", b"sum", is_remapped=True)

    assert answer_resync_request([HELD, unclaimed, remapped], SPOKE) == (
        UpdateRequest("Application", "argocd", "guestbook", "u1", b"sum"),
        UpdateRequest("Application", "spoke-1", "two", "u2", b"sum"),
    )


@pytest.mark.feature("P-85")
@pytest.mark.parametrize(
    ("owned", "reply"),
    [
        (None, Reply.DELETE_STUB),
        (Owned("u1", b"sum", is_for_agent=False), Reply.DELETE),
        (Owned("u1", b"sum"), Reply.NOTHING),
        (Owned("u1", b"other"), Reply.UPDATE),
        (Owned("u1", None), Reply.UPDATE),
        (Owned("made anew", b"sum"), Reply.UPDATE),
    ],
)
def test_the_source_answers_a_question(owned: Owned | None, reply: Reply) -> None:
    message = UpdateRequest("Application", "argocd", "guestbook", "u1", b"sum")

    assert answer_update_request(message, owned) is reply


def test_a_peer_that_lacks_the_object_is_sent_it() -> None:
    assert answer_update_request(UpdateRequest("Application", "ns", "a"), Owned("u1", None)) is Reply.UPDATE


MAPPED_SPOKE = Surroundings(Role.AGENT, "spoke-1", home="argocd", peer_home="argocd-hub", destination_mapping=True)


@pytest.mark.parametrize(
    ("kind", "namespace", "at", "place"),
    [
        ("Application", "spoke-1", SPOKE, "argocd"),
        ("AppProject", "anywhere", SPOKE, "argocd"),
        ("Application", "argocd-hub", MAPPED_SPOKE, "argocd"),
        ("Application", "team-a", MAPPED_SPOKE, "team-a"),
        ("Application", "argocd", HUB, "spoke-1"),
        ("Repository", "argocd", HUB, "argocd-hub"),
    ],
)
def test_the_peer_looks_where_it_would_hold_the_resource(
    kind: str, namespace: str, at: Surroundings, place: str
) -> None:
    assert place_of_synced(SyncedResource(kind, namespace, "x", "u"), at) == (place, "x")


MAPPED_HUB = Surroundings(Role.PRINCIPAL, "spoke-1", home="argocd-hub", peer_home="argocd", destination_mapping=True)


@pytest.mark.parametrize(
    ("kind", "name", "at", "place"),
    [
        ("Application", "x", HUB, ("spoke-1", "x")),
        ("Application", "x", MAPPED_HUB, ("given", "x")),
        ("AppProject", "x", HUB, ("argocd-hub", "x")),
        ("Application", "x", SPOKE, ("argocd", "x")),
        ("AppProject", "spoke-1-x", SPOKE, ("argocd", "x")),
        ("AppProject", "spoke-1-", SPOKE, ("argocd", "spoke-1-")),
        ("Application", "spoke-1-x", SPOKE, ("argocd", "spoke-1-x")),
    ],
)
def test_the_source_looks_where_it_has_the_resource(
    kind: str, name: str, at: Surroundings, place: tuple[str, str]
) -> None:
    assert place_of_update(UpdateRequest(kind, "given", name), at) == place
