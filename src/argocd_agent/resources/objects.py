"""A Kubernetes object: metadata typed, everything else raw JSON bytes until somebody must look.

`metadata.managedFields` is not kept: nothing here uses it, and an API server keeps its own when a write has none.
Objects are values; a changed one is a new one that shares the bytes of what did not change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from argocd_agent.codec import decode, decode_any, encode
from argocd_agent.errors import DecodeError
from argocd_agent.resources.kinds import Api

_NOTHING: Mapping[str, str] = {}


class OwnerReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """`metadata.ownerReferences[]` (https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/)."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class Metadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """`metadata` without `managedFields`. Times are RFC 3339 text as the API server gave them."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: tuple[str, ...] | None = None
    owner_references: tuple[OwnerReference, ...] | None = None


@dataclass(frozen=True, slots=True)
class Object:
    """One object. `fields` holds every other top-level field as JSON bytes, `apiVersion` and `kind` too if given."""

    metadata: Metadata
    fields: Mapping[str, bytes]

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def version(self) -> str:
        """`metadata.resourceVersion`: opaque, of this cluster only."""
        return self.metadata.resource_version

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return (self.metadata.namespace, self.metadata.name)

    @property
    def labels(self) -> Mapping[str, str]:
        return self.metadata.labels or _NOTHING

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.metadata.annotations or _NOTHING

    @property
    def is_deleting(self) -> bool:
        """Whether the object only waits for its finalizers."""
        return self.metadata.deletion_timestamp is not None

    def look(self, name: str) -> Any:
        """The decoded value of top-level field *name*, None if absent."""
        raw = self.fields.get(name)
        return None if raw is None else decode_any(raw, name)

    def with_metadata(self, **changes: Any) -> "Object":
        """This object with some fields of its metadata replaced (names of `Metadata`)."""
        return Object(msgspec.structs.replace(self.metadata, **changes), self.fields)

    def with_annotations(self, changes: Mapping[str, str | None]) -> "Object":
        """This object with annotations set, or removed where the value is None."""
        merged = {**self.annotations, **changes}
        kept = {name: value for name, value in merged.items() if value is not None}
        return self.with_metadata(annotations=kept or None)

    def with_fields(self, changes: Mapping[str, bytes | None]) -> "Object":
        """This object with top-level fields set (JSON bytes), or removed where the value is None."""
        merged = {**self.fields, **changes}
        return Object(self.metadata, {name: raw for name, raw in merged.items() if raw is not None})

    def encode(self, api: Api | None = None) -> bytes:
        """As JSON. With *api*, `apiVersion` and `kind` are set from it; a write needs them."""
        fields: dict[str, bytes] = dict(self.fields)
        if api is not None:
            fields |= {"apiVersion": encode(api.api_version), "kind": encode(api.kind)}
        parts = [b'"metadata":' + encode(self.metadata)]
        parts += [b"%b:%b" % (encode(name), raw) for name, raw in fields.items()]
        return b"{" + b",".join(parts) + b"}"


def decode_object(data: bytes | memoryview | msgspec.Raw, what: str = "object") -> Object:
    """The object in *data*. Raises `DecodeError` where it is not one (not a JSON object, metadata of wrong types)."""
    top = decode(data, dict[str, msgspec.Raw], what)
    return object_from(top, what)


def object_from(top: Mapping[str, msgspec.Raw], what: str = "object") -> Object:
    """The object whose top-level fields are *top*. The bytes are copied, so that the buffer they came from can go."""
    raw = top.get("metadata")
    metadata = Metadata() if raw is None else decode(raw, Metadata, f"{what}: metadata")
    return Object(metadata, {name: bytes(value) for name, value in top.items() if name != "metadata"})


def new_object(api: Api, metadata: Metadata, **fields: Any) -> Object:
    """An object of our own making; *fields* are plain values, encoded here."""
    if not metadata.name and not metadata.generate_name:
        raise DecodeError(f"{api.kind}: an object needs metadata.name or metadata.generateName, found neither")
    return Object(metadata, {name: encode(value) for name, value in fields.items() if value is not None})
