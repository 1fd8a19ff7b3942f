"""Requests that the hub passes on to a spoke, and the answers: live resources, Redis, logs, terminal (3.7, 9.2).

Read and written with `payloads.encode` and `payloads.decode`. What may hold many entries is bounded: 1,000 parameters
of a request, 1,000 words of a command.
"""

from typing import Annotated

import msgspec

from argocd_agent.wire.payloads import Int64, Payload, always_written

MAX_PARAMS = 1000
MAX_COMMAND_WORDS = 1000
MAX_CREDIT = 1024

_Params = Annotated[dict[str, str], msgspec.Meta(max_length=MAX_PARAMS)]
_Credit = Annotated[int, msgspec.Meta(ge=0, le=MAX_CREDIT)]
_Groups = Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_PARAMS)]
_Command = Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_COMMAND_WORDS)]


class ResourceRequest(Payload, frozen=True, kw_only=True):
    """A Kubernetes API request. `method` is an upper case HTTP verb; `params` has the first value of each query key.

    The last six are ours, for a peer with the capability `live`; a Go peer ignores them. `credit` is how many pieces
    of an answer may be sent before more are allowed; 0 asks for an answer in one. `user`, `groups` and `user_uid` are
    whom the caller acts for. `core` tells /api from /apis, which look alike without a version.
    """

    uuid: str
    namespace: str = ""
    name: str
    subresource: str = ""
    method: str = ""
    body: bytes | None = b""
    params: _Params = msgspec.field(default_factory=dict)
    group: str
    version: str
    resource: str
    content_type: str = ""
    credit: _Credit = 0
    user: str = ""
    user_uid: str = ""
    groups: _Groups = ()
    core: bool = False


class ResourcePart(Payload, frozen=True, kw_only=True):
    """One piece of an answer, which a `ResourceResponse` ends. Ours. `status` and `content_type` are said once."""

    status: Int64 = 0
    content_type: str = ""
    data: bytes | None = b""


class Credit(Payload, frozen=True, kw_only=True):
    """So many more pieces of an answer may be sent. Ours."""

    parts: _Credit


class ResourceResponse(Payload, frozen=True, kw_only=True):
    """The answer to the request *uuid*: an HTTP status, and the JSON document as text, empty if there is none."""

    uuid: str
    status: Int64
    resource: str = ""


class RedisGet(Payload, frozen=True, kw_only=True):
    """Asks for the value of a key."""

    key: str


class RedisSubscribe(Payload, frozen=True, kw_only=True):
    """Asks to be told of messages on a channel."""

    channel: str


class RedisPing(Payload, frozen=True, kw_only=True):
    """Asks whether somebody is there: `{}`."""


class RedisRequestBody(Payload, frozen=True, kw_only=True):
    """Exactly one of what can be asked. Raises ValueError for none or several."""

    get: RedisGet | None = None
    subscribe: RedisSubscribe | None = None
    ping: RedisPing | None = None

    def __post_init__(self) -> None:
        _require_one("get, subscribe, ping", (self.get, self.subscribe, self.ping))


class RedisRequest(Payload, frozen=True, kw_only=True):
    """A Redis command of connection *connection_uuid*."""

    uuid: str
    connection_uuid: str
    body: RedisRequestBody


class RedisGetReply(Payload, frozen=True, kw_only=True):
    """The value of a key as it is in the spoke's Redis; `error` is empty if the look-up itself went well."""

    value: bytes | None = msgspec.field(name="bytes", default_factory=always_written)
    cache_hit: bool
    error: str


class RedisSubscribeReply(Payload, frozen=True, kw_only=True):
    """Whether the subscription stands: `error` is empty if it does."""

    error: str


class RedisPush(Payload, frozen=True, kw_only=True):
    """A message came in on a channel, named as it was asked for."""

    channel_name: str


class RedisPong(Payload, frozen=True, kw_only=True):
    """The answer to a ping: `{}`."""


class RedisResponseBody(Payload, frozen=True, kw_only=True):
    """Exactly one of what can be answered. Raises ValueError for none or several."""

    get: RedisGetReply | None = None
    subscribe_response: RedisSubscribeReply | None = None
    push_from_subscribe: RedisPush | None = None
    pong: RedisPong | None = None

    def __post_init__(self) -> None:
        given = (self.get, self.subscribe_response, self.push_from_subscribe, self.pong)
        _require_one("get, subscribeResponse, pushFromSubscribe, pong", given)


class RedisResponse(Payload, frozen=True, kw_only=True):
    """The answer to the request *uuid*; a push reuses the uuid of its subscription."""

    uuid: str
    connection_uuid: str
    body: RedisResponseBody


class ContainerLogRequest(Payload, frozen=True, kw_only=True):
    """Asks for a container's log; the fields are those of Kubernetes' PodLogOptions, absent where not given."""

    uuid: str
    namespace: str
    pod_name: str
    container: str = ""
    follow: bool = False
    tail_lines: Int64 | None = None
    since_seconds: Int64 | None = None
    since_time: str = ""
    timestamps: bool = False
    previous: bool = False
    insecure_skip_tls_verify_backend: bool = msgspec.field(name="insecureSkipTLSVerifyBackend", default=False)
    limit_bytes: Int64 | None = None


class ContainerTerminalRequest(Payload, frozen=True, kw_only=True):
    """Asks for a terminal in a container; no `command` lets the agent choose a shell."""

    uuid: str
    namespace: str
    pod_name: str
    container_name: str
    command: _Command = ()
    tty: bool
    stdin: bool
    stdout: bool
    stderr: bool


def _require_one(names: str, given: tuple[Payload | None, ...]) -> None:
    count = sum(value is not None for value in given)
    if count != 1:
        raise ValueError(f"expected exactly one of {names}, found {count}")
