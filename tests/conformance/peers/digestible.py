"""What a Go v0.9 end can digest: every message that ours sends one is held against this.

Two kinds of rules (wire contract, 3.2 to 3.4, 4 and 10.1). Of one message: the CloudEvent's attributes by name and
protobuf type, target and type for the direction, ids, subject, source, `principaluid`, the JSON types of the payload.
Of the conversation: one un-acked event per object, at most 128 in all, resends not before five seconds, acks only of
what was sent and with all its attributes. Broken rules are collected in `problems`, with the message they are about.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from argocd_agent.protocol.capabilities import WINDOW_OF_REFERENCE
from argocd_agent.protocol.events import EventType, Target
from argocd_agent.protocol.modes import Mode, Role
from argocd_agent.protocol.names import AGENT_SOURCE, EVENT_TYPE_PREFIX
from argocd_agent.wire.proto.cloudevents_pb2 import CloudEvent
from argocd_agent.wire.proto.eventstreamapi_pb2 import Event as Frame
from tests.conformance.peers.shapes import OBJECTS, PAYLOADS, mismatch

_LIVES = frozenset({EventType.CREATE, EventType.SPEC_UPDATE, EventType.DELETE})
_OPERATIONS = frozenset({EventType.SET_OPERATION, EventType.TERMINATE_OPERATION})
_VERBS = frozenset({"GET", "POST", "PATCH", "DELETE"})
# What every principal says, and every agent.
_OF_PRINCIPAL: dict[str, frozenset[str]] = {
    Target.RESOURCE: _VERBS,
    Target.REDIS: frozenset({EventType.REDIS_REQUEST}),
    Target.CONTAINER_LOG: frozenset({"GET"}),
    Target.TERMINAL: frozenset({EventType.TERMINAL_REQUEST}),
    Target.ACK: frozenset({EventType.PROCESSED}),
}
_OF_AGENT: dict[str, frozenset[str]] = {
    Target.RESOURCE: frozenset({EventType.RESPONSE}),
    Target.REDIS: frozenset({EventType.REDIS_RESPONSE}),
    Target.HEARTBEAT: frozenset({EventType.PING}),
    Target.ACK: frozenset({EventType.PROCESSED}),
}
# Who owns the objects asks whether all is known, and answers who asks; who mirrors them asks about each.
_OF_SOURCE = frozenset({EventType.RESPONSE_SYNCED_RESOURCE, EventType.REQUEST_RESOURCE_RESYNC})
_OF_MIRROR = frozenset({EventType.REQUEST_SYNCED_RESOURCE_LIST, EventType.REQUEST_UPDATE})

# What the reference takes from ours: by our role and the agent's mode, target → types.
TAKEN: dict[tuple[Role, Mode], dict[str, frozenset[str]]] = {
    (Role.PRINCIPAL, Mode.MANAGED): {
        **_OF_PRINCIPAL,
        Target.APPLICATION: _LIVES | _OPERATIONS,
        Target.APPPROJECT: _LIVES,
        Target.REPOSITORY: _LIVES,
        Target.GPGKEY: _LIVES,
        Target.RESYNC: _OF_SOURCE,
    },
    (Role.PRINCIPAL, Mode.AUTONOMOUS): {
        **_OF_PRINCIPAL,
        Target.APPLICATION: frozenset({EventType.SPEC_UPDATE}) | _OPERATIONS,
        Target.RESYNC: _OF_MIRROR,
    },
    (Role.AGENT, Mode.MANAGED): {
        **_OF_AGENT,
        Target.APPLICATION: frozenset({EventType.STATUS_UPDATE, EventType.DELETE, EventType.ERROR}),
        Target.CLUSTER_CACHE_INFO: frozenset({EventType.CLUSTER_CACHE_INFO_UPDATE}),
        Target.RESYNC: _OF_MIRROR,
    },
    (Role.AGENT, Mode.AUTONOMOUS): {
        **_OF_AGENT,
        Target.APPLICATION: _LIVES,
        Target.APPPROJECT: _LIVES,
        Target.RESYNC: _OF_SOURCE,
    },
}
# An agent does not look at who signs these; the principal of the reference signs some and not others.
SIGNED_OR_NOT = frozenset({Target.APPPROJECT, Target.REPOSITORY, Target.GPGKEY})
# The principal says who it is in these, and in no others (3.3).
SIGNED = frozenset({EventType.CREATE, EventType.SPEC_UPDATE, EventType.TERMINATE_OPERATION, EventType.DELETE})
UNTRACKED = frozenset({Target.ACK, Target.HEARTBEAT})
RESEND_SECONDS = 5.0

_SENT_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z")
_ANSWERS = frozenset({EventType.RESPONSE, EventType.REDIS_RESPONSE})  # their eventid is that of the request
_NAME = re.compile(r"[a-z0-9]+")
_Attributes = frozenset[tuple[str, str]]
_EXTENSIONS = ("resourceid", "eventid", "sentat", "principaluid", "traceparent", "tracestate")


@dataclass(slots=True)
class _Sent:
    """An event of ours that is un-acked."""

    attributes: Mapping[str, str]
    kind: str
    at: float


@dataclass(slots=True)
class Checker:
    """Holds what ours says against the rules. `streams` counts; call `opened` for each."""

    our_role: Role
    mode: Mode = Mode.MANAGED
    problems: list[str] = field(default_factory=list)
    _unacked: dict[str, _Sent] = field(default_factory=dict)
    _asked: Counter[_Attributes] = field(default_factory=Counter)
    _acked: Counter[_Attributes] = field(default_factory=Counter)
    _acks_under_way: dict[str, dict[str, str]] = field(default_factory=dict)
    _this_stream: set[str] = field(default_factory=set)

    @property
    def unacked(self) -> int:
        """How many events of ours are un-acked."""
        return len(self._unacked)

    @property
    def owed(self) -> list[str]:
        """The event ids that ours has yet to ack. What came twice, the same in everything, may be acked once."""
        return [dict(attributes)["eventid"] for attributes in self._asked if not self._acked[attributes]]

    def opened(self) -> None:
        """A new stream: what is un-acked may come again, and acks of the old one are owed no more."""
        self._this_stream.clear()
        self._asked.clear()
        self._acked.clear()

    def ours_ended(self) -> None:
        """Our process ended, and what it was owed with it."""
        self._unacked.clear()

    def from_ours(self, data: bytes, now: float) -> None:
        """Ours sent *data*."""
        frame = Frame.FromString(data)
        if not frame.HasField("event"):
            self.problems.append("a message without an event")
            return
        message = frame.event
        found = self._envelope(message)
        attributes = _texts(message)
        if message.attributes["dataschema"].ce_uri == Target.ACK:
            found += self._ack(message, attributes)
        else:
            found += self._content(message, attributes)
            found += self._turn(message, attributes, now)
        about = f"{message.attributes['dataschema'].ce_uri} {message.type} {attributes.get('eventid')}"
        self.problems += [f"{now:.3f} s, {about}: {problem}" for problem in found]

    def from_go(self, data: bytes) -> None:
        """The scripted end sent *data*; what ours must do about it is remembered."""
        message = Frame.FromString(data).event
        attributes = {name: text for name, text in _texts(message).items() if name not in _NOT_ECHOED}
        target = message.attributes["dataschema"].ce_uri
        if target != Target.ACK:
            self._asked[frozenset(attributes.items())] += 1
            return
        sent = self._unacked.get(attributes["resourceid"])
        self._acks_under_way[attributes["resourceid"]] = attributes
        if sent is not None and sent.attributes["eventid"] == attributes["eventid"]:
            del self._unacked[attributes["resourceid"]]

    def _envelope(self, message: CloudEvent) -> list[str]:
        found = []
        if message.spec_version != "1.0":
            found.append(f"spec_version {message.spec_version!r}")
        if message.source != (AGENT_SOURCE if self.our_role is Role.AGENT else ""):
            found.append(f"source {message.source!r}")
        if message.WhichOneof("data") != "binary_data":
            found.append(f"data as {message.WhichOneof('data')}")
        for name, value in message.attributes.items():
            expected = "ce_uri" if name == "dataschema" else "ce_string"
            if value.WhichOneof("attr") != expected:
                found.append(f"attribute {name} as {value.WhichOneof('attr')}, expected {expected}")
            if not _NAME.fullmatch(name):
                found.append(f"attribute name {name!r}")
        return found

    def _content(self, message: CloudEvent, attributes: Mapping[str, str]) -> list[str]:
        target = message.attributes["dataschema"].ce_uri
        if message.type not in TAKEN[self.our_role, self.mode].get(target, ()):
            return [f"target {target!r} with type {message.type!r} is not for the other end"]
        found = []
        if not attributes.get("resourceid") or not attributes.get("eventid"):
            found.append("no resourceid or no eventid")
        if bool(message.binary_data) != (attributes.get("datacontenttype") == "application/json"):
            found.append(f"{len(message.binary_data)} bytes of {attributes.get('datacontenttype')!r}")
        if target != Target.HEARTBEAT and not _SENT_AT.fullmatch(attributes.get("sentat", "")):
            found.append(f"sentat {attributes.get('sentat')!r}")
        is_object = target in OBJECTS and message.type != EventType.ERROR
        is_signed = self.our_role is Role.PRINCIPAL and target == Target.APPLICATION and message.type in SIGNED
        is_free = self.our_role is Role.PRINCIPAL and target in SIGNED_OR_NOT
        if not is_free and bool(attributes.get("principaluid")) != is_signed:
            found.append(f"principaluid {attributes.get('principaluid')!r}")
        if strange := set(attributes) - {*_EXTENSIONS, "dataschema", "datacontenttype", "subject"}:
            found.append(f"attributes {strange}")
        payload = json.loads(message.binary_data) if message.binary_data else None
        found += _object(payload, target, attributes) if is_object else _payload(message.type, payload, attributes)
        return found

    def _turn(self, message: CloudEvent, attributes: Mapping[str, str], now: float) -> list[str]:
        """Whether it was this event's turn."""
        if message.attributes["dataschema"].ce_uri in UNTRACKED:
            return []
        key, found = attributes.get("resourceid", ""), []
        acked = self._acks_under_way.get(key, {})
        if all(acked.get(name) == attributes.get(name) for name in ("eventid", "sentat")):
            return []  # sent again, on a new stream, while the ack of its first time was on the way
        before = self._unacked.get(key)
        if before is not None and message.type != EventType.DELETE and key in self._this_stream:
            if now - before.at < RESEND_SECONDS - 0.001:
                found.append(f"{before.attributes['eventid']} was sent {now - before.at:.3f} s ago and is un-acked")
            if before.kind == EventType.DELETE and message.type != EventType.DELETE:
                found.append("overtakes an un-acked delete")
        is_again = before is not None and before.attributes["eventid"] == attributes.get("eventid")
        if (
            before is not None
            and is_again
            and message.type != EventType.DELETE
            and before.attributes.get("sentat") != attributes.get("sentat")
        ):
            found.append("sent again with another sentat")
        for other in self._unacked.values():
            is_other = other.attributes["resourceid"] != key and other.attributes.get("subject")
            if is_other and all(other.attributes.get(one) == attributes.get(one) for one in ("subject", "dataschema")):
                found.append(f"{other.attributes['eventid']}, of another object of that name, is un-acked")
        self._unacked[key] = _Sent(attributes, message.type, now)
        self._this_stream.add(key)
        if len(self._unacked.keys() & self._this_stream) > WINDOW_OF_REFERENCE:
            found.append(f"{len(self._unacked)} events un-acked")
        return found

    def _ack(self, message: CloudEvent, attributes: Mapping[str, str]) -> list[str]:
        found = []
        if message.type != EventType.PROCESSED:
            found.append(f"an ack of type {message.type!r}")
        if message.binary_data or "subject" in attributes or "datacontenttype" in attributes:
            found.append("an ack with data, subject or content type")
        copied = frozenset((name, text) for name, text in attributes.items() if name not in _NOT_ECHOED)
        self._acked[copied] += 1
        if self._acked[copied] > self._asked[copied]:
            found.append(f"acks what was not sent, or is acked already: {dict(copied)}")
        return found


_NOT_ECHOED = frozenset({"dataschema", "datacontenttype", "subject"})


def _texts(message: CloudEvent) -> dict[str, str]:
    return {
        name: str(getattr(value, value.WhichOneof("attr") or "ce_string")) for name, value in message.attributes.items()
    }


def _object(payload: Any, target: str, attributes: Mapping[str, str]) -> list[str]:
    problem = mismatch(payload, OBJECTS[target], target)
    if problem:
        return [problem]
    metadata = payload["metadata"]
    name, uid = metadata["name"], metadata.get("uid", "")
    found = []
    if attributes.get("resourceid") != f"{name}_{uid}":
        found.append(f"resourceid of {name} with uid {uid!r}")
    if not attributes.get("eventid", "").startswith(f"{name}_{uid}_{metadata.get('resourceVersion', '')}"):
        found.append(f"eventid of {name} with version {metadata.get('resourceVersion')!r}")
    if attributes.get("subject") != f"{metadata.get('namespace', '')}/{name}":
        found.append(f"subject {attributes.get('subject')!r}")
    return found


def _payload(kind: str, payload: Any, attributes: Mapping[str, str]) -> list[str]:
    found = []
    if attributes.get("subject"):
        found.append(f"subject {attributes['subject']!r}")
    if attributes.get("resourceid") != attributes.get("eventid") and kind not in _ANSWERS:
        found.append("two ids, expected one")
    shape = PAYLOADS.get(kind.removeprefix(EVENT_TYPE_PREFIX))
    problem = mismatch(payload, shape, kind) if shape is not None else ""
    if problem:
        found.append(problem)
    checksum = payload.get("checksum") if isinstance(payload, dict) else None
    if checksum is not None and len(base64.b64decode(checksum, validate=True)) != 32:
        found.append("checksum of another length than SHA-256")
    return found
