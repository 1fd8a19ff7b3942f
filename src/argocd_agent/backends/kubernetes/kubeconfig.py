"""Kubeconfig files as client-go reads them, and a pod's service account where there are none.

In order: the given path; the files of `KUBECONFIG`, merged (of two entries of one name the first counts, files that do
not exist are passed over); `~/.kube/config`; the service account of the pod that we run in. Legacy `auth-provider`
entries are refused with the reason. See https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/.

Read once, at start; the environment comes in as an argument. A file that is JSON is read without the YAML library,
which an agent then does not have to hold in memory.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from argocd_agent.backends.kubernetes.config import KubeConfig, Pem, Plugin, User
from argocd_agent.backends.kubernetes.kubeconfigfile import (
    ClusterEntry,
    ContextEntry,
    ExecEntry,
    File,
    UserEntry,
    read_file,
)
from argocd_agent.backends.kubernetes.proxying import proxy_for
from argocd_agent.errors import ConfigError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PLUGIN_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


def load(
    path: str = "", context: str = "", environ: Mapping[str, str] | None = None, service_account: Path = SERVICE_ACCOUNT
) -> KubeConfig:
    """The configuration for *context* (the current one if empty) from *path* or where client-go would look.

    *environ* holds `KUBECONFIG`, `HOME`, `KUBERNETES_SERVICE_HOST`, proxy variables, and what credential plugins get.
    Raises `ConfigError`: no configuration at all, an unreadable file, an unknown context (it names those there are).
    """
    environ = environ or {}
    files = _files(path, environ)
    if files:
        merged = _Merged(files)
        if merged.contexts or merged.current or context or path:
            return _from_files(merged, context, environ)
    if environ.get("KUBERNETES_SERVICE_HOST"):
        if context:
            raise ConfigError(f'context "{context}" was asked for, but there is no kubeconfig file; we are in a pod')
        return _in_cluster(environ, service_account)
    looked = ", ".join(str(file.path) for file in files) or ", ".join(map(str, _candidates(environ))) or "no file"
    raise ConfigError(
        f"no Kubernetes configuration: expected --kubeconfig, KUBECONFIG, ~/.kube/config or a pod's service account; "
        f"looked at {looked} and found no context"
    )


class _Merged:
    """The entries of several files by name; the first of a name counts."""

    def __init__(self, files: list[File]) -> None:
        self.files = files
        self.clusters: dict[str, tuple[ClusterEntry, Path]] = {}
        self.users: dict[str, tuple[UserEntry, Path]] = {}
        self.contexts: dict[str, ContextEntry] = {}
        self.current = next((file.content.current_context for file in files if file.content.current_context), "")
        for file in files:
            for cluster in file.content.clusters:
                self.clusters.setdefault(cluster.name, (cluster.cluster, file.path))
            for user in file.content.users:
                self.users.setdefault(user.name, (user.user, file.path))
            for context in file.content.contexts:
                self.contexts.setdefault(context.name, context.context)

    @property
    def paths(self) -> str:
        return ", ".join(str(file.path) for file in self.files)


@dataclass(frozen=True, slots=True)
class _Where:
    """An entry for messages, and the folder that its relative paths start from."""

    what: str
    file: Path

    def __str__(self) -> str:
        return f"{self.what} in {self.file}"

    def resolved(self, path: str) -> str:
        return str(self.file.parent / path) if path else ""


def _candidates(environ: Mapping[str, str]) -> list[Path]:
    listed = [part for part in environ.get("KUBECONFIG", "").split(":") if part]
    if listed:
        return [Path(part) for part in dict.fromkeys(listed)]
    home = environ.get("HOME", "")
    return [Path(home) / ".kube" / "config"] if home else []


def _files(path: str, environ: Mapping[str, str]) -> list[File]:
    if path:
        return [read_file(Path(path).absolute())]
    return [read_file(candidate.absolute()) for candidate in _candidates(environ) if candidate.exists()]


def _from_files(merged: _Merged, wanted: str, environ: Mapping[str, str]) -> KubeConfig:
    name = wanted or merged.current
    there = ", ".join(sorted(merged.contexts)) or "none"
    if not name:
        raise ConfigError(f"{merged.paths}: no current-context is set and none was asked for; contexts: {there}")
    if name not in merged.contexts:
        raise ConfigError(f'{merged.paths}: no context "{name}"; contexts: {there}')
    context = merged.contexts[name]
    if context.cluster not in merged.clusters:
        clusters = ", ".join(sorted(merged.clusters)) or "none"
        raise ConfigError(f'{merged.paths}: context "{name}" names cluster "{context.cluster}"; clusters: {clusters}')
    if context.user and context.user not in merged.users:
        users = ", ".join(sorted(merged.users)) or "none"
        raise ConfigError(f'{merged.paths}: context "{name}" names user "{context.user}"; users: {users}')
    entry, file = merged.clusters[context.cluster]
    where = _Where(f'cluster "{context.cluster}"', file)
    server = _server(entry, where)
    user_entry, user_file = merged.users.get(context.user, (UserEntry(), file))
    return KubeConfig(
        server=server,
        user=_user(user_entry, _Where(f'user "{context.user}"', user_file), context.user, environ),
        context=name,
        namespace=context.namespace or "default",
        ca=_pem(entry.certificate_authority_data, entry.certificate_authority, "certificate-authority", where),
        skips_verification=entry.insecure_skip_tls_verify,
        server_name=entry.tls_server_name,
        proxy=proxy_for(server, entry.proxy_url, environ, str(where)),
    )


def _server(entry: ClusterEntry, where: _Where) -> str:
    """Without a scheme it is HTTPS if anything about TLS is said, as for client-go."""
    server = entry.server
    if server and "://" not in server:
        speaks_tls = entry.certificate_authority or entry.certificate_authority_data or entry.insecure_skip_tls_verify
        server = f"{'https' if speaks_tls else 'http'}://{server}"
    try:
        parts = urlsplit(server)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        known = None
    if not known:
        raise ConfigError(f'{where}: server: expected a URL like https://host:6443, found "{entry.server}"')
    return server.rstrip("/")


def _user(entry: UserEntry, where: _Where, name: str, environ: Mapping[str, str]) -> User:
    if entry.auth_provider is not msgspec.UNSET:
        raise ConfigError(f"{where}: auth-provider is no longer supported by Kubernetes; use exec")
    certificate = _pem(entry.client_certificate_data, entry.client_certificate, "client-certificate", where)
    key = _pem(entry.client_key_data, entry.client_key, "client-key", where)
    if bool(certificate) != bool(key):
        missing = "client-key" if certificate else "client-certificate"
        raise ConfigError(f"{where}: client-certificate and client-key go together, {missing} is missing")
    if entry.token and entry.username:
        raise ConfigError(f"{where}: both a token and a username are given; expected one of them")
    return User(
        name=name,
        certificate=certificate,
        key=key,
        token=entry.token,
        token_file=where.resolved(entry.token_file),
        username=entry.username,
        password=entry.password,
        plugin=None if entry.exec is None else _plugin(entry.exec, where, environ),
        impersonation=_impersonation(entry),
    )


def _pem(data: str, path: str, key: str, where: _Where) -> Pem:
    """Data wins over a path, as for client-go. Read once here, so that a wrong one is noticed at start."""
    if data:
        try:
            return Pem(data=base64.b64decode(data, validate=True), what=f"{where}: {key}-data")
        except binascii.Error as error:
            raise ConfigError(f"{where}: {key}-data: expected base64: {error}") from error
    pem = Pem(path=where.resolved(path), what=f"{where}: {key}")
    pem.read()
    return pem


def _plugin(entry: ExecEntry, where: _Where, environ: Mapping[str, str]) -> Plugin:
    if entry.api_version not in PLUGIN_VERSIONS:
        raise ConfigError(
            f'{where}: exec.apiVersion: expected one of {", ".join(PLUGIN_VERSIONS)}, found "{entry.api_version}"'
        )
    if not entry.command:
        raise ConfigError(f"{where}: exec.command is empty")
    if entry.interactive_mode == "Always":
        raise ConfigError(f'{where}: exec.interactiveMode is "Always", but there is nobody here to type')
    return Plugin(
        command=where.resolved(entry.command) if "/" in entry.command else entry.command,
        api_version=entry.api_version,
        arguments=entry.args,
        environ={**environ, **{variable.name: variable.value for variable in entry.env}},
        install_hint=entry.install_hint,
        wants_cluster=entry.provide_cluster_info,
    )


def _impersonation(entry: UserEntry) -> tuple[tuple[str, str], ...]:
    """The headers of https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/."""
    if not entry.as_user:
        return ()
    headers = [("Impersonate-User", entry.as_user)]
    headers += [("Impersonate-Uid", entry.as_uid)] if entry.as_uid else []
    headers += [("Impersonate-Group", group) for group in entry.as_groups]
    for key, values in entry.as_user_extra.items():
        escaped = re.sub(r"[^A-Za-z0-9!#$&'*+.^_`|~-]", lambda match: _percent(match[0]), key)
        headers += [(f"Impersonate-Extra-{escaped}", value) for value in values]
    return tuple(headers)


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _in_cluster(environ: Mapping[str, str], folder: Path) -> KubeConfig:
    """The pod's service account (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/)."""
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    token, ca, namespace = folder / "token", folder / "ca.crt", folder / "namespace"
    if not token.exists():
        raise ConfigError(f"in a pod, but its service account has no token: expected the file {token}")
    authority = Pem(path=str(ca), what="the service account's ca.crt")
    authority.read()
    return KubeConfig(
        server=server,
        user=User(name="service account", token_file=str(token)),
        context="in-cluster",
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
        ca=authority,
        proxy=proxy_for(server, "", environ, "in a pod"),
    )
