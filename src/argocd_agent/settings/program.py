"""The settings that both programs have."""

from dataclasses import dataclass
from typing import ClassVar

from argocd_agent.errors import ConfigError
from argocd_agent.settings.declare import (
    Served,
    a_port,
    at_least,
    more_than_zero,
    not_served,
    port_or_zero,
    setting,
)
from argocd_agent.settings.loglevels import Levels, parse_levels
from argocd_agent.settings.values import (
    address,
    boolean,
    choice,
    duration,
    integer,
    optional_integer,
    port,
    text,
    text_list,
)

LATER = Served.NOT_YET
TLS_VERSION = choice("", "tls1.1", "tls1.2", "tls1.3")
FULL_DETAIL = ("all", "actions", "events", "informers")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramConfig:
    """What principal and agent both can be told. Checked by the program's own class."""

    program: ClassVar[str] = ""

    flags_given: frozenset[str] = frozenset()  # not a setting: what stood on the command line

    # Logs
    log_level: tuple[str, ...] = setting(
        "log.level",
        ("info",),
        "What is logged: [subsystem=]level, separated by commas. Levels: trace, debug, info, "
        "warning, error, fatal. info shows changes of state only.",
        text_list,
    )
    log_format: str = setting(
        "log.format",
        "text",
        "text (key=value) for people, json for machines.",
        choice("text", "json", fold_case=True),
    )
    full_detail: tuple[str, ...] = setting(
        "full-detail",
        (),
        "Log whole objects or payloads too: all, actions, events, informers. Empty, because they "
        "are large; Secrets never appear.",
        text_list,
        configmap="",
        served=LATER,
    )

    # Health and metrics
    health_host: str = setting(
        "health-host",
        "",
        "Address that health and metrics listen on. Empty: all interfaces, since the kubelet and "
        "Prometheus come from outside the pod.",
        text,
        configmap="",
    )
    metrics_port: int = setting(
        "metrics.port",
        8000,
        "Port of GET /metrics (Prometheus). 0 switches metrics off and saves their memory.",
        port,
        check=port_or_zero,
    )
    healthz_port: int = setting(
        "healthz.port",
        8003,
        "Port of GET /healthz, /livez and /readyz. Cannot be 0: probes need it.",
        port,
        variable="HEALTH_CHECK_PORT",
        check=a_port,
    )
    pprof_port: int = setting(
        "pprof.port",
        0,
        "Port of the profiler on 127.0.0.1. 0: off, since profiles show memory.",
        port,
        served=LATER,
    )
    otlp_address: tuple[str, int] | None = setting(
        "otlp-address",
        None,
        "OTLP/gRPC collector for traces. Empty: no traces.",
        address,
        configmap="",
        served=LATER,
    )
    otlp_insecure: bool = setting(
        "otlp-insecure",
        False,
        "Send traces without TLS.",
        boolean,
        configmap="",
        served=LATER,
    )

    # The cluster
    kubeconfig: str = setting(
        "kubeconfig",
        "",
        "Path of a kubeconfig file. Empty: KUBECONFIG, ~/.kube/config, or the pod's own account.",
        text,
        variable="",
        configmap="",
    )
    kubecontext: str = setting(
        "kubecontext",
        "",
        "Context of the kubeconfig. Empty: its current one.",
        text,
        variable="",
        configmap="",
    )
    kube_qps: int | None = setting(
        "kube-qps",
        None,
        "Requests per second to the Kubernetes API at most. Not set: no limit here; the API server's "
        "own throttling is obeyed.",
        optional_integer,
        flag="",
        variable="=ARGOCD_AGENT_KUBE_QPS",
        configmap="",
        check=at_least(1),
    )
    kube_burst: int | None = setting(
        "kube-burst",
        None,
        "Requests that may go at once before kube-qps holds them back. Not set: twice kube-qps.",
        optional_integer,
        flag="",
        variable="=ARGOCD_AGENT_KUBE_BURST",
        configmap="",
        check=at_least(1),
    )
    label_selector: str = setting(
        "label-selector",
        "",
        "Only objects with these labels are synchronized (Kubernetes selector). Empty: all but "
        "those labelled ignore-sync.",
        text,
    )

    # Delivery
    grpc_max_message_bytes: int = setting(
        "grpc-max-message-size",
        200 * 1024 * 1024,
        "Bytes of the largest message sent or received. 200 MiB holds any Application and is the reference's.",
        integer,
        configmap="",
        check=more_than_zero,
    )
    ack_timeout_seconds: float = setting(
        "ack-timeout",
        5.0,
        "An event that the peer has not acknowledged after this long is sent again. 5s is well "
        "above a healthy round trip and below what people wait for.",
        duration,
        configmap="",
        check=more_than_zero,
    )
    anti_entropy_interval_seconds: float = setting(
        "anti-entropy-interval",
        300.0,
        "Both ends compare what they hold this often, with jitter, and repair "
        "differences. 0: only when connecting. 5m costs next to nothing.",
        duration,
        configmap="",
        check=at_least(0),
    )
    max_concurrent_writes: int = setting(
        "max-concurrent-writes",
        32,
        "Requests that change objects under way at one time; more wait. 32 keeps an API "
        "server busy without crowding out its other clients.",
        integer,
        configmap="",
        check=more_than_zero,
    )
    shutdown_timeout_seconds: float = setting(
        "shutdown-timeout",
        5.0,
        "After SIGTERM what is under way may finish for this long. 5s stays far below the "
        "30s after which a kubelet kills.",
        duration,
        configmap="",
        check=at_least(0),
    )
    send_queue_size: int = setting(
        "send-queue-size",
        1000,
        "The reference's queue bound. Here the outbox holds one entry per object instead.",
        integer,
        flag="",
        variable="=ARGOCD_AGENT_SEND_QUEUE_SIZE",
        configmap="",
        check=more_than_zero,
        served=LATER,
    )
    recv_queue_size: int = setting(
        "recv-queue-size",
        1000,
        "The reference's queue bound. Here the peer's window bounds what arrives.",
        integer,
        flag="",
        variable="=ARGOCD_AGENT_RECV_QUEUE_SIZE",
        configmap="",
        check=more_than_zero,
        served=LATER,
    )

    # TLS policy
    tls_min_version: str = setting(
        "tls.min-version",
        "",
        "Lowest TLS version accepted: tls1.1, tls1.2 or tls1.3. Empty: tls1.3, because both "
        "programs know it and older ones only help an attacker.",
        TLS_VERSION,
        guards=True,
    )
    tls_max_version: str = setting(
        "tls.max-version",
        "",
        "Highest TLS version offered. Empty: the newest.",
        TLS_VERSION,
        guards=True,
    )
    tls_cipher_suites: tuple[str, ...] = setting(
        "tls.ciphersuites",
        (),
        "Cipher suites for TLS 1.2, by IANA name; those of TLS 1.3 cannot be chosen. Empty: the "
        "library's. The value 'list' prints all and ends.",
        text_list,
        guards=True,
    )

    @property
    def log_levels(self) -> Levels:
        """`log_level`, understood."""
        return parse_levels(self.log_level)[0]

    def shows_detail(self, category: str) -> bool:
        """Whether whole objects or payloads of *category* (actions, events, informers) are logged."""
        return category in self.full_detail or "all" in self.full_detail


def check_logs(config: ProgramConfig) -> None:
    """Raise `ConfigError` for a log level that does not exist."""
    try:
        parse_levels(config.log_level)
    except ConfigError as error:
        raise ConfigError(f"--log-level: {error}") from error


def notices(config: ProgramConfig) -> tuple[str, ...]:
    """What a user should be warned of at start: entries skipped, and settings that do nothing in this version."""
    lines = list(parse_levels(config.log_level)[1])
    lines += [f"full-detail: skipped {word!r}" for word in config.full_detail if word not in FULL_DETAIL]
    if config.tls_cipher_suites and any("_WITH_" not in suite for suite in config.tls_cipher_suites):
        lines.append(
            "tls-ciphersuites: all suites of TLS 1.3 stay on offer; neither Go nor our libraries let them be chosen"
        )
    if idle := not_served(config):
        lines.append("not served by this version, and ignored: " + ", ".join(idle))
    return tuple(lines)
