"""Which API server, and who we are there, as one value. `kubeconfig` makes it from files.

Nothing here reads a file or a clock except `Pem.read`, because what a path holds may be replaced while we run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from argocd_agent.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Pem:
    """PEM text given in place, or the path of a file that may be replaced; empty when neither is set."""

    data: bytes = field(default=b"", repr=False)
    path: str = ""
    what: str = "PEM text"

    def __bool__(self) -> bool:
        return bool(self.data or self.path)

    def read(self) -> bytes:
        """The PEM text as it is now. Raises `ConfigError`, naming the path and what it was meant to be."""
        if self.data or not self.path:
            return self.data
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            raise ConfigError(f"{self.what}: cannot read {self.path}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Plugin:
    """A program that prints credentials (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins).

    `environ` is the whole environment that it gets, except for `KUBERNETES_EXEC_INFO`.
    """

    command: str
    api_version: str
    arguments: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    install_hint: str = ""
    wants_cluster: bool = False


@dataclass(frozen=True, slots=True)
class User:
    """Who we are: a client certificate, and at most one of a token, a token's file, a password, a plugin.

    `impersonation` are the headers to act as somebody else.
    """

    name: str = ""
    certificate: Pem = Pem()
    key: Pem = Pem()
    token: str = field(default="", repr=False)
    token_file: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    plugin: Plugin | None = None
    impersonation: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class KubeConfig:
    """One API server and one user. `server` is a URL without a slash at its end, perhaps with a path.

    `ca` empty means the system's authorities. `server_name` is what the server's certificate must be for, if not the
    host of `server`. `proxy` is the URL of an HTTP proxy. `namespace` is the context's own, for who wants a default.
    """

    server: str
    user: User = User()
    context: str = ""
    namespace: str = "default"
    ca: Pem = Pem()
    skips_verification: bool = False
    server_name: str = ""
    proxy: str = field(default="", repr=False)

    @property
    def is_tls(self) -> bool:
        """Whether the server is spoken to by TLS."""
        return self.server.startswith("https://")
