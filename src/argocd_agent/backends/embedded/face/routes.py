"""Kubernetes API paths and query parameters as values. Pure.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from argocd_agent.backends.embedded import faults
from argocd_agent.backends.embedded.engine import Validation
from argocd_agent.backends.ports import Propagation, Scope


@dataclass(frozen=True, slots=True)
class Target:
    """What a resource path points at. `namespace` None: not in the path; `name` empty: the collection."""

    group: str
    version: str
    plural: str
    namespace: str | None = None
    name: str = ""
    subresource: str = ""


class Form(StrEnum):
    """In which form the client wants objects, by its Accept header."""

    OBJECT = "Object"
    TABLE = "Table"
    PARTIAL = "PartialObjectMetadata"
    DISCOVERY = "APIGroupDiscoveryList"


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Parameters of list, watch and deletecollection."""

    scope: Scope
    limit: int = 0
    token: str = ""
    version: str = ""
    is_watch: bool = False
    wants_bookmarks: bool = False
    wants_initial_events: bool = False
    timeout_seconds: float | None = None


def parse_path(path: str) -> Target | None:
    """The target of *path* (still percent-encoded), None where it is not a resource path."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) >= 3:
        group, version, *rest = "", *parts[1:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, *rest = parts[1:]
    else:
        return None
    if any(not part for part in rest) or len(rest) > 5:
        return None
    namespace = None
    # `namespaces/x/status` is about the namespace itself, `namespaces/x/pods` about what is in it.
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        return None
    plural, name, subresource = (*rest, "", "")[:3]
    return Target(group, version, plural, namespace, name, subresource)


def parse_accept(header: str) -> Form:
    """The first form that we have among those in *header*. Raises `BadRequest` (406) when there is none."""
    for choice in (header or "*/*").split(","):
        kind, *parameters = (part.strip() for part in choice.split(";"))
        given = dict(parameter.partition("=")[::2] for parameter in parameters)
        if kind not in ("application/json", "*/*", "application/*"):
            continue
        match given.get("as", ""):
            case "":
                return Form.OBJECT
            case "Table":
                return Form.TABLE
            case "PartialObjectMetadata" | "PartialObjectMetadataList":
                return Form.PARTIAL
            case "APIGroupDiscoveryList" if given.get("v") == "v2":
                return Form.DISCOVERY
    raise faults.bad_request(
        "only the following media types are accepted: application/json", code=406, reason="NotAcceptable"
    )


def parse_list(target: Target, query: Mapping[str, str]) -> ListOptions:
    """List options of a request. Raises `BadRequest`."""
    fields = query.get("fieldSelector", "")
    if target.name:
        fields = f"metadata.name={target.name}" + (f",{fields}" if fields else "")
    timeout = query.get("timeoutSeconds")
    return ListOptions(
        Scope(target.namespace, query.get("labelSelector", ""), fields),
        limit=parse_number(query, "limit"),
        token=query.get("continue", ""),
        version=query.get("resourceVersion", ""),
        is_watch=parse_flag(query, "watch"),
        wants_bookmarks=parse_flag(query, "allowWatchBookmarks"),
        wants_initial_events=parse_flag(query, "sendInitialEvents"),
        timeout_seconds=float(parse_number(query, "timeoutSeconds")) if timeout else None,
    )


def parse_flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean parameter, as Go reads it."""
    return query.get(name, "").lower() in ("1", "true", "t")


def parse_number(query: Mapping[str, str], name: str) -> int:
    """A number that is not negative, 0 where it is not given. Raises `BadRequest`."""
    text = query.get(name, "") or "0"
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise faults.bad_request(f"{name}: {text!r} is not a number of 0 or more")
    return int(text)


def parse_dry_run(values: list[str]) -> bool:
    """Whether nothing shall be kept. Raises `BadRequest`."""
    if any(value != "All" for value in values):
        raise faults.bad_request(f"dryRun: expected All, found {', '.join(values)}")
    return bool(values)


def parse_validation(query: Mapping[str, str]) -> Validation:
    """What becomes of unknown fields: warnings, unless the client says otherwise. Raises `BadRequest`."""
    text = query.get("fieldValidation") or Validation.WARN.value
    try:
        return Validation(text)
    except ValueError as error:
        raise faults.bad_request(f"fieldValidation: expected Strict, Warn or Ignore, found {text}") from error


def parse_propagation(text: str) -> Propagation:
    """A propagation policy. Raises `BadRequest`."""
    try:
        return Propagation(text)
    except ValueError as error:
        message = f"propagationPolicy: expected Foreground, Background or Orphan, found {text}"
        raise faults.bad_request(message) from error
