"""The recorded calls that are no event streams, and protobuf by hand: text fields are all that they have."""

from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.protocol.names import METHOD_AUTHENTICATE
from argocd_agent.resources.kinds import NAMESPACES
from argocd_agent.resources.objects import Metadata, new_object
from tests.conformance.peers.stage import Uids
from tests.conformance.transcripts.records import messages

VERSION = "99.9.9-unreleased"
HOME = "argocd"


def texts(fields: dict[int, str]) -> bytes:
    """A protobuf message of text fields, each below 128 bytes."""
    return b"".join(bytes([number << 3 | 2, len(text)]) + text.encode() for number, text in fields.items())


def fields_of(data: bytes) -> dict[int, str]:
    """The text fields of a protobuf message."""
    found, at = {}, 0
    while at < len(data):
        number, at = data[at] >> 3, at + 1
        length = shift = 0
        while True:
            byte, at = data[at], at + 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        found[number], at = data[at : at + length].decode(), at + length
    return found


def recorded_login() -> bytes:
    """The AuthRequest that the recorded agent sent, made again from its fields."""
    said = next(one for one in messages("managed") if one.method == METHOD_AUTHENTICATE and one.sender == "agent")
    return texts({int(number): values[0] for number, values in said.read.items()})


def recorded_answer(method: str) -> bytes:
    """What the recorded principal answered first."""
    said = next(one for one in messages("managed") if one.method == method and one.sender == "principal")
    assert said.data is not None
    return said.data


async def a_cluster(*namespaces: str, uids: Uids | None = None) -> EmbeddedCluster:
    cluster = open_memory(new_uid=uids or Uids())
    for namespace in namespaces:
        await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=namespace)))
    return cluster
