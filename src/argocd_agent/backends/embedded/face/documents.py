"""Objects as the bytes of an answer: as they are, as rows of a Table, or as their metadata only. Pure.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables.
"""

from collections.abc import Sequence
from datetime import datetime

from argocd_agent.backends.embedded.face.columns import Column, columns_of
from argocd_agent.backends.embedded.face.routes import Form
from argocd_agent.backends.embedded.kinds import ServedKind
from argocd_agent.backends.embedded.listing import Listed
from argocd_agent.backends.embedded.patching import whole
from argocd_agent.backends.embedded.values import Json, JsonObject, canonical
from argocd_agent.codec import encode
from argocd_agent.resources.objects import Object

META = "meta.k8s.io/v1"


def one(kind: ServedKind, obj: Object, form: Form, now: datetime, include: str = "") -> bytes:
    """A single object. *include* is what a Table's rows carry: `Object`, `None`, else the metadata."""
    match form:
        case Form.TABLE:
            return canonical(_table(kind, [obj], {"resourceVersion": obj.version}, now, include))
        case Form.PARTIAL:
            return _partial(obj)
        case _:
            return obj.encode()


def many(kind: ServedKind, listed: Listed, form: Form, now: datetime, include: str = "") -> bytes:
    """A list."""
    metadata: JsonObject = {"resourceVersion": str(listed.version)}
    if listed.next_token:
        metadata["continue"] = listed.next_token
        if listed.remaining is not None:
            metadata["remainingItemCount"] = listed.remaining
    match form:
        case Form.TABLE:
            return canonical(_table(kind, listed.items, metadata, now, include))
        case Form.PARTIAL:
            return _list("PartialObjectMetadataList", META, metadata, [_partial(obj) for obj in listed.items])
        case _:
            items = [obj.encode() for obj in listed.items]
            return _list(f"{kind.api.kind}List", kind.api.api_version, metadata, items)


def _list(kind: str, api_version: str, metadata: JsonObject, items: Sequence[bytes]) -> bytes:
    head = canonical({"kind": kind, "apiVersion": api_version, "metadata": metadata})
    return b'%b,"items":[%b]}' % (head[:-1], b",".join(items))


def _partial(obj: Object) -> bytes:
    return b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":%b}' % encode(obj.metadata)


def _table(kind: ServedKind, items: Sequence[Object], metadata: JsonObject, now: datetime, include: str) -> JsonObject:
    columns = columns_of(kind)
    rows: list[Json] = [_row(columns, obj, now, include) for obj in items]
    definitions: list[Json] = [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": "",
            "priority": column.priority,
        }
        for column in columns
    ]
    return {
        "kind": "Table",
        "apiVersion": META,
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    }


def _row(columns: tuple[Column, ...], obj: Object, now: datetime, include: str) -> JsonObject:
    value = whole(obj)
    row: JsonObject = {"cells": [column.cell(value, now) for column in columns]}
    match include:
        case "None":
            pass
        case "Object":
            row["object"] = value
        case _:
            row["object"] = {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": value["metadata"]}
    return row
