"""A verb on an API as an HTTP request, and an HTTP failure as an error of ours. Pure.

See https://kubernetes.io/docs/reference/using-api/api-concepts/. Server-side apply is always forced: that is what
https://kubernetes.io/docs/reference/using-api/server-side-apply/ asks of programs that are not a person.
"""

from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, urlencode

import msgspec

from argocd_agent.backends.ports import PatchType, Propagation, Scope
from argocd_agent.codec import decode, encode
from argocd_agent.errors import (
    AlreadyExists,
    BadRequest,
    ClusterError,
    Conflict,
    DecodeError,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Unauthorized,
    Unavailable,
)
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object

JSON = "application/json"
TEXT_SHOWN = 200  # characters of an answer that is no Status: enough to recognise a proxy's error page


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `path` and `query` are encoded; `what` names verb, resource and object for messages."""

    what: str
    method: str
    path: str
    query: str = ""
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


class StatusCause(msgspec.Struct, frozen=True):
    field: str = ""
    message: str = ""


class StatusDetails(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    kind: str = ""
    retry_after_seconds: int = 0
    causes: tuple[StatusCause, ...] | None = None


class Status(msgspec.Struct, frozen=True):
    """What an API server says about a failure (`kind: Status`)."""

    kind: str = ""
    code: int = 0
    reason: str = ""
    message: str = ""
    details: StatusDetails | None = None


ERRORS: dict[int, type[ClusterError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: BadRequest,
    406: BadRequest,
    409: Conflict,
    410: Gone,
    413: BadRequest,
    415: BadRequest,
    422: Invalid,
    429: Unavailable,
}


def get(api: Api, namespace: str, name: str) -> Request:
    """Read one object."""
    return Request(_on_object("get", api, namespace, name), "GET", _path(api, namespace, name))


def list_page(api: Api, scope: Scope, limit: int, token: str) -> Request:
    """Read a page of at most *limit* objects; *token* is what the page before gave."""
    query = _selectors(scope) | {"limit": str(limit)} | ({"continue": token} if token else {})
    return Request(_on_scope("list", api, scope), "GET", _path(api, scope.namespace), urlencode(query))


def watch(api: Api, scope: Scope, since: str, timeout_seconds: int) -> Request:
    """Changes after version *since*; the server ends it after *timeout_seconds*."""
    query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(timeout_seconds)}
    query |= _selectors(scope) | ({"resourceVersion": since} if since else {})
    return Request(_on_scope("watch", api, scope), "GET", _path(api, scope.namespace), urlencode(query))


def create(api: Api, obj: Object, manager: str) -> Request:
    """Store a new object."""
    what = _on_object("create", api, obj.namespace, obj.name or f"{obj.metadata.generate_name}*")
    path = _path(api, _needed_namespace(what, api, obj.namespace))
    return Request(what, "POST", path, urlencode({"fieldManager": manager}), obj.encode(api))


def update(api: Api, obj: Object, manager: str, subresource: str = "") -> Request:
    """Replace an object, or a subresource of it."""
    what = _on_object("update", api, obj.namespace, obj.name, subresource)
    path = _path(api, _needed_namespace(what, api, obj.namespace), obj.name, subresource)
    return Request(what, "PUT", path, urlencode({"fieldManager": manager}), obj.encode(api))


def patch(
    api: Api, namespace: str, name: str, body: bytes, kind: PatchType, manager: str, subresource: str = ""
) -> Request:
    """Change parts of an object."""
    what = _on_object("patch", api, namespace, name, subresource)
    query = {"fieldManager": manager} | ({"force": "true"} if kind is PatchType.APPLY else {})
    path = _path(api, _needed_namespace(what, api, namespace), name, subresource)
    return Request(what, "PATCH", path, urlencode(query), body, kind.value)


def delete(api: Api, namespace: str, name: str, uid: str, version: str, propagation: Propagation) -> Request:
    """Delete an object, if *uid* and *version* (where given) are still its own."""
    what = _on_object("delete", api, namespace, name)
    conditions = ({"uid": uid} if uid else {}) | ({"resourceVersion": version} if version else {})
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation.value}
    body = encode(options | ({"preconditions": conditions} if conditions else {}))
    return Request(what, "DELETE", _path(api, _needed_namespace(what, api, namespace), name), "", body)


def failure(request: Request, code: int, body: bytes, retry_after: str = "") -> ClusterError:
    """The error for an answer with HTTP status *code*; *retry_after* is the header of that name."""
    try:
        status = decode(body, Status)
    except DecodeError:
        text = " ".join(body[: TEXT_SHOWN * 4].decode("utf-8", "replace").split())[:TEXT_SHOWN]
        status = Status(message=text)
    return status_error(request.what, status, code, retry_after)


def status_error(what: str, status: Status, code: int, retry_after: str = "") -> ClusterError:
    """The error for *status*, found while doing *what*."""
    kind = ERRORS.get(code, Unavailable if code >= 500 else ClusterError)
    if code == 409 and status.reason == "AlreadyExists":
        kind = AlreadyExists
    details = status.details or StatusDetails()
    seconds = int(retry_after) if retry_after.isascii() and retry_after.isdigit() else details.retry_after_seconds
    message = f"cannot {what}: {_said(status, code, details)} ({code} {status.reason or _phrase(code)})"
    error = kind(message, reason=status.reason, retry_after_seconds=float(seconds) if seconds or retry_after else None)
    error.code = code
    return error


def _said(status: Status, code: int, details: StatusDetails) -> str:
    """The server's words, without the resource's name where that only repeats what the message starts with."""
    said = status.message or "the server said no more"
    if code == 403:
        head, found, tail = said.partition(" is forbidden: ")
        return f"forbidden: {tail}" if found else head
    if code == 404 and not details.name:
        return f"{said} (no such kind in this cluster: is its CRD installed?)"
    return said


def _phrase(code: int) -> str:
    return HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else "unknown status"


def _path(api: Api, namespace: str | None, name: str = "", subresource: str = "") -> str:
    root = f"/apis/{api.group}/{api.version}" if api.group else f"/api/{api.version}"
    path = f"{root}/namespaces/{quote(namespace, safe='')}" if api.namespaced and namespace else root
    path = f"{path}/{api.plural}"
    path = f"{path}/{quote(name, safe='')}" if name else path
    return f"{path}/{subresource}" if subresource else path


def _selectors(scope: Scope) -> dict[str, str]:
    return ({"labelSelector": scope.labels} if scope.labels else {}) | (
        {"fieldSelector": scope.fields} if scope.fields else {}
    )


def _needed_namespace(what: str, api: Api, namespace: str) -> str:
    if api.namespaced and not namespace:
        raise BadRequest(f"cannot {what}: {api.kind} is namespaced, expected metadata.namespace, found none")
    return namespace


def _on_object(verb: str, api: Api, namespace: str, name: str, subresource: str = "") -> str:
    resource = f"{api.resource}/{subresource}" if subresource else api.resource
    place = f"{namespace}/" if api.namespaced and namespace else ""
    return f'{verb} {resource} "{place}{name}"'


def _on_scope(verb: str, api: Api, scope: Scope) -> str:
    if not api.namespaced:
        return f"{verb} {api.resource}"
    where = f'namespace "{scope.namespace}"' if scope.namespace else "all namespaces"
    return f"{verb} {api.resource} in {where}"
