"""What events carry that is not a Kubernetes object: reports, statistics, resync (wire contract, 3.7 and 5.2).

`encode` and `decode` serve every payload, those of `requests` and `antientropy` too. Keys are present exactly as the
reference writes them. Unknown keys are ignored; bytes are base64, where null, "" and an absent key are alike. A key
that is always written and is missing, or a value of the wrong type, is a `DecodeError` that names payload and place.
"""

from typing import Annotated, TypeVar

import msgspec

from argocd_agent import codec

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Payload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One payload. A field with a default is left out when it has it; the others are always written."""


P = TypeVar("P", bound=Payload)


def always_written() -> bytes | None:
    """The factory of a default (null) that is written nevertheless: only plain defaults are left out."""
    return None


def encode(payload: Payload) -> bytes:
    """The JSON of *payload*."""
    return codec.encode(payload)


def decode(data: bytes, shape: type[P]) -> P:
    """The *shape* in *data*, of which nothing means `{}`. Raises `DecodeError`."""
    return codec.decode(data or b"{}", shape, shape.__name__)


class ErrorData(Payload, frozen=True, kw_only=True):
    """What went wrong with one resource on a spoke (target `application`, type `.error`)."""

    resource_name: str
    resource_namespace: str
    message: str


class Refusal(Payload, frozen=True, kw_only=True):
    """An object that the sender could not apply: which one, a word for the reason, a sentence for people. Ours."""

    target: str
    namespace: str = ""
    name: str
    uid: str = ""
    reason: str
    message: str
    event_id: str = ""


class ClusterCacheInfo(Payload, frozen=True, kw_only=True):
    """What Argo CD on the spoke holds in its cache of the cluster, and the version of Kubernetes (not from Go ends)."""

    applications_count: Int64
    apis_count: Int64
    resources_count: Int64
    server_version: str = ""


class RequestSyncedResourceList(Payload, frozen=True, kw_only=True):
    """Asks the source for its list, unless it has this *checksum* (SHA-256; None or empty for an empty list)."""

    checksum: bytes | None = msgspec.field(default_factory=always_written)


class SyncedResource(Payload, frozen=True, kw_only=True):
    """One resource that the source has. `kind` is the name of a row of `resources.kinds`."""

    name: str
    namespace: str = ""
    uid: str
    kind: str


class RequestUpdate(Payload, frozen=True, kw_only=True):
    """Asks the source to send a resource that differs from this; no *uid* and no *checksum* if we have none."""

    name: str
    namespace: str = ""
    uid: str
    kind: str
    checksum: bytes | None = msgspec.field(default_factory=always_written)


class RequestResourceResync(Payload, frozen=True, kw_only=True):
    """Asks the peer to ask for everything it has: `{}`."""
