"""kubepaths: the table of paths, and what no path may do."""

import pytest

from argocd_agent.errors import DecodeError
from argocd_agent.wire.kubepaths import KubePath, parse_path, path_of

ROUTED = {
    "/api": KubePath(),
    "/apis": KubePath(is_core=False),
    "/api/v1": KubePath(version="v1"),
    "/api/v1/": KubePath(version="v1"),
    "/apis/apps/v1": KubePath(is_core=False, group="apps", version="v1"),
    "/apis/apps/v1/": KubePath(is_core=False, group="apps", version="v1"),
    "/api/v1/nodes": KubePath(version="v1", resource="nodes"),
    "/api/v1/nodes/a/status": KubePath(version="v1", resource="nodes", name="a", subresource="status"),
    "/api/v1/namespaces/a": KubePath(version="v1", resource="namespaces", name="a"),
    "/api/v1/namespaces/a/finalize": KubePath(version="v1", resource="namespaces", name="a", subresource="finalize"),
    "/api/v1/namespaces/a/pods": KubePath(version="v1", namespace="a", resource="pods"),
    "/api/v1/namespaces/a/pods/p": KubePath(version="v1", namespace="a", resource="pods", name="p"),
    "/api/v1/namespaces/a/pods/p/log": KubePath(
        version="v1", namespace="a", resource="pods", name="p", subresource="log"
    ),
    "/apis/apps/v1/namespaces/a/deployments/d/scale": KubePath(
        False, "apps", "v1", "a", "deployments", "d", "scale"
    ),
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode": KubePath(
        False, "rbac.authorization.k8s.io", "v1", resource="clusterroles", name="system:node"
    ),
}  # fmt: skip


@pytest.mark.feature("P-90")
@pytest.mark.parametrize(("path", "named"), ROUTED.items())
def test_a_path_of_the_table_names_what_it_says(path: str, named: KubePath) -> None:
    assert parse_path(path) == named
    assert parse_path(path_of(named)) == named


@pytest.mark.feature("P-90", "C-48")
@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/api/",
        "/apis/",
        "/apis/apps",
        "/apis/apps/",
        "/version/",
        "/healthz",
        "/openapi/v3",
        "/api/1",
        "/apis/apps/beta1/deployments",
        "/api/v1/namespaces/a/pods/",
        "/api/v1/namespaces/a/pods/p/proxy/foo",
        "/api/v1/nodes/a/proxy/b",
        "http://elsewhere/api/v1",
        "*",
    ],
)
def test_a_path_outside_of_the_table_is_refused_with_the_table(path: str) -> None:
    with pytest.raises(DecodeError, match=r"expected"):
        parse_path(path)


@pytest.mark.feature("A-83")
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/a/pods/..",
        "/api/v1/namespaces/../secrets/x",
        "/api/v1/namespaces/%2e%2e/secrets/x",
        "/api/v1/namespaces/a%2f..%2fkube-system/pods/p",
        "/api/v1/namespaces/a/pods/p%2Fexec",
        "/api/v1/namespaces/a%5cb/pods/p",
        "/api/v1/namespaces/a/pods/p%00",
        "/api/v1/namespaces/a/pods/p%0d%0aX-Y:z",
        "/api/v1/namespaces/a/pods/p%252fexec",
        "/api/v1/namespaces/a/pods/%ff",
        "/api/v1/namespaces/a/pods/p%",
        "/api/v1/namespaces/a/pods/p%zz",
        "/api/v1//namespaces/a/pods",
        "//api/v1/pods",
        "/api/v1/namespaces/a/pods/ü",
    ],
)
def test_no_path_leads_elsewhere_encoded_or_not(path: str) -> None:
    with pytest.raises(DecodeError, match=r"path '.*': expected"):
        parse_path(path)


def test_a_path_is_no_longer_than_its_limit() -> None:
    with pytest.raises(DecodeError, match="at most 4096 bytes"):
        parse_path("/api/v1/" + "x" * 5000)


@pytest.mark.parametrize(
    "what",
    [
        KubePath(version="v1", resource="pods", name="a/b"),
        KubePath(version="v1", resource="pods", namespace="..", name="a"),
        KubePath(version="v1", name="a"),
        KubePath(version="v1", namespace="a"),
        KubePath(resource="pods"),
        KubePath(version="v1", resource="namespaces", name="a", subresource="pods"),
        KubePath(version="v1", resource="pods", subresource="log"),
        KubePath(version="1", resource="pods"),
    ],
)
def test_what_no_path_names_has_none(what: KubePath) -> None:
    with pytest.raises(DecodeError):
        path_of(what)
