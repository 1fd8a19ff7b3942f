"""requests: what is sent for each verb, and what a failure is called."""

import pytest

from argocd_agent.backends.kubernetes import requests
from argocd_agent.backends.ports import EVERYTHING, PatchType, Propagation, Scope
from argocd_agent.codec import decode_any, encode
from argocd_agent.errors import (
    AlreadyExists,
    BadRequest,
    ClusterError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Unauthorized,
    Unavailable,
)
from argocd_agent.resources.kinds import APPLICATIONS, NAMESPACES, SECRETS
from argocd_agent.resources.objects import Metadata, new_object

ROOT = "/apis/argoproj.io/v1alpha1"


def test_paths_of_groups_namespaces_and_the_core() -> None:
    assert requests.get(APPLICATIONS, "argocd", "guestbook").path == f"{ROOT}/namespaces/argocd/applications/guestbook"
    assert requests.get(SECRETS, "argocd", "s").path == "/api/v1/namespaces/argocd/secrets/s"
    assert requests.get(NAMESPACES, "ignored", "argocd").path == "/api/v1/namespaces/argocd"
    assert requests.list_page(APPLICATIONS, EVERYTHING, 5, "").path == f"{ROOT}/applications"


def test_names_cannot_leave_their_place_in_the_path() -> None:
    assert requests.get(SECRETS, "../x", "a/b?c").path == "/api/v1/namespaces/..%2Fx/secrets/a%2Fb%3Fc"


def test_a_list_asks_for_a_page_of_what_is_selected() -> None:
    scope = Scope("argocd", labels="a in (b,c)", fields="metadata.name=x")

    query = requests.list_page(APPLICATIONS, scope, 50, "t=").query

    assert query == "labelSelector=a+in+%28b%2Cc%29&fieldSelector=metadata.name%3Dx&limit=50&continue=t%3D"


def test_a_watch_asks_for_bookmarks_and_an_end() -> None:
    query = requests.watch(APPLICATIONS, EVERYTHING, "42", 301).query

    assert query == "watch=true&allowWatchBookmarks=true&timeoutSeconds=301&resourceVersion=42"


def test_only_an_apply_is_forced() -> None:
    queries = {
        kind: requests.patch(APPLICATIONS, "n", "x", b"{}", kind, "me").query
        for kind in (PatchType.MERGE, PatchType.APPLY)
    }

    assert queries == {PatchType.MERGE: "fieldManager=me", PatchType.APPLY: "fieldManager=me&force=true"}


def test_a_patch_goes_out_as_what_it_is() -> None:
    request = requests.patch(APPLICATIONS, "n", "x", b"[]", PatchType.JSON, "me", "status")

    assert (request.method, request.content_type) == ("PATCH", "application/json-patch+json")
    assert request.path == f"{ROOT}/namespaces/n/applications/x/status"
    assert request.what == 'patch applications.argoproj.io/status "n/x"'


def test_a_delete_carries_its_conditions() -> None:
    bare = decode_any(requests.delete(SECRETS, "n", "x", "", "", Propagation.BACKGROUND).body)
    full = decode_any(requests.delete(SECRETS, "n", "x", "u-1", "7", Propagation.FOREGROUND).body)

    assert "preconditions" not in bare
    assert full["preconditions"] == {"uid": "u-1", "resourceVersion": "7"}
    assert full["propagationPolicy"] == "Foreground"


def test_a_create_carries_api_version_and_kind() -> None:
    obj = new_object(APPLICATIONS, Metadata(generate_name="run-", namespace="n"), spec={})

    request = requests.create(APPLICATIONS, obj, "me")

    body = decode_any(request.body)
    assert (body["apiVersion"], body["kind"]) == ("argoproj.io/v1alpha1", "Application")
    assert (request.method, request.path) == ("POST", f"{ROOT}/namespaces/n/applications")
    assert request.what == 'create applications.argoproj.io "n/run-*"'


def test_a_namespaced_object_without_a_namespace_is_not_sent() -> None:
    with pytest.raises(
        BadRequest, match=r'cannot create secrets "x": Secret is namespaced, expected metadata\.namespace'
    ):
        requests.create(SECRETS, new_object(SECRETS, Metadata(name="x")), "me")


GET = requests.get(APPLICATIONS, "argocd", "guestbook")


def a_status(code: int, reason: str, message: str, **details: object) -> bytes:
    return encode({"kind": "Status", "code": code, "reason": reason, "message": message, "details": details})


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", BadRequest),
        (401, "Unauthorized", Unauthorized),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (405, "MethodNotAllowed", BadRequest),
        (409, "Conflict", Conflict),
        (409, "AlreadyExists", AlreadyExists),
        (410, "Expired", Gone),
        (413, "RequestEntityTooLarge", BadRequest),
        (415, "UnsupportedMediaType", BadRequest),
        (418, "Teapot", ClusterError),
        (422, "Invalid", Invalid),
        (429, "TooManyRequests", Unavailable),
        (500, "InternalError", Unavailable),
        (504, "Timeout", Unavailable),
    ],
)
def test_each_status_has_its_error(code: int, reason: str, kind: type[ClusterError]) -> None:
    error = requests.failure(GET, code, a_status(code, reason, "no"))

    assert type(error) is kind
    assert (error.code, error.reason) == (code, reason)
    assert str(error).startswith('cannot get applications.argoproj.io "argocd/guestbook": ')


def test_a_refusal_says_who_may_not_do_what() -> None:
    said = 'applications.argoproj.io "guestbook" is forbidden: User "x" cannot get resource "applications"'

    error = requests.failure(GET, 403, a_status(403, "Forbidden", said, name="guestbook"))

    assert str(error) == (
        'cannot get applications.argoproj.io "argocd/guestbook": '
        'forbidden: User "x" cannot get resource "applications" (403 Forbidden)'
    )


def test_a_missing_kind_is_told_from_a_missing_object() -> None:
    kind = requests.failure(GET, 404, b"404 page not found\n")
    obj = requests.failure(GET, 404, a_status(404, "NotFound", 'applications "guestbook" not found', name="guestbook"))

    assert "404 page not found (no such kind in this cluster: is its CRD installed?) (404 Not Found)" in str(kind)
    assert "CRD" not in str(obj)


def test_a_proxys_error_page_is_shown_in_part() -> None:
    error = requests.failure(GET, 502, b"<html>\n  Bad   gateway" + b"x" * 5000)

    assert "<html> Bad gatewayxxx" in str(error)
    assert len(str(error)) < 350


def test_when_to_come_back_is_kept() -> None:
    by_header = requests.failure(GET, 429, b"", "3")
    by_status = requests.failure(GET, 500, a_status(500, "ServerTimeout", "", retryAfterSeconds=2))
    never_said = requests.failure(GET, 500, b"")
    unreadable = requests.failure(GET, 429, b"", "Fri, 31 Dec 1999 23:59:59 GMT")

    errors = (by_header, by_status, never_said, unreadable)
    assert [error.retry_after_seconds for error in errors] == [3.0, 2.0, None, 0.0]
