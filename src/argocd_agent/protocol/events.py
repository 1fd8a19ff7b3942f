"""One message between principal and agent, as a value. Bytes are `wire.cloudevents`' business."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NewType

from argocd_agent.protocol.names import EVENT_TYPE_PREFIX

AgentName = NewType("AgentName", str)
ResourceId = NewType("ResourceId", str)
EventId = NewType("EventId", str)

_NO_EXTENSIONS: Mapping[str, str] = MappingProxyType({})


class Target(StrEnum):
    """What sort of thing an event is about (CloudEvents attribute `dataschema`)."""

    APPLICATION = "application"
    APPPROJECT = "appproject"
    APPLICATIONSET = "applicationset"
    REPOSITORY = "repository"
    GPGKEY = "gpgkey"
    RESOURCE = "resource"
    REDIS = "redis"
    RESYNC = "resourceResync"
    CLUSTER_CACHE_INFO = "clusterCacheInfoUpdate"
    CONTAINER_LOG = "containerlog"
    TERMINAL = "terminal"
    HEARTBEAT = "heartbeat"
    BRAKE = "brake"  # ours; sent only to a peer that announced the capability
    ACK = "eventProcessed"
    UNKNOWN = "unknown"  # never on the wire: what an envelope says whose target we do not know


class EventType(StrEnum):
    """What happened, or is asked for (CloudEvents attribute `type`). Live requests use HTTP verbs instead."""

    PING = EVENT_TYPE_PREFIX + ".ping"
    PONG = EVENT_TYPE_PREFIX + ".pong"
    CREATE = EVENT_TYPE_PREFIX + ".create"
    DELETE = EVENT_TYPE_PREFIX + ".delete"
    SPEC_UPDATE = EVENT_TYPE_PREFIX + ".spec-update"
    STATUS_UPDATE = EVENT_TYPE_PREFIX + ".status-update"
    SET_OPERATION = EVENT_TYPE_PREFIX + ".set-operation"
    TERMINATE_OPERATION = EVENT_TYPE_PREFIX + ".terminate-operation"
    PROCESSED = EVENT_TYPE_PREFIX + ".processed"
    RESPONSE = EVENT_TYPE_PREFIX + ".response"
    REDIS_REQUEST = EVENT_TYPE_PREFIX + ".redis-request"
    REDIS_RESPONSE = EVENT_TYPE_PREFIX + ".redis-response"
    REQUEST_SYNCED_RESOURCE_LIST = EVENT_TYPE_PREFIX + ".request-synced-resource-list"
    RESPONSE_SYNCED_RESOURCE = EVENT_TYPE_PREFIX + ".response-synced-resource"
    REQUEST_UPDATE = EVENT_TYPE_PREFIX + ".request-update"
    REQUEST_RESOURCE_RESYNC = EVENT_TYPE_PREFIX + ".request-resource-resync"
    CLUSTER_CACHE_INFO_UPDATE = EVENT_TYPE_PREFIX + ".cluster-cache-info-update"
    TERMINAL_REQUEST = EVENT_TYPE_PREFIX + ".terminal-request"
    ERROR = EVENT_TYPE_PREFIX + ".error"
    # Ours; sent only to a peer that announced the capability.
    DIGEST = EVENT_TYPE_PREFIX + ".digest"  # capability "digest": here is my tree
    DIGEST_ENTRIES = EVENT_TYPE_PREFIX + ".digest-entries"  # my entries where your tree differs from mine
    REFUSED = EVENT_TYPE_PREFIX + ".refused"  # capability "refused": what could not be applied, and why
    HELD = EVENT_TYPE_PREFIX + ".held"  # capability "brake": the deletions that the agent holds
    PART = EVENT_TYPE_PREFIX + ".part"  # capability "live": one piece of an answer that comes in many
    CREDIT = EVENT_TYPE_PREFIX + ".credit"  # capability "live": so many more pieces may come
    CANCEL = EVENT_TYPE_PREFIX + ".cancel"  # capability "live": whoever asked has gone
    HELD_ORDER = EVENT_TYPE_PREFIX + ".held-order"  # capability "brake": release them, or discard them


@dataclass(frozen=True, slots=True)
class Event:
    """One message. `type` is an `EventType`, or an HTTP verb for live requests and logs.

    `key` orders: of the events of one key at most one is un-acked. It never travels; empty means
    `resource_id`. `data` is JSON, or empty. `sent_at` is RFC 3339 and is stamped at the first send.
    `extensions` are the attributes that we do not know; an ack echoes them.
    """

    target: Target
    type: str
    resource_id: ResourceId
    event_id: EventId
    data: bytes = b""
    key: str = ""
    subject: str = ""
    source: str = ""
    principal_uid: str = ""
    sent_at: str = ""
    trace_parent: str = ""
    trace_state: str = ""
    extensions: Mapping[str, str] = field(default_factory=lambda: _NO_EXTENSIONS)

    @property
    def order_key(self) -> str:
        """What this event is serialised on."""
        return self.key or self.resource_id


def ack_of(event: Event) -> Event:
    """The acknowledgement of *event*: all its extension attributes copied, no data (wire contract, 4.4)."""
    return Event(
        target=Target.ACK,
        type=EventType.PROCESSED,
        resource_id=event.resource_id,
        event_id=event.event_id,
        principal_uid=event.principal_uid,
        sent_at=event.sent_at,
        trace_parent=event.trace_parent,
        trace_state=event.trace_state,
        extensions=event.extensions,
    )


def object_key(target: Target, namespace: str, name: str) -> str:
    """The order key of a Kubernetes object: kind, namespace and name, not UID."""
    return f"{target.value}/{namespace}/{name}"
