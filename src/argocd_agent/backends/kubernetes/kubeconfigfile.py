"""One kubeconfig file as typed values (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/).

Fields that we have no use for are passed over, as client-go does. A null stands for the empty value of its field.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from argocd_agent.codec import decode_any
from argocd_agent.errors import ConfigError, DecodeError


class ClusterEntry(msgspec.Struct, frozen=True, rename="kebab"):
    server: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    proxy_url: str = ""


class EnvironEntry(msgspec.Struct, frozen=True):
    name: str = ""
    value: str = ""


class ExecEntry(msgspec.Struct, frozen=True, rename="camel"):
    command: str = ""
    args: tuple[str, ...] = ()
    env: tuple[EnvironEntry, ...] = ()
    api_version: str = ""
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = ""


class UserEntry(
    msgspec.Struct,
    frozen=True,
    rename=lambda name: {"token_file": "tokenFile", "as_user": "as"}.get(name, name.replace("_", "-")),
):
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = ""
    as_user: str = ""
    as_uid: str = ""
    as_groups: tuple[str, ...] = ()
    as_user_extra: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    username: str = ""
    password: str = ""
    exec: ExecEntry | None = None
    auth_provider: Any = msgspec.UNSET  # only whether it is there


class ContextEntry(msgspec.Struct, frozen=True):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class NamedCluster(msgspec.Struct, frozen=True):
    name: str
    cluster: ClusterEntry = ClusterEntry()


class NamedUser(msgspec.Struct, frozen=True):
    name: str
    user: UserEntry = msgspec.field(default_factory=UserEntry)


class NamedContext(msgspec.Struct, frozen=True):
    name: str
    context: ContextEntry = ContextEntry()


class Content(msgspec.Struct, frozen=True, rename="kebab"):
    current_context: str = ""
    clusters: tuple[NamedCluster, ...] = ()
    users: tuple[NamedUser, ...] = ()
    contexts: tuple[NamedContext, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file's content and where it is; its relative paths start there."""

    path: Path
    content: Content


def read_file(path: Path) -> File:
    """The kubeconfig at *path*. Raises `ConfigError`: unreadable, not YAML, or a field of the wrong type."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"kubeconfig {path}: cannot be read: {error.strerror}") from error
    value = _parsed(text, path)
    if value is None:
        return File(path, Content())
    try:
        return File(path, msgspec.convert(_without_nulls(value), Content))
    except msgspec.ValidationError as error:
        raise ConfigError(f"kubeconfig {path}: {error}") from error


def _parsed(text: bytes, path: Path) -> Any:
    if text.lstrip()[:1] == b"{":
        with contextlib.suppress(DecodeError):  # YAML's flow style also starts with a brace
            return decode_any(text)
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  both are safe loaders
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"kubeconfig {path}: expected YAML: {error}") from error


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_nulls(part) for part in value if part is not None]
    return value
