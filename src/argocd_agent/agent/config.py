"""Everything that can be set on the agent. Checked here once; the rest of the agent trusts it.

Every flag and variable of the reference v0.9 is here or in `unserved`; rows that the reference does not have say so.
"""

from dataclasses import dataclass
from typing import ClassVar

from argocd_agent.agent.redisconfig import check_redis
from argocd_agent.agent.unserved import AgentUnserved
from argocd_agent.errors import ConfigError
from argocd_agent.pki.tls import CipherSuite, TlsVersion, check_versions, cipher_suites
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import SECRET_CA, SECRET_CLIENT_TLS
from argocd_agent.resources.scope import check_selector
from argocd_agent.settings import program
from argocd_agent.settings.declare import (
    a_port,
    at_least,
    more_than_zero,
    not_empty,
    port_or_zero,
    setting,
    verify,
)
from argocd_agent.settings.values import (
    Method,
    boolean,
    choice,
    duration,
    integer,
    method,
    one_of,
    patterns,
    port,
    text,
)

METHODS = ("mtls", "header", "userpass")


def _a_percentage(value: int) -> str:
    return "" if 0 <= value <= 100 else f"{value} is not a percentage (0 to 100)"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig(AgentUnserved):
    """What the agent was told. Raises `ConfigError`, naming the flag, for what cannot work."""

    program: ClassVar[str] = "agent"

    # The principal
    server_address: str = setting(
        "server.address",
        "",
        "Host name or address of the principal. Must be given.",
        text,
        variable="REMOTE_SERVER",
    )
    server_port: int = setting("server.port", 443, "Its port.", port, variable="REMOTE_PORT")
    version_announced: str = setting(
        "version-announced",
        "",
        "Version announced to the principal. Empty: the one the principal itself reports, since "
        "one of the reference accepts no other. (Not in the reference.)",
        text,
        configmap="",
    )
    creds: Method = setting(
        "creds",
        Method("", ""),
        "How we prove who we are: mtls:any (client certificate), header:any (a mesh does it) or "
        "userpass:<file> with a line name:password. Must be given.",
        method,
        guards=True,
    )
    keep_alive_ping_interval_seconds: float = setting(
        "keep-alive.interval",
        0.0,
        "HTTP/2 pings, for links that forget idle connections. 0: none. Raised to 10s; the principal must allow it.",
        duration,
        flag="--keep-alive-ping-interval",
        variable="KEEP_ALIVE_PING_INTERVAL",
        check=at_least(0),
    )
    heartbeat_interval_seconds: float = setting(
        "heartbeat.interval",
        0.0,
        "Heartbeats on the event stream. 0: every 10s between programs of ours, none toward one of the reference.",
        duration,
    )
    compression_enabled: bool = setting(
        "compression.enable",
        False,
        "gzip on what we send: fewer bytes for more CPU.",
        boolean,
        flag="--enable-compression",
        variable="ENABLE_COMPRESSION",
    )

    # Where Applications live
    destination_based_mapping: bool = setting(
        "destination-based-mapping",
        False,
        "Applications keep the namespace that they have on the hub. Must be the same on the principal.",
        boolean,
    )
    create_namespace: bool = setting(
        "create-namespace",
        False,
        "Create an Application's namespace when it is missing.",
        boolean,
    )
    allowed_namespaces: tuple[str, ...] = setting(
        "allowed-namespaces",
        (),
        "Further namespaces for Applications: globs, or /regular expressions/. Empty: only our own.",
        patterns,
        guards=True,
    )

    # TLS
    insecure_tls: bool = setting(
        "tls.client.insecure",
        False,
        "Do not verify the principal's certificate. For trials.",
        boolean,
        flag="--insecure-tls",
        variable="TLS_INSECURE",
        guards=True,
    )
    insecure_plaintext: bool = setting(
        "tls.insecure-plaintext",
        False,
        "No TLS at all, behind a mesh that provides it.",
        boolean,
        flag="--insecure-plaintext",
        variable="INSECURE_PLAINTEXT",
        guards=True,
    )
    root_ca_secret_name: str = setting(
        "tls.root-ca-secret-name",
        SECRET_CA,
        "Secret of the principal's CA. Read again on change.",
        text,
        flag="--root-ca-secret-name",
        guards=True,
    )
    root_ca_path: str = setting(
        "tls.root-ca-path",
        "",
        "That CA as a PEM file instead.",
        text,
        flag="--root-ca-path",
        guards=True,
    )
    tls_secret_name: str = setting(
        "tls.secret-name",
        SECRET_CLIENT_TLS,
        "Secret of our certificate and key. Read again on change.",
        text,
        guards=True,
    )
    tls_client_cert_path: str = setting(
        "tls.client.cert-path",
        "",
        "Our certificate as a PEM file instead.",
        text,
        flag="--tls-client-cert",
        guards=True,
    )
    tls_client_key_path: str = setting(
        "tls.client.key-path",
        "",
        "Its key.",
        text,
        flag="--tls-client-key",
        guards=True,
    )

    # What is synchronized
    mode: Mode = setting(
        "mode",
        Mode.AUTONOMOUS,
        "managed: Applications come from the hub. autonomous: they are written here, and the hub shows them.",
        one_of(Mode),
        flag="--agent-mode",
    )
    namespace: str = setting(
        "namespace",
        "argocd",
        "Namespace of Argo CD and of our Secrets on this cluster.",
        text,
        short="-n",
        check=not_empty,
    )
    ignore_unmanaged_apps: bool = setting(
        "ignore-unmanaged-apps",
        False,
        "Applications that did not come from the hub are not looked at.",
        boolean,
        configmap="",
    )
    source_uid_mismatch_policy: str = setting(
        "source-uid-mismatch-policy",
        "recreate",
        "When the hub's Application was made anew: recreate ours, or upsert (take it over).",
        choice("recreate", "upsert"),
        configmap="",
    )
    on_application_recreate: str = setting(
        "on-application-recreate",
        "ignore",
        "After putting back an Application deleted here: ignore its old status, clear-status, or resync.",
        choice("ignore", "clear-status", "resync"),
        configmap="",
    )
    adoption_policy: str = setting(
        "adoption-policy",
        "always",
        "An Application that was here before the hub sent it: always take it over, or never.",
        choice("always", "never"),
        configmap="",
    )
    informer_sync_timeout_seconds: float = setting(
        "informer-sync-timeout",
        10.0,
        "The first list of each kind may take this long before we say what is missing.",
        duration,
        check=more_than_zero,
    )
    buffer_informer_event_interval_seconds: float = setting(
        "buffer-informer-event-interval",
        0.0,
        "At most one update per Application in this time; the newest wins. 0: every change at once.",
        duration,
        configmap="",
        check=at_least(0),
    )
    brake_max_deletions: int = setting(
        "brake.max-deletions",
        10,
        "So many deletions within a minute are carried out, however few objects there are; those beyond this and "
        "brake.max-percent are held until an operator releases or discards them. 0: none is ever held. 10 is "
        "more than people delete by hand. (Not in the reference.)",
        integer,
        check=at_least(0),
    )
    brake_max_percent: int = setting(
        "brake.max-percent",
        30,
        "So many percent of the hub's objects here may be deleted within a minute, however many they are; those "
        "beyond this and brake.max-deletions are held. 30 lets a team's clean-up pass and stops an emptied hub. "
        "(Not in the reference.)",
        integer,
        check=_a_percentage,
    )
    metrics_port: int = setting(
        "metrics.port",
        8181,
        "Port of GET /metrics (Prometheus). 0 switches metrics off and saves their memory.",
        port,
        check=port_or_zero,
    )
    healthz_port: int = setting(
        "healthz.port",
        8001,
        "Port of GET /healthz, /livez and /readyz. Cannot be 0: probes need it.",
        port,
        variable="HEALTH_CHECK_PORT",
        check=a_port,
    )

    def __post_init__(self) -> None:
        if not self.server_address or not 1 <= self.server_port <= 65535:
            raise ConfigError(
                "No remote specified: --server-address must name the principal and --server-port its port "
                f"(1 to 65535), found {self.server_address!r} and {self.server_port}"
            )
        verify(self)
        program.check_logs(self)
        check_selector(self.label_selector)
        _check_creds(self)
        _check_mode(self)
        _check_tls(self)
        check_redis(self)

    @property
    def tls_minimum(self) -> TlsVersion:
        """The lowest TLS version accepted, the default included."""
        return TlsVersion(self.tls_min_version or TlsVersion.TLS_1_3)

    @property
    def tls_maximum(self) -> TlsVersion | None:
        """The highest TLS version offered; None is the newest."""
        return TlsVersion(self.tls_max_version) if self.tls_max_version else None

    @property
    def tls_ciphers(self) -> tuple[CipherSuite, ...]:
        """The suites chosen; none means the library's own choice."""
        return cipher_suites(self.tls_cipher_suites, self.tls_minimum)


def notices(config: AgentConfig) -> tuple[str, ...]:
    """What a user should be warned of at start."""
    lines = list(program.notices(config))
    if config.insecure_plaintext:
        lines.append("--insecure-plaintext: nothing on the way to the principal is encrypted by us")
    elif config.insecure_tls:
        lines.append("--insecure-tls: whoever answers at --server-address is taken for the principal")
    return tuple(lines)


def _check_creds(config: AgentConfig) -> None:
    if not config.creds.name:
        raise ConfigError("--creds: must be given, such as mtls:any")
    if config.creds.name not in METHODS:
        raise ConfigError(f"--creds: {config.creds.name!r} is not {', '.join(METHODS[:-1])} or {METHODS[-1]}")
    if config.creds.name == "userpass" and not config.creds.argument:
        raise ConfigError("--creds: userpass needs the path of a file with a line name:password")


def _check_mode(config: AgentConfig) -> None:
    if config.mode is Mode.AUTONOMOUS and config.destination_based_mapping:
        raise ConfigError("--destination-based-mapping cannot be used with --agent-mode=autonomous")
    if config.create_namespace and not config.destination_based_mapping:
        raise ConfigError("--create-namespace needs --destination-based-mapping")


def _check_tls(config: AgentConfig) -> None:
    if bool(config.tls_client_cert_path) != bool(config.tls_client_key_path):
        raise ConfigError("--tls-client-cert and --tls-client-key: give both or neither")
    if config.tls_maximum is TlsVersion.TLS_1_1:
        raise ConfigError("--tls-max-version: tls1.1 is not served: expected tls1.2 or tls1.3")
    if config.tls_maximum is TlsVersion.TLS_1_2 and not config.tls_min_version:
        raise ConfigError("--tls-max-version: tls1.2 is below the default minimum tls1.3: give --tls-min-version too")
    try:
        check_versions(config.tls_minimum, config.tls_maximum)
        cipher_suites(config.tls_cipher_suites, config.tls_minimum)
    except ConfigError as error:
        raise ConfigError(f"--{error}") from error
