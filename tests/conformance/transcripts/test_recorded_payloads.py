"""Our code reads every payload and unary message that the reference was seen to send, and writes it again."""

import json
from collections import Counter

import pytest

from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.names import METHOD_AUTHENTICATE, METHOD_VERSION
from argocd_agent.wire import payloads, requests
from argocd_agent.wire.messages import EMPTY, LoginReply, LoginRequest, VersionReply
from tests.conformance.transcripts.records import NAMES, events, messages

SHAPES: dict[tuple[Target, str], type[payloads.Payload]] = {
    (Target.CLUSTER_CACHE_INFO, EventType.CLUSTER_CACHE_INFO_UPDATE): payloads.ClusterCacheInfo,
    (Target.RESYNC, EventType.REQUEST_SYNCED_RESOURCE_LIST): payloads.RequestSyncedResourceList,
    (Target.RESYNC, EventType.RESPONSE_SYNCED_RESOURCE): payloads.SyncedResource,
    (Target.RESYNC, EventType.REQUEST_UPDATE): payloads.RequestUpdate,
    (Target.RESYNC, EventType.REQUEST_RESOURCE_RESYNC): payloads.RequestResourceResync,
    (Target.RESOURCE, EventType.RESPONSE): requests.ResourceResponse,
    (Target.RESOURCE, "GET"): requests.ResourceRequest,
    (Target.RESOURCE, "PATCH"): requests.ResourceRequest,
    (Target.RESOURCE, "POST"): requests.ResourceRequest,
    (Target.RESOURCE, "DELETE"): requests.ResourceRequest,
    (Target.REDIS, EventType.REDIS_REQUEST): requests.RedisRequest,
    (Target.REDIS, EventType.REDIS_RESPONSE): requests.RedisResponse,
    (Target.CONTAINER_LOG, "GET"): requests.ContainerLogRequest,
}
OBJECTS = {Target.APPLICATION, Target.APPPROJECT, Target.REPOSITORY, Target.GPGKEY}


def payload_events(name: str) -> list[Event]:
    found = [record.event for record in events(name)]
    return [event for event in found if event.data and event.target not in OBJECTS]


@pytest.mark.parametrize("name", NAMES)
def test_recorded_payloads_encode_to_the_same_json_with_the_keys_in_the_same_order(name: str) -> None:
    for event in payload_events(name):
        value = payloads.decode(event.data, SHAPES[event.target, event.type])

        written = json.loads(payloads.encode(value), object_pairs_hook=list)
        assert written == json.loads(event.data, object_pairs_hook=list)


def test_the_records_show_every_kind_of_payload_that_they_are_said_to_show() -> None:
    counted = Counter((event.target, event.type) for name in NAMES for event in payload_events(name))

    assert set(counted) == set(SHAPES)


@pytest.mark.parametrize("name", NAMES)
def test_recorded_version_messages_decode_and_encode_to_the_same_bytes(name: str) -> None:
    found = [message for message in messages(name) if message.method == METHOD_VERSION]
    requested = [message.data for message in found if message.sender == "agent"]
    replies = [message.data or b"" for message in found if message.sender == "principal"]

    assert set(requested) == {EMPTY}
    assert {VersionReply.decode(reply) for reply in replies} == {VersionReply(version="argocd-agent-99.9.9-unreleased")}
    assert [VersionReply.decode(reply).encode() for reply in replies] == replies


@pytest.mark.parametrize("name", NAMES)
def test_recorded_logins_are_read_field_by_field(name: str) -> None:
    found = [message for message in messages(name) if message.method == METHOD_AUTHENTICATE]
    asked = [LoginRequest.decode(protobuf(message.read)) for message in found if message.sender == "agent"]
    answered = [LoginReply.decode(protobuf(message.read)) for message in found if message.sender == "principal"]

    request = LoginRequest(method="mtls", mode=name, version="99.9.9-unreleased", agent_namespace=f"argocd-{name}")
    assert asked == [request] * 7
    reply = LoginReply(
        access_token="<jwt>",
        refresh_token="<jwt>",
        version="99.9.9-unreleased",
        principal_namespace="argocd-principal",
    )
    assert answered == [reply] * 4


@pytest.mark.parametrize("name", NAMES)
def test_recorded_logins_are_written_field_by_field(name: str) -> None:
    for message in messages(name):
        if message.method != METHOD_AUTHENTICATE:
            continue
        shape = LoginRequest if message.sender == "agent" else LoginReply

        assert shape.decode(protobuf(message.read)).encode() == protobuf(message.read)


def protobuf(fields: dict[str, list[str]]) -> bytes:
    """Short texts by field number as protobuf, since the recorded bytes of these messages hold tokens."""
    parts = [(int(number), value.encode()) for number, values in fields.items() for value in values]
    return b"".join(bytes([number << 3 | 2, len(value)]) + value for number, value in parts)
