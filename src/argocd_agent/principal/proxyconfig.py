"""Settings of the resource proxy: where it listens, its certificates, and how much is asked of one agent at a time."""

from dataclasses import dataclass

from argocd_agent.errors import ConfigError
from argocd_agent.principal.streamsettings import StreamSettings
from argocd_agent.protocol.names import SECRET_CA, SECRET_RESOURCE_PROXY_TLS
from argocd_agent.settings.declare import more_than_zero, port_or_zero, setting
from argocd_agent.settings.values import boolean, duration, integer, port, text


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig(StreamSettings):
    """What the resource proxy was told."""

    resource_proxy_enabled: bool = setting(
        "resource-proxy.enable",
        True,
        "Serve live objects of the spokes to Argo CD.",
        boolean,
        flag="--enable-resource-proxy",
        variable="ENABLE_RESOURCE_PROXY",
    )
    resource_proxy_host: str = setting(
        "resource-proxy.listen-host",
        "",
        "Address that it listens on. Empty: all interfaces. (Not in the reference.)",
        text,
        configmap="",
    )
    resource_proxy_port: int = setting(
        "resource-proxy.listen-port",
        9090,
        "Port that it listens on. 0: a free one, which the log names. (Not in the reference.)",
        port,
        configmap="",
        check=port_or_zero,
    )
    resource_proxy_secret_name: str = setting(
        "resource-proxy.secret-name",
        SECRET_RESOURCE_PROXY_TLS,
        "TLS Secret of the resource proxy. Read again on change.",
        text,
    )
    resource_proxy_cert_path: str = setting(
        "resource-proxy.tls.cert-path",
        "",
        "Its certificate as a PEM file; used with key and CA file only.",
        text,
        flag="--resource-proxy-cert-path",
    )
    resource_proxy_key_path: str = setting(
        "resource-proxy.tls.key-path",
        "",
        "Its key as a PEM file.",
        text,
        flag="--resource-proxy-key-path",
    )
    resource_proxy_ca_secret_name: str = setting(
        "resource-proxy.ca.secret-name",
        SECRET_CA,
        "Secret of the CA of its clients. Read again on change.",
        text,
    )
    resource_proxy_ca_path: str = setting(
        "resource-proxy.ca.path",
        "",
        "That CA as a PEM file.",
        text,
        variable="RESOURCE_PROXY_TLS_CA_PATH",
    )
    live_timeout_seconds: float = setting(
        "resource-proxy.timeout",
        30.0,
        "How long a live request may take, the wait for its turn included; the reference's figure. Then 504. "
        "(Not in the reference.)",
        duration,
        configmap="",
        check=more_than_zero,
    )
    live_at_once: int = setting(
        "resource-proxy.max-requests",
        128,
        "Live requests to one agent that are under way at a time, and as many watches; half of them for one caller. "
        "More requests wait, callers taking turns. (Not in the reference.)",
        integer,
        configmap="",
        check=more_than_zero,
    )
    live_waiting: int = setting(
        "resource-proxy.max-waiting",
        1024,
        "Live requests to one agent that wait for their turn. One more is refused with 503, or with 429 when "
        "half of them are the caller's own. (Not in the reference.)",
        integer,
        configmap="",
        check=more_than_zero,
    )

    @property
    def resource_proxy_files(self) -> tuple[str, str, str] | None:
        """Certificate, key and CA as files; None where they come from Secrets: only all three count, as in the
        reference."""
        paths = (self.resource_proxy_cert_path, self.resource_proxy_key_path, self.resource_proxy_ca_path)
        return paths if all(paths) else None


def check_proxy(config: ProxyConfig) -> None:
    """Refuse what contradicts itself."""
    if bool(config.resource_proxy_cert_path) != bool(config.resource_proxy_key_path):
        raise ConfigError("--resource-proxy-cert-path and --resource-proxy-key-path: give both or neither")
