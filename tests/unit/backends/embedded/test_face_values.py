"""The pure parts of the face: paths, Accept headers, tables, protobuf, access."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argocd_agent.backends.embedded.face.access import Access, Attempt, Client, common_name, split_token
from argocd_agent.backends.embedded.face.columns import age, columns_of, json_path
from argocd_agent.backends.embedded.face.protobuf import decode_protobuf
from argocd_agent.backends.embedded.face.routes import Form, Target, parse_accept, parse_path
from argocd_agent.backends.embedded.values import Json
from argocd_agent.errors import BadRequest, DecodeError, Forbidden, Unauthorized
from argocd_agent.resources.kinds import APPLICATIONS
from tests.unit.backends.embedded.builders import an_engine

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/v1/pods", Target("", "v1", "pods")),
        ("/api/v1/namespaces", Target("", "v1", "namespaces")),
        ("/api/v1/namespaces/a", Target("", "v1", "namespaces", None, "a")),
        ("/api/v1/namespaces/a/status", Target("", "v1", "namespaces", None, "a", "status")),
        ("/api/v1/namespaces/a/pods", Target("", "v1", "pods", "a")),
        ("/api/v1/namespaces/a/pods/b", Target("", "v1", "pods", "a", "b")),
        ("/apis/apps/v1/namespaces/a/deployments/b/scale", Target("apps", "v1", "deployments", "a", "b", "scale")),
        ("/apis/rbac/v1/clusterroles/system%3Aa", Target("rbac", "v1", "clusterroles", None, "system:a")),
        ("/api/v1", None),
        ("/apis/apps/v1", None),
        ("/", None),
        ("/api/v1//a", None),
        ("/api/v1/namespaces/a/pods/b/c/d", None),
    ],
)
def test_paths(path: str, target: Target | None) -> None:
    assert parse_path(path) == target


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("", Form.OBJECT),
        ("*/*", Form.OBJECT),
        ("application/vnd.kubernetes.protobuf,application/json", Form.OBJECT),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Form.TABLE),
        ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Form.PARTIAL),
        ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", Form.DISCOVERY),
        ("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json", Form.OBJECT),
    ],
)
def test_accept_headers(header: str, form: Form) -> None:
    assert parse_accept(header) is form


def test_what_we_cannot_write_is_not_acceptable() -> None:
    with pytest.raises(BadRequest) as caught:
        parse_accept("text/html")
    assert caught.value.code == 406


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0s"),
        (119, "119s"),
        (125, "2m5s"),
        (600, "10m"),
        (3 * 3600 + 60, "3h1m"),
        (9 * 3600, "9h"),
        (50 * 3600, "2d2h"),
        (20 * 86400, "20d"),
        (800 * 86400, "2y70d"),
        (-5, "<invalid>"),
    ],
)
def test_ages_are_told_as_kubectl_tells_them(seconds: int, told: str) -> None:
    then = (NOW - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")

    assert age(then, NOW) == told


def test_an_age_that_is_none_is_unknown() -> None:
    assert age(None, NOW) == "<unknown>"


def test_json_paths_of_printed_columns() -> None:
    conditions: Json = [{"type": "A", "status": "x"}, {"type": "B", "status": "y"}]
    value: Json = {"status": {"conditions": conditions, "n": 3}}

    assert json_path(value, ".status.n") == 3
    assert json_path(value, ".status.conditions[1].status") == "y"
    assert json_path(value, '.status.conditions[?(@.type=="A")].status') == "x"
    assert json_path(value, ".status.missing[0].x") is None
    assert json_path(value, ".status.conditions[7]") is None


def test_applications_show_sync_and_health() -> None:
    columns = columns_of(an_engine().kind(APPLICATIONS))
    app: Json = {
        "metadata": {"name": "a"},
        "spec": {"project": "p"},
        "status": {"sync": {"status": "Synced", "revision": "r"}, "health": {"status": "Healthy"}},
    }

    assert [(column.name, column.priority) for column in columns] == [
        ("Name", 0),
        ("Sync Status", 0),
        ("Health Status", 0),
        ("Revision", 10),
        ("Project", 10),
    ]
    assert [column.cell(app, NOW) for column in columns] == ["a", "Synced", "Healthy", "r", "p"]


# What `kubectl create namespace argocd` and `kubectl create configmap cm --from-literal=a=b` of 1.36 send.
_NOTHING = b'\x12\0\x1a\0"\0*\x002\08\0B\0'  # metadata's empty fields
NAMESPACE = b'k8s\0\n\x0f\n\x02v1\x12\tNamespace\x12\x1e\n\x16\n\x06argocd%b\x12\0\x1a\x02\n\0\x1a\0"\0' % _NOTHING
CONFIGMAP = b"k8s\0\n\x0f\n\x02v1\x12\tConfigMap\x12\x1c\n\x12\n\x02cm%b\x12\x06\n\x01a\x12\x01b" % _NOTHING


def test_protobuf_of_kubectl_is_read() -> None:
    namespace, configmap = decode_protobuf(NAMESPACE), decode_protobuf(CONFIGMAP)

    assert namespace == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "argocd"},
        "spec": {},
        "status": {},
    }
    assert configmap["data"] == {"a": "b"}


@given(st.binary(max_size=80))
def test_any_bytes_are_protobuf_or_refused(data: bytes) -> None:
    for body in (data, b"k8s\0" + data, CONFIGMAP[:20] + data):
        try:
            result = decode_protobuf(body)
        except DecodeError:
            continue
        assert "kind" in result


def test_a_token_counts_as_header_and_in_front_of_the_path() -> None:
    access = Access([Client("secret")])

    assert split_token("/token/secret/api/v1", "") == ("/api/v1", "Bearer secret")
    assert split_token("/api/v1", "Bearer x") == ("/api/v1", "Bearer x")
    assert access.authenticate("Bearer secret", None).user == "admin"
    for wrong in ("", "Bearer other", "Basic secret"):
        with pytest.raises(Unauthorized):
            access.authenticate(wrong, None)


def test_a_certificate_counts_by_its_common_name() -> None:
    certificate = {"subject": ((("organizationName", "o"),), (("commonName", "alice"),))}

    assert common_name(certificate) == "alice"
    assert Access([]).authenticate("", certificate).user == "alice"


def test_what_a_user_may_not_do_is_named() -> None:
    reader = Client("t", "reader", lambda attempt: attempt.verb == "get")
    attempt = Attempt("delete", "applications", "argoproj.io", "argocd", "x")

    with pytest.raises(Forbidden, match=r'User "reader" cannot delete resource "applications" in API group'):
        Access([reader]).authorize(reader, attempt)


def test_tokens_are_not_shown() -> None:
    assert "secret" not in repr(Client("secret"))
