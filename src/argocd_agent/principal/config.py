"""Everything that can be set on the principal. Checked here once; the rest of the principal trusts it.

Every flag and variable of the reference v0.9 is here or in `unserved`; rows that the reference does not have say so.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from argocd_agent.errors import ConfigError
from argocd_agent.pki.tls import CipherSuite, TlsVersion, cipher_suites
from argocd_agent.principal.proxyconfig import check_proxy
from argocd_agent.principal.redisconfig import check_redis
from argocd_agent.principal.registrationconfig import RegistrationConfig, check_registration
from argocd_agent.principal.unserved import check_unserved
from argocd_agent.protocol.names import SECRET_CA, SECRET_JWT, SECRET_PRINCIPAL_TLS
from argocd_agent.resources.scope import check_selector
from argocd_agent.settings import program
from argocd_agent.settings.declare import Served, at_least, more_than_zero, not_empty, port_or_zero, setting, verify
from argocd_agent.settings.values import Method, boolean, duration, integer, method, patterns, port, text

METHODS = ("mtls", "header", "userpass")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalConfig(RegistrationConfig):
    """What the principal was told. Raises `ConfigError`, naming the flag, for what cannot work."""

    program: ClassVar[str] = "principal"

    # Where agents connect
    listen_host: str = setting("listen.host", "", "Address that agents connect to. Empty: all interfaces.", text)
    listen_port: int = setting(
        "listen.port",
        8443,
        "Port that agents connect to. 0: a free one, which the log names.",
        port,
        check=port_or_zero,
    )
    keepalive_min_interval_seconds: float = setting(
        "keep-alive.min-interval",
        0.0,
        "Agents that send HTTP/2 pings more often than this are cut off. 0: 10s, which "
        "is what any agent's setting comes to.",
        duration,
        flag="--keepalive-min-interval",
        check=at_least(0),
    )
    version_reported: str = setting(
        "version-reported",
        "",
        "Version reported to agents. Empty: our own. Agents of the reference connect only to "
        "their own version, byte for byte. (Not in the reference.)",
        text,
        configmap="",
    )

    # What is synchronized
    namespace: str = setting(
        "namespace",
        "",
        "Namespace of Argo CD and of our Secrets on the hub. Must be given.",
        text,
        short="-n",
        check=not_empty,
    )
    destination_based_mapping: bool = setting(
        "destination-based-mapping",
        False,
        "An Application belongs to the agent named in spec.destination.name "
        "instead of the one named like its namespace. Must be the same on all agents.",
        boolean,
    )
    allowed_namespaces: tuple[str, ...] = setting(
        "allowed-namespaces",
        (),
        "Namespaces whose Applications are synchronized: globs, or /regular expressions/. "
        "Empty: none, so that nothing leaves the hub by accident.",
        patterns,
        guards=True,
    )
    event_processors: int = setting(
        "event-processors",
        10,
        "The reference's bound of events processed at one time. Here --max-concurrent-writes bounds writes instead, so "
        "that one agent's slow events do not hold up another's.",
        integer,
        check=more_than_zero,
        served=Served.NOT_YET,
    )

    # Who gets in
    auth: Method = setting(
        "auth",
        Method("", ""),
        "How agents prove who they are. mtls:[subject:|uri:]<regex> takes the name from the "
        "client certificate (first group), header:<name>:<regex> from a mesh's header, userpass:<file> from a password "
        "file. Must be given.",
        method,
        guards=True,
    )
    require_client_certs: bool = setting(
        "tls.client-cert.require",
        False,
        "Refuse connections without a client certificate. Always so with --auth=mtls.",
        boolean,
        flag="--require-client-certs",
        guards=True,
    )
    client_cert_subject_match: bool = setting(
        "tls.client-cert.match-subject",
        False,
        "The CN of the client certificate must be the agent's name on every "
        "call. Counts only where client certificates are required.",
        boolean,
        flag="--client-cert-subject-match",
        guards=True,
    )

    # Our certificate, and the CA of agents
    tls_secret_name: str = setting(
        "tls.secret-name",
        SECRET_PRINCIPAL_TLS,
        "Secret of our certificate and key. Read again on change.",
        text,
        guards=True,
    )
    tls_cert_path: str = setting(
        "tls.server.cert-path",
        "",
        "Our certificate as a PEM file instead. Read again on change.",
        text,
        flag="--tls-cert",
        guards=True,
    )
    tls_key_path: str = setting("tls.server.key-path", "", "Its key.", text, flag="--tls-key", guards=True)
    tls_ca_secret_name: str = setting(
        "tls.server.root-ca-secret-name",
        SECRET_CA,
        "Secret of the CA of agents, keys tls.crt and ca.crt.",
        text,
        flag="--tls-ca-secret-name",
        guards=True,
    )
    root_ca_path: str = setting(
        "tls.server.root-ca-path",
        "",
        "That CA as a PEM file instead.",
        text,
        flag="--root-ca-path",
        guards=True,
    )
    insecure_tls_generate: bool = setting(
        "tls.server.allow-generate",
        False,
        "Serve with a certificate made at start that nobody can verify. For trials.",
        boolean,
        flag="--insecure-tls-generate",
        guards=True,
    )
    insecure_plaintext: bool = setting(
        "tls.insecure-plaintext",
        False,
        "Serve without TLS, behind a mesh that provides it. Not with --auth=mtls.",
        boolean,
        flag="--insecure-plaintext",
        variable="INSECURE_PLAINTEXT",
        guards=True,
    )

    # Tokens
    jwt_secret_name: str = setting(
        "jwt.secret-name",
        SECRET_JWT,
        "Secret of the key that signs tokens, key jwt.key.",
        text,
        guards=True,
    )
    jwt_key_path: str = setting(
        "jwt.key-path",
        "",
        "That key as a PEM file (PKCS#8) instead.",
        text,
        flag="--jwt-key",
        guards=True,
    )
    insecure_jwt_generate: bool = setting(
        "jwt.allow-generate",
        False,
        "Sign with a key made at start: every restart logs all agents out. For trials.",
        boolean,
        flag="--insecure-jwt-generate",
        guards=True,
    )

    def __post_init__(self) -> None:
        verify(self)
        program.check_logs(self)
        check_selector(self.label_selector)
        _check_auth(self)
        _check_tls(self)
        check_proxy(self)
        check_redis(self)
        check_unserved(self)
        check_registration(self)

    @property
    def requires_client_certificates(self) -> bool:
        """Whether a connection without a client certificate is refused."""
        return self.require_client_certs or self.auth.name == "mtls"

    @property
    def tls_minimum(self) -> TlsVersion:
        """The lowest TLS version accepted, the default included."""
        return TlsVersion(self.tls_min_version or TlsVersion.TLS_1_3)

    @property
    def tls_ciphers(self) -> tuple[CipherSuite, ...]:
        """The suites chosen; none means the library's own choice."""
        return cipher_suites(self.tls_cipher_suites, self.tls_minimum)


def notices(config: PrincipalConfig) -> tuple[str, ...]:
    """What a user should be warned of at start."""
    lines = list(program.notices(config))
    if not config.allowed_namespaces:
        lines.append("--allowed-namespaces is empty: no Application will be sent to any agent")
    if config.auth.name == "mtls" and not config.auth.argument.startswith(("subject:", "uri:")):
        lines.append("--auth=mtls:<regex> is deprecated, write mtls:subject:<regex>")
    if config.auth.name == "userpass":
        lines.append("--auth=userpass is deprecated, use mtls")
    return tuple(lines)


def _check_auth(config: PrincipalConfig) -> None:
    name, argument = config.auth.name, config.auth.argument
    if not name:
        raise ConfigError("--auth: must be given, such as mtls:subject:CN=([^,]+)")
    if name not in METHODS:
        raise ConfigError(f"--auth: {name!r} is not {', '.join(METHODS[:-1])} or {METHODS[-1]}")
    if name == "mtls":
        if config.insecure_plaintext:
            raise ConfigError("--auth=mtls needs TLS: it cannot be used with --insecure-plaintext")
        _check_identity(argument.removeprefix("subject:").removeprefix("uri:"))
    elif name == "header":
        if not config.insecure_plaintext:
            raise ConfigError("--auth=header trusts a mesh in front of us: it needs --insecure-plaintext")
        header, _, expression = argument.partition(":")
        if not header.strip() or not expression.strip():
            raise ConfigError(f"--auth: {argument!r} is not <header>:<regex>")
        _check_identity(expression.strip())
    elif not argument:
        raise ConfigError("--auth: userpass needs the path of a password file")


def _check_identity(expression: str) -> None:
    """The expression must give the agent's name as its first group."""
    try:
        groups = re.compile(expression).groups
    except re.error as error:
        raise ConfigError(f"--auth: {expression!r} is not a regular expression: {error}") from error
    if groups == 0:
        raise ConfigError(f"--auth: {expression!r} has no group (…) that holds the agent's name")


def _check_tls(config: PrincipalConfig) -> None:
    if bool(config.tls_cert_path) != bool(config.tls_key_path):
        raise ConfigError("--tls-cert and --tls-key: give both or neither")
    if config.tls_minimum is TlsVersion.TLS_1_1:
        raise ConfigError("--tls-min-version: tls1.1 is not served: expected tls1.2 or tls1.3")
    if config.tls_max_version not in ("", TlsVersion.TLS_1_3):
        raise ConfigError(f"--tls-max-version: {config.tls_max_version} is not served: TLS 1.3 cannot be switched off")
    try:
        cipher_suites(config.tls_cipher_suites, config.tls_minimum)
    except ConfigError as error:
        raise ConfigError(f"--{error}") from error
