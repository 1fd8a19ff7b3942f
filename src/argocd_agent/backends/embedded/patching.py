"""A patch of any type, applied to an object. Pure.

Server-side apply is here in an honest, simple form: the applied object is merged as a merge patch, and nobody owns
fields. Lists are replaced as wholes, except finalizers and owner references, which are sets. So a field that was
applied once and is left out the next time stays, where the real server would remove it; and nothing ever conflicts.
"""

from typing import Any  # a decoded patch

from argocd_agent.backends.embedded import faults
from argocd_agent.backends.embedded.kinds import ServedKind
from argocd_agent.backends.embedded.patches import PatchFailed, apply_json_patch, merge
from argocd_agent.backends.embedded.strategic import merge_strategically
from argocd_agent.backends.embedded.values import Json, JsonObject, canonical
from argocd_agent.backends.ports import PatchType
from argocd_agent.codec import decode, decode_any, encode
from argocd_agent.errors import DecodeError
from argocd_agent.resources.objects import Metadata, Object

METADATA_FIELDS = frozenset(Metadata.__struct_encode_fields__) | {"managedFields", "selfLink"}


def decode_patch(body: bytes, patch_type: PatchType) -> Json:
    """The patch in *body*; an applied object may be YAML. Raises `BadRequest`."""
    try:
        return _value(decode_any(body, "error decoding patch"))
    except DecodeError as error:
        if patch_type is not PatchType.APPLY:
            raise faults.bad_request(str(error)) from error
    return decode_yaml(body)


def decode_yaml(body: bytes) -> Json:
    """The one YAML document in *body*. Raises `BadRequest`."""
    import yaml  # here: it costs megabytes, and few clients send it

    try:
        loaded = yaml.safe_load(body)
        return _value(decode_any(encode(loaded), "YAML"))
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, DecodeError) as error:
        raise faults.bad_request(f"error decoding YAML: {error}") from error


def patched(kind: ServedKind, held: Object, patch: Json, patch_type: PatchType) -> tuple[Object, list[str]]:
    """*held* with *patch* applied, and the fields of metadata that nobody knows. Raises `BadRequest`, `Invalid`."""
    try:
        return _dispatch(kind, held, patch, patch_type)
    except DecodeError as error:
        raise faults.bad_request(str(error)) from error
    except PatchFailed as error:
        raise faults.rejected_patch() from error


def object_of(value: JsonObject) -> tuple[Object, list[str]]:
    """The object that *value* is, and the fields of its metadata that nobody knows. Raises `DecodeError`."""
    metadata, unknown = metadata_of(value.get("metadata"))
    return Object(metadata, {name: canonical(item) for name, item in value.items() if name != "metadata"}), unknown


def metadata_of(value: Json) -> tuple[Metadata, list[str]]:
    """Typed metadata, and the fields that nobody knows. Raises `DecodeError`."""
    if value is None:
        return Metadata(), []
    if not isinstance(value, dict):
        raise DecodeError(f"metadata: expected an object, found {type(value).__name__}")
    given: JsonObject = {name: _absent_if_null(item) for name, item in value.items() if item is not None}
    unknown = [f"metadata.{name}" for name in given if name not in METADATA_FIELDS]
    return decode(encode(given), Metadata, "metadata"), unknown


def _dispatch(kind: ServedKind, held: Object, patch: Json, patch_type: PatchType) -> tuple[Object, list[str]]:
    if patch_type is PatchType.JSON:
        result = apply_json_patch(whole(held), patch)
        if not isinstance(result, dict):
            raise DecodeError(f"error decoding patch: the result is not an object but {type(result).__name__}")
        return object_of(result)
    if not isinstance(patch, dict):
        raise DecodeError(f"error decoding patch: expected an object, found {type(patch).__name__}")
    if patch_type is PatchType.STRATEGIC:
        return _strategic(kind, held, patch)
    return _merged(held, _joined(held, patch) if patch_type is PatchType.APPLY else patch)


def _merged(held: Object, patch: JsonObject) -> tuple[Object, list[str]]:
    """A merge patch, for which only the fields it touches are decoded."""
    changes: dict[str, bytes | None] = {}
    for name, item in patch.items():
        if name != "metadata":
            changes[name] = None if item is None else canonical(merge(held.look(name), item))
    metadata, unknown = held.metadata, list[str]()
    if "metadata" in patch:
        metadata, unknown = metadata_of(merge(_builtins(held.metadata), patch["metadata"]))
    return Object(metadata, held.with_fields(changes).fields), unknown


def _strategic(kind: ServedKind, held: Object, patch: JsonObject) -> tuple[Object, list[str]]:
    """Only the top-level fields that the patch touches are decoded."""
    touched = {name.rpartition("/")[2] for name in patch}
    value = {name: item for name, item in whole(held, touched).items() if name in touched}
    merged = merge_strategically(value, patch, kind.schema.root, kind.schema.definitions)
    assert isinstance(merged, dict), "an object patched with an object is one"
    changes: dict[str, bytes | None] = dict.fromkeys(touched)
    changes |= {name: canonical(item) for name, item in merged.items() if name != "metadata"}
    metadata, unknown = held.metadata, list[str]()
    if "metadata" in touched:
        metadata, unknown = metadata_of(merged.get("metadata"))
    return Object(metadata, held.with_fields(changes).fields), unknown


def _joined(held: Object, patch: JsonObject) -> JsonObject:
    """*patch* with the held finalizers and owner references added to its own: they are sets in server-side apply."""
    applied = patch.get("metadata")
    if not isinstance(applied, dict):
        return patch
    have = _builtins(held.metadata)
    joined: JsonObject = dict(applied)
    for name, key in (("finalizers", None), ("ownerReferences", "uid")):
        own, held_items = applied.get(name), have.get(name)
        if isinstance(own, list) and isinstance(held_items, list):
            taken = [_identity(item, key) for item in own]
            joined[name] = [*(item for item in held_items if _identity(item, key) not in taken), *own]
    return {**patch, "metadata": joined}


def whole(obj: Object, names: set[str] | None = None) -> JsonObject:
    """*obj* as one JSON value; with *names*, only those of its fields are decoded."""
    fields = {name: _value(decode_any(raw, name)) for name, raw in obj.fields.items() if names is None or name in names}
    return {**fields, "metadata": _builtins(obj.metadata)}


def _builtins(metadata: Metadata) -> JsonObject:
    built: JsonObject = decode_any(encode(metadata), "metadata")
    return built


def _identity(item: Json, key: str | None) -> Json:
    return item.get(key) if key is not None and isinstance(item, dict) else item


def _absent_if_null(value: Json) -> Json:
    """A map without its nulls: a label whose value is null is no label."""
    return {name: item for name, item in value.items() if item is not None} if isinstance(value, dict) else value


def _value(decoded: Any) -> Json:
    value: Json = decoded
    return value
