"""After a connect: who lists, who compares, who asks. Decisions only; the caller looks objects up and sends.

Between two of our ends the source of a tree announces its digest (`digest`). Toward a peer that cannot do that, the
reference's messages are used: the *source* owns the specifications, its *peer* holds copies that name the source's UID.

* request-synced-resource-list (to the source): what have you got, unless it has this checksum?
* response-synced-resource (to the peer): I have this one.
* request-resource-resync (to the peer): I have restarted; ask me about all that you hold.
* request-update (to the source): I have this one in this state; is that right?

Source: the wire contract in docs/protocol, 5.3 to 5.5. Unlike the reference, a request-update about a Repository is
answered like one about any other kind, one for an object that the source has made anew by an update, and an agent
without destination mapping looks for Applications in its own namespace, which is where they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from argocd_agent.errors import EventDiscarded, EventRefused
from argocd_agent.protocol.capabilities import Capability, PeerInfo
from argocd_agent.protocol.events import EventType
from argocd_agent.protocol.inventory import Inventory
from argocd_agent.protocol.modes import Mode, Role, is_source

APPLICATION = "Application"
APPPROJECT = "AppProject"


class Opening(StrEnum):
    """One thing to send after a connect."""

    STATE_PUSH = "state push"  # a spec-update for every project, repository and key that the agent is to have
    UPDATE_REQUESTS = "update requests"  # a request-update for every resource of the inventory
    LIST_REQUEST = "list request"  # request-synced-resource-list with the inventory's checksum
    RESYNC_REQUEST = "resync request"  # request-resource-resync
    SPEC_DIGEST = "spec digest"  # ours: the tree of specifications
    STATUS_DIGEST = "status digest"  # ours: the tree of statuses


# (role, mode, whether this is the first connect of this agent in this process) → what is sent, in this order.
OPENINGS: dict[tuple[Role, Mode, bool], tuple[Opening, ...]] = {
    (Role.AGENT, Mode.MANAGED, True): (Opening.LIST_REQUEST, Opening.UPDATE_REQUESTS),
    (Role.AGENT, Mode.MANAGED, False): (),
    (Role.AGENT, Mode.AUTONOMOUS, True): (Opening.RESYNC_REQUEST,),
    (Role.AGENT, Mode.AUTONOMOUS, False): (),
    (Role.PRINCIPAL, Mode.MANAGED, True): (Opening.STATE_PUSH, Opening.RESYNC_REQUEST),
    (Role.PRINCIPAL, Mode.MANAGED, False): (Opening.STATE_PUSH,),
    (Role.PRINCIPAL, Mode.AUTONOMOUS, True): (Opening.UPDATE_REQUESTS, Opening.LIST_REQUEST),
    (Role.PRINCIPAL, Mode.AUTONOMOUS, False): (),
}

# What each end is the source of, and therefore announces on every connect.
DIGESTS: dict[tuple[Role, Mode], tuple[Opening, ...]] = {
    (Role.PRINCIPAL, Mode.MANAGED): (Opening.SPEC_DIGEST,),
    (Role.AGENT, Mode.MANAGED): (Opening.STATUS_DIGEST,),
    (Role.PRINCIPAL, Mode.AUTONOMOUS): (),
    (Role.AGENT, Mode.AUTONOMOUS): (Opening.SPEC_DIGEST,),  # with the statuses in it: they are the source's, too
}

# Which end a message is for: True for the source, False for its peer.
_FOR_SOURCE: dict[str, bool] = {
    EventType.REQUEST_SYNCED_RESOURCE_LIST: True,
    EventType.RESPONSE_SYNCED_RESOURCE: False,
    EventType.REQUEST_RESOURCE_RESYNC: False,
    EventType.REQUEST_UPDATE: True,
}


@dataclass(frozen=True, slots=True)
class SyncedResource:
    """One resource that the source has; content of response-synced-resource."""

    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """One resource as the peer holds it; content of request-update. No `uid` and `checksum`: it has none."""

    kind: str
    namespace: str
    name: str
    uid: str = ""
    checksum: bytes | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """An object that the peer found at home. `source_uid` is empty where no source has claimed it; `is_remapped`
    says that it carries the annotation of an object whose namespace has another name at the source."""

    kind: str
    namespace: str
    name: str
    source_uid: str
    checksum: bytes | None
    is_remapped: bool = False


@dataclass(frozen=True, slots=True)
class Owned:
    """An object that the source found at home. `is_for_agent`: whether the agent is still to have it."""

    uid: str
    checksum: bytes | None
    is_for_agent: bool = True


class Reply(StrEnum):
    """The source's answer to a request-update."""

    NOTHING = "nothing"  # the peer is right
    UPDATE = "update"  # spec-update with the full object
    DELETE = "delete"  # delete with the full object: the agent is not to have it any more
    DELETE_STUB = "delete stub"  # delete with only name, namespace and UID of the request: there is no such object


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where we are. `home` and `peer_home` are the namespaces of Argo CD at this end and the other one."""

    role: Role
    agent: str
    home: str
    peer_home: str = ""
    destination_mapping: bool = False


def openings(role: Role, mode: Mode, is_first: bool, peer: PeerInfo) -> tuple[Opening, ...]:
    """What *role* sends after a connect, in this order; *is_first*: of this agent in the life of this process."""
    if peer.can(Capability.DIGEST):
        return DIGESTS[role, mode]
    return OPENINGS[role, mode, is_first]


def check(message: str, role: Role, mode: Mode) -> None:
    """Raises `EventRefused` for a resync message that is none, or is not for *role* with an agent in *mode*."""
    for_source = _FOR_SOURCE.get(message)
    if for_source is None:
        raise EventRefused(f"resync: expected one of its four messages, found type {message!r}")
    if for_source != is_source(role, mode):
        raise EventRefused(f"resync: {message} is not for the {role} of an agent in mode {mode}")


def answer_list_request(own: Inventory, checksum: bytes | None) -> tuple[SyncedResource, ...]:
    """What the source tells a peer whose inventory has *checksum*: all that it has, or nothing."""
    if own.agrees_with(checksum):
        return ()
    return tuple(SyncedResource(key.kind, key.namespace, key.name, key.uid) for key in own)


def answer_synced_resource(
    message: SyncedResource, held: Held | None, at: Surroundings, *, ignore_unmanaged: bool = False
) -> UpdateRequest | None:
    """What the peer asks about a resource that the source has, given what it *held* at `place_of_synced`.

    Raises `EventDiscarded` for an object that no source has claimed; None with *ignore_unmanaged*.
    """
    if held is None:
        place = _from_agent(message, at)
        return UpdateRequest(place.kind, place.namespace, place.name)
    if held.source_uid:
        return update_request(held, at)
    if ignore_unmanaged:
        return None
    raise EventDiscarded(f"resync: {held.kind} {held.namespace}/{held.name}: expected a source UID, found none")


def answer_resync_request(held: Iterable[Held], at: Surroundings) -> tuple[UpdateRequest, ...]:
    """What the peer asks a source that has restarted: about each object that it holds for a source."""
    return tuple(update_request(one, at) for one in held if one.source_uid)


def answer_update_request(message: UpdateRequest, owned: Owned | None) -> Reply:
    """The source's answer, given what it found at `place_of_update`."""
    if owned is None:
        return Reply.DELETE_STUB
    if not owned.is_for_agent:
        return Reply.DELETE
    is_right = message.uid == owned.uid and message.checksum is not None and message.checksum == owned.checksum
    return Reply.NOTHING if is_right else Reply.UPDATE


def update_request(held: Held, at: Surroundings) -> UpdateRequest:
    """The peer's question about an object that it holds for a source."""
    namespace = at.peer_home if held.is_remapped else held.namespace
    return UpdateRequest(held.kind, namespace, held.name, held.source_uid, held.checksum)


def place_of_synced(message: SyncedResource, at: Surroundings) -> tuple[str, str]:
    """Namespace and name under which the peer would hold what *message* is about."""
    if message.kind == APPPROJECT and at.role is Role.PRINCIPAL:
        return at.home, f"{at.agent}-{message.name}"
    if message.kind != APPLICATION:
        return at.home, message.name
    if at.role is Role.PRINCIPAL:
        return at.agent, message.name
    is_at_home = not at.destination_mapping or message.namespace == at.peer_home
    return (at.home if is_at_home else message.namespace), message.name


def place_of_update(message: UpdateRequest, at: Surroundings) -> tuple[str, str]:
    """Namespace and name under which the source has what *message* asks about.

    The hub's copies of an autonomous agent's projects have the agent's name before theirs.
    """
    name = message.name
    if at.role is Role.AGENT and message.kind == APPPROJECT:
        prefix = f"{at.agent}-"
        name = name.removeprefix(prefix) or name
    if message.kind != APPLICATION or at.role is Role.AGENT:
        return at.home, name
    return (message.namespace if at.destination_mapping else at.agent), name


def _from_agent(message: SyncedResource, at: Surroundings) -> SyncedResource:
    """On the hub, whatever an agent names is in the agent's namespace."""
    if at.role is Role.AGENT:
        return message
    return SyncedResource(message.kind, at.agent, message.name, message.uid)
