"""kubeconfig: which file, which context, which credentials, and what a person reads when one is wrong."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from argocd_agent.backends.kubernetes import KubeConfig, load
from argocd_agent.errors import ConfigError

PEM = b"-----BEGIN CERTIFICATE-----\n"
PEM_BASE64 = base64.b64encode(PEM).decode()


def a_kubeconfig(
    name: str = "dev", *, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, namespace: str = ""
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example.com:6443", **(cluster or {})}}],
        "users": [{"name": f"{name}-user", "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": f"{name}-user", "namespace": namespace}}],
    }


def written(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(json.dumps(content))
    return path


def loaded(folder: Path, **parts: Any) -> KubeConfig:
    return load(str(written(folder / "config", a_kubeconfig(**parts))))


def test_a_given_path_wins_over_the_environment(tmp_path: Path) -> None:
    given = written(tmp_path / "given", a_kubeconfig("given"))
    other = written(tmp_path / "other", a_kubeconfig("other"))

    config = load(str(given), environ={"KUBECONFIG": str(other)})

    assert (config.server, config.context, config.namespace) == ("https://given.example.com:6443", "given", "default")


def test_yaml_is_read_as_well(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "current-context: a\nclusters:\n- name: a\n  cluster: {server: 'https://a:1/'}\n"
        "users: null\ncontexts:\n- {name: a, context: {cluster: a, user: null, namespace: team}}\n"
    )

    config = load(str(tmp_path / "config"))

    assert (config.server, config.namespace) == ("https://a:1", "team")


def test_files_of_the_environment_are_merged_and_the_first_of_a_name_counts(tmp_path: Path) -> None:
    first = written(tmp_path / "first", a_kubeconfig("a", cluster={"server": "https://first"}))
    second = written(
        tmp_path / "second",
        {
            "current-context": "b",
            "clusters": [
                {"name": "a", "cluster": {"server": "https://second"}},
                {"name": "b", "cluster": {"server": "https://b"}},
            ],
            "contexts": [{"name": "b", "context": {"cluster": "b", "user": "a-user"}}],
        },
    )
    environ = {"KUBECONFIG": f"{tmp_path / 'absent'}:{first}::{second}"}

    servers = [load("", context, environ).server for context in ("", "a", "b")]

    assert servers == ["https://first", "https://first", "https://b"]


def test_the_home_folder_is_looked_at_last(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    written(tmp_path / ".kube" / "config", a_kubeconfig("home"))

    assert load(environ={"HOME": str(tmp_path)}).context == "home"


def test_a_pod_uses_its_service_account(tmp_path: Path) -> None:
    for name, content in {"token": "t", "ca.crt": PEM.decode(), "namespace": "argocd\n"}.items():
        (tmp_path / name).write_text(content)
    environ = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}

    config = load(environ=environ, service_account=tmp_path)

    assert (config.server, config.namespace, config.context) == ("https://[fd00::1]:6443", "argocd", "in-cluster")
    assert config.user.token_file == str(tmp_path / "token")
    assert config.ca.read() == PEM


def test_a_pod_without_a_token_is_told_where_it_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"service account has no token: expected the file {tmp_path}/token"):
        load(environ={"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, service_account=tmp_path)


def test_relative_paths_start_at_their_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(PEM)
    user = {"tokenFile": "secret/token"}

    config = loaded(tmp_path, cluster={"certificate-authority": "ca.pem"}, user=user)

    assert config.ca.read() == PEM
    assert config.user.token_file == str(tmp_path / "secret" / "token")


def test_data_wins_over_a_path(tmp_path: Path) -> None:
    config = loaded(tmp_path, cluster={"certificate-authority": "absent", "certificate-authority-data": PEM_BASE64})

    assert config.ca.read() == PEM


def test_everything_about_tls_and_identity_is_taken(tmp_path: Path) -> None:
    user = {
        "client-certificate-data": PEM_BASE64,
        "client-key-data": base64.b64encode(b"key").decode(),
        "token": "t0ken",
        "as": "alice",
        "as-groups": ["g1", "g2"],
        "as-user-extra": {"example.com/scope": ["x"]},
    }

    config = loaded(tmp_path, cluster={"insecure-skip-tls-verify": True, "tls-server-name": "api.internal"}, user=user)

    assert (config.skips_verification, config.server_name) == (True, "api.internal")
    assert (config.user.certificate.read(), config.user.key.read(), config.user.token) == (PEM, b"key", "t0ken")
    assert config.user.impersonation == (
        ("Impersonate-User", "alice"),
        ("Impersonate-Group", "g1"),
        ("Impersonate-Group", "g2"),
        ("Impersonate-Extra-example.com%2Fscope", "x"),
    )


def test_a_plugin_gets_our_environment_and_its_own(tmp_path: Path) -> None:
    entry = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "./bin/login",
        "args": ["--quiet"],
        "env": [{"name": "REGION", "value": "north"}],
        "provideClusterInfo": True,
        "interactiveMode": "Never",
    }
    path = written(tmp_path / "config", a_kubeconfig(user={"exec": entry}))

    plugin = load(str(path), environ={"PATH": "/bin"}).user.plugin

    assert plugin is not None
    assert (plugin.command, plugin.arguments) == (str(tmp_path / "bin" / "login"), ("--quiet",))
    assert plugin.environ == {"PATH": "/bin", "REGION": "north"}
    assert plugin.wants_cluster


def test_a_server_without_a_scheme_is_https_when_tls_is_spoken_of(tmp_path: Path) -> None:
    secure = loaded(tmp_path, cluster={"server": "host:6443", "insecure-skip-tls-verify": True})
    plain = loaded(tmp_path, cluster={"server": "host:8080"})

    assert (secure.server, plain.server) == ("https://host:6443", "http://host:8080")


def test_secrets_are_not_in_the_repr(tmp_path: Path) -> None:
    key = base64.b64encode(b"very secret key").decode()
    users: list[dict[str, Any]] = [
        {"token": "t0p-secret"},
        {"username": "u", "password": "t0p-secret"},
        {"client-certificate-data": PEM_BASE64, "client-key-data": key},
    ]

    shown = "".join(repr(loaded(tmp_path, user=user)) for user in users)

    assert "t0p-secret" not in shown
    assert "very secret key" not in shown


def test_an_unknown_context_names_those_there_are(tmp_path: Path) -> None:
    path = written(tmp_path / "config", a_kubeconfig("dev"))

    with pytest.raises(ConfigError, match=rf'{path}: no context "prod"; contexts: dev'):
        load(str(path), "prod")


def test_no_configuration_at_all_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"no Kubernetes configuration: .* looked at {tmp_path}/\.kube/config"):
        load(environ={"HOME": str(tmp_path)})


def test_a_given_path_that_is_absent_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"kubeconfig .*/absent: cannot be read: No such file"):
        load(str(tmp_path / "absent"), environ={"KUBERNETES_SERVICE_HOST": "10.0.0.1"})


EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "command": "login"}
BAD_PARTS: dict[str, tuple[dict[str, Any], str]] = {
    "no server": ({"cluster": {"server": ""}}, r'cluster "dev" in .*config: server: expected a URL .* found ""'),
    "strange scheme": ({"cluster": {"server": "ftp://x"}}, r'expected a URL like https://host:6443, found "ftp://x"'),
    "bad port": ({"cluster": {"server": "https://x:99999"}}, r"expected a URL"),
    "absent ca": ({"cluster": {"certificate-authority": "ca"}}, r'cluster "dev".*certificate-authority: cannot read'),
    "ca not base64": ({"cluster": {"certificate-authority-data": "%"}}, r"certificate-authority-data: expected base64"),
    "key without certificate": (
        {"user": {"client-key-data": PEM_BASE64}},
        r'user "dev-user".*client-certificate is mis',
    ),
    "token and password": ({"user": {"token": "t", "username": "u"}}, r"both a token and a username"),
    "legacy provider": ({"user": {"auth-provider": {"name": "gcp"}}}, r"auth-provider is no longer supported"),
    "old plugin API": (
        {"user": {"exec": EXEC | {"apiVersion": "v0"}}},
        r'exec\.apiVersion: expected one of .*found "v0"',
    ),
    "plugin without command": ({"user": {"exec": EXEC | {"command": ""}}}, r"exec\.command is empty"),
    "interactive plugin": ({"user": {"exec": EXEC | {"interactiveMode": "Always"}}}, r"nobody here to type"),
    "wrong type": ({"user": {"token": ["t"]}}, r"kubeconfig .*config: Expected `str`, got `array`"),
    "socks proxy": ({"cluster": {"proxy-url": "socks5://p:1080"}}, r"proxy-url: expected the URL of an http or https"),
}


@pytest.mark.parametrize("name", BAD_PARTS)
def test_a_wrong_part_is_named(name: str, tmp_path: Path) -> None:
    parts, message = BAD_PARTS[name]

    with pytest.raises(ConfigError, match=message):
        loaded(tmp_path, **parts)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("clusters", r'context "dev" names cluster "dev"; clusters: none'),
        ("users", r'context "dev" names user "dev-user"; users: none'),
        ("current-context", r"no current-context is set and none was asked for; contexts: dev"),
    ],
)
def test_a_missing_entry_is_named(key: str, message: str, tmp_path: Path) -> None:
    content = {name: value for name, value in a_kubeconfig().items() if name != key}

    with pytest.raises(ConfigError, match=message):
        load(str(written(tmp_path / "config", content)))


@pytest.mark.parametrize("text", ["{", "a: b: c", "- 1", "\x00", "clusters: {a: b}"])
def test_what_is_no_kubeconfig_is_refused_by_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(text)

    with pytest.raises(ConfigError, match=str(path)):
        load(str(path))
