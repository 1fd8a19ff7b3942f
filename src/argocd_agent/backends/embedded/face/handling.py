"""One request to a resource, from its target and parameters to the bytes of the answer. No sockets here.

Reading happens in `routes`, deciding in the engine, and writing in `documents`; this file joins them, verb by verb.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NoReturn

import msgspec

from argocd_agent.backends.embedded import faults
from argocd_agent.backends.embedded.cluster import EmbeddedCluster
from argocd_agent.backends.embedded.engine import Outcome, Preconditions, Validation, WriteOptions
from argocd_agent.backends.embedded.face import documents, protobuf, statuses
from argocd_agent.backends.embedded.face.routes import (
    Form,
    ListOptions,
    Target,
    parse_dry_run,
    parse_flag,
    parse_propagation,
    parse_validation,
)
from argocd_agent.backends.embedded.face.scale import scale_of, scaled
from argocd_agent.backends.embedded.kinds import ServedKind
from argocd_agent.backends.embedded.listing import page, select
from argocd_agent.backends.embedded.patches import PatchFailed, apply_json_patch, merge
from argocd_agent.backends.embedded.patching import METADATA_FIELDS, decode_patch, decode_yaml
from argocd_agent.backends.embedded.values import Json, canonical, dig
from argocd_agent.backends.ports import PatchType, Propagation, WatchEvent, WatchType
from argocd_agent.codec import decode, decode_any
from argocd_agent.errors import DecodeError, Gone, Unavailable
from argocd_agent.resources.objects import Object, object_from

JSON_TYPES = frozenset({"", "application/json", "text/json"})
YAML_TYPES = frozenset({"application/yaml", "text/yaml", "application/x-yaml"})


@dataclass(frozen=True, slots=True)
class Call:
    """One request: what it is about, and how it was asked."""

    kind: ServedKind
    target: Target
    query: "Query"
    form: Form
    body: bytes = b""
    content_type: str = ""

    @property
    def namespace(self) -> str:
        return self.target.namespace or ""

    def options(self) -> WriteOptions:
        """How to write. Raises `BadRequest`."""
        subresource = "status" if self.target.subresource == "status" else ""
        return WriteOptions(subresource, parse_dry_run(self.query.all("dryRun")), parse_validation(self.query.first))


@dataclass(frozen=True, slots=True)
class Query:
    """Query parameters: the first of each name, and all of them in order."""

    first: dict[str, str]
    pairs: tuple[tuple[str, str], ...] = ()

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name and value]


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and warnings of a response; JSON always."""

    body: bytes
    code: int = 200
    warnings: tuple[str, ...] = ()


class Handler:
    """Answers calls from one cluster."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self._cluster, self._engine = cluster, cluster.engine

    def get(self, call: Call, now: datetime) -> Answer:
        """One object, or its scale."""
        obj = self._engine.get(call.kind, call.namespace, call.target.name)
        if call.target.subresource == "scale":
            return Answer(canonical(scale_of(obj)))
        return Answer(documents.one(call.kind, obj, call.form, now, call.query.first.get("includeObject", "")))

    def list(self, call: Call, options: ListOptions, now: datetime) -> Answer:
        """One page of a collection."""
        store = self._engine.store
        if options.version.isdigit() and int(options.version) > store.version and not options.token:
            raise _too_new(options.version, store.version)
        if call.query.first.get("resourceVersionMatch") == "Exact" and options.version not in ("", str(store.version)):
            raise Gone(f"The resourceVersion for the provided list is too old: {options.version}", reason="Expired")
        listed = page(store, select(call.kind, options.scope), options.limit, options.token)
        return Answer(documents.many(call.kind, listed, call.form, now, call.query.first.get("includeObject", "")))

    async def create(self, call: Call, now: datetime) -> Answer:
        """A new object in a collection."""
        options = call.options()
        obj, unknown = read_object(call, options.validation)
        obj = self._placed(call, obj)
        return await self._written(call, self._engine.create(call.kind, obj, with_unknown(options, unknown)), now)

    async def update(self, call: Call, now: datetime) -> Answer:
        """An object replaced, or its status, or its scale."""
        options = call.options()
        if call.target.subresource == "scale":
            return await self._scale(call, self._body(call), options)
        obj, unknown = read_object(call, options.validation)
        obj = self._placed(call, obj)
        name = obj.name or call.target.name
        if name != call.target.name:
            told = f"the name of the object ({name}) does not match the name on the URL ({call.target.name})"
            raise faults.bad_request(told)
        obj = obj.with_metadata(name=name)
        return await self._written(call, self._engine.update(call.kind, obj, with_unknown(options, unknown)), now)

    async def patch(self, call: Call, now: datetime) -> Answer:
        """An object changed, or made by server-side apply."""
        options = call.options()
        try:
            kind = PatchType(call.content_type)
        except ValueError:
            _refuse_patch_type(call.kind)
        if kind is PatchType.APPLY and not call.query.first.get("fieldManager"):
            cause = faults.required("fieldManager", "is required for apply patch")
            raise faults.Rejected(
                f'PatchOptions.meta.k8s.io "" is invalid: {cause.field}: {cause.message}', reason="Invalid"
            )
        value = decode_patch(call.body, kind)
        if call.target.subresource == "scale":
            return await self._patch_scale(call, value, kind, options)
        outcome = self._engine.patch(call.kind, call.namespace, call.target.name, value, kind, options)
        return await self._written(call, outcome, now)

    async def delete(self, call: Call, now: datetime) -> Answer:
        """One object deleted, or marked."""
        wanted, propagation, dry_run = self._delete_options(call)
        name = call.target.name
        outcome = self._engine.delete(call.kind, call.namespace, name, wanted, propagation, dry_run=dry_run)
        await self._cluster.settled()
        if outcome.is_gone:
            return Answer(canonical(statuses.success(call.kind.api, name, outcome.object.uid)))
        return Answer(documents.one(call.kind, outcome.object, call.form, now))

    async def delete_collection(self, call: Call, options: ListOptions, now: datetime) -> Answer:
        """Everything that the selectors match, deleted one after the other."""
        wanted, propagation, dry_run = self._delete_options(call)
        listed = page(self._engine.store, select(call.kind, options.scope), options.limit, options.token)
        for obj in listed.items:
            if self._is_there(call.kind, obj):
                self._engine.delete(call.kind, obj.namespace, obj.name, wanted, propagation, dry_run=dry_run)
        await self._cluster.settled()
        return Answer(documents.many(call.kind, listed, call.form, now))

    async def _written(self, call: Call, outcome: Outcome, now: datetime) -> Answer:
        await self._cluster.settled()
        body = documents.one(call.kind, outcome.object, call.form, now, call.query.first.get("includeObject", ""))
        return Answer(body, 201 if outcome.is_created else 200, outcome.warnings)

    def _is_there(self, kind: ServedKind, obj: Object) -> bool:
        """A deletion before may have taken *obj* along."""
        bucket = self._engine.store.buckets.get(kind.resource)
        return bucket is not None and obj.key in bucket.objects

    def _placed(self, call: Call, obj: Object) -> Object:
        """*obj* in the namespace of the path."""
        if obj.namespace and obj.namespace != call.namespace:
            raise faults.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        return obj if obj.namespace == call.namespace else obj.with_metadata(namespace=call.namespace)

    def _body(self, call: Call) -> Json:
        body = _from_protobuf(call.body) if call.content_type == protobuf.CONTENT_TYPE else call.body
        try:
            value: Json = decode_any(body, "body")
        except DecodeError as error:
            raise faults.bad_request(str(error)) from error
        return value

    async def _scale(self, call: Call, scale: Json, options: WriteOptions) -> Answer:
        held = self._engine.get(call.kind, call.namespace, call.target.name)
        outcome = self._engine.update(call.kind, scaled(held, scale), options)
        await self._cluster.settled()
        return Answer(canonical(scale_of(outcome.object)))

    async def _patch_scale(self, call: Call, patch: Json, kind: PatchType, options: WriteOptions) -> Answer:
        current = scale_of(self._engine.get(call.kind, call.namespace, call.target.name))
        try:
            changed = apply_json_patch(current, patch) if kind is PatchType.JSON else merge(current, patch)
        except DecodeError as error:
            raise faults.bad_request(str(error)) from error
        except PatchFailed as error:
            raise faults.rejected_patch() from error
        return await self._scale(call, changed, options)

    def _delete_options(self, call: Call) -> tuple[Preconditions, Propagation, bool]:
        body = self._body(call) if call.body.strip() else {}
        query = call.query.first
        policy = dig(body, "propagationPolicy") or query.get("propagationPolicy") or Propagation.BACKGROUND.value
        if dig(body, "orphanDependents") is True or parse_flag(query, "orphanDependents"):
            policy = Propagation.ORPHAN.value
        dry = dig(body, "dryRun")
        asked = [str(one) for one in dry] if isinstance(dry, list) else []
        dry_run = parse_dry_run([*call.query.all("dryRun"), *asked])
        wanted = dig(body, "preconditions")
        preconditions = Preconditions(str(dig(wanted, "uid") or ""), str(dig(wanted, "resourceVersion") or ""))
        return preconditions, parse_propagation(str(policy)), dry_run


def watch_line(call: Call, event: WatchEvent, include: str) -> bytes:
    """*event* as a watch shows it."""
    if event.type is WatchType.BOOKMARK and call.form is Form.OBJECT:
        body = event.object.encode()
    else:
        body = documents.one(call.kind, event.object, call.form, datetime.now(UTC), include)
    return b'{"type":"%b","object":%b}\n' % (event.type.value.encode(), body)


def read_object(call: Call, validation: Validation) -> tuple[Object, list[str]]:
    """The object in a body, and the fields of its metadata that nobody knows. Raises `BadRequest`."""
    body = call.body
    if call.content_type in YAML_TYPES:
        body = canonical(decode_yaml(body))
    elif call.content_type == protobuf.CONTENT_TYPE and call.kind.row.is_typed:
        body = _from_protobuf(body)
    elif call.content_type not in JSON_TYPES:
        raise faults.bad_request(
            "the body of the request was in an unknown format - accepted media types include: application/json,"
            " application/yaml, application/vnd.kubernetes.protobuf (built-in kinds)",
            code=415,
            reason="UnsupportedMediaType",
        )
    try:
        top = decode(body, dict[str, msgspec.Raw], call.kind.api.kind)
        obj = object_from(top, call.kind.api.kind)
        unknown: list[str] = []
        if validation is not Validation.IGNORE and "metadata" in top:
            names = decode(top["metadata"], dict[str, msgspec.Raw], "metadata")
            unknown = [f"metadata.{name}" for name in names if name not in METADATA_FIELDS]
    except DecodeError as error:
        told = f"the object provided is unrecognized (must be of type {call.kind.api.kind}): {error}"
        raise faults.bad_request(told) from error
    return obj, unknown


def _from_protobuf(body: bytes) -> bytes:
    try:
        return canonical(protobuf.decode_protobuf(body))
    except DecodeError as error:
        raise faults.bad_request(str(error)) from error


def with_unknown(options: WriteOptions, unknown: list[str]) -> WriteOptions:
    """*options* that know of unknown fields."""
    return replace(options, unknown=tuple(unknown)) if unknown else options


def _refuse_patch_type(kind: ServedKind) -> NoReturn:
    accepted = [one.value for one in PatchType if kind.row.is_typed or one is not PatchType.STRATEGIC]
    raise faults.bad_request(
        "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted),
        code=415,
        reason="UnsupportedMediaType",
    )


def _too_new(version: str, current: int) -> Unavailable:
    error = Unavailable(
        f"Timeout: Too large resource version: {version}, current: {current}",
        reason="Timeout",
        retry_after_seconds=1.0,
    )
    error.code = 504
    return error
