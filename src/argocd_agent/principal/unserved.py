"""Settings of the principal's parts that this version does not have: recognised, checked, and warned of when set.

When such a part comes, its rows lose `served=LATER` and the warning goes with it.
"""

from dataclasses import dataclass

from argocd_agent.errors import ConfigError
from argocd_agent.protocol.names import SECRET_CA, SECRET_RESOURCE_PROXY_TLS
from argocd_agent.settings.declare import Served, at_least, port_or_zero, setting
from argocd_agent.settings.program import ProgramConfig
from argocd_agent.settings.values import (
    Secret,
    address,
    boolean,
    choice,
    duration,
    port,
    secret,
    text,
    text_list,
)

LATER = Served.NOT_YET
REDIS_CA_SECRET = "argocd-redis-tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalUnserved(ProgramConfig):
    """WebSocket, resource proxy, Redis proxy, HA."""

    websocket_enabled: bool = setting(
        "websocket.enable",
        False,
        "Also serve gRPC over WebSocket, for proxies that know no HTTP/2.",
        boolean,
        served=LATER,
        flag="--enable-websocket",
        variable="ENABLE_WEBSOCKET",
    )

    # Resource proxy
    resource_proxy_enabled: bool = setting(
        "resource-proxy.enable",
        True,
        "Serve live objects of the spokes to Argo CD.",
        boolean,
        served=LATER,
        flag="--enable-resource-proxy",
        variable="ENABLE_RESOURCE_PROXY",
    )
    resource_proxy_secret_name: str = setting(
        "resource-proxy.secret-name",
        SECRET_RESOURCE_PROXY_TLS,
        "TLS Secret of the resource proxy.",
        text,
        served=LATER,
    )
    resource_proxy_cert_path: str = setting(
        "resource-proxy.tls.cert-path",
        "",
        "Its certificate as a PEM file; used with key and CA file only.",
        text,
        flag="--resource-proxy-cert-path",
        served=LATER,
    )
    resource_proxy_key_path: str = setting(
        "resource-proxy.tls.key-path",
        "",
        "Its key as a PEM file.",
        text,
        flag="--resource-proxy-key-path",
        served=LATER,
    )
    resource_proxy_ca_secret_name: str = setting(
        "resource-proxy.ca.secret-name",
        SECRET_CA,
        "Secret of the CA of its clients.",
        text,
        served=LATER,
    )
    resource_proxy_ca_path: str = setting(
        "resource-proxy.ca.path",
        "",
        "That CA as a PEM file.",
        text,
        variable="RESOURCE_PROXY_TLS_CA_PATH",
        served=LATER,
    )

    # Redis
    redis_server_address: tuple[str, int] | None = setting(
        "redis.server.address",
        ("argocd-redis", 6379),
        "Argo CD's own Redis.",
        address,
        served=LATER,
    )
    redis_password: Secret = setting(
        "redis-password",
        Secret(),
        "Password of that Redis.",
        secret,
        variable="=REDIS_PASSWORD",
        configmap="",
        served=LATER,
    )
    redis_creds_dir_path: str = setting(
        "redis-creds-dir-path",
        "",
        "Directory with file auth (password) instead.",
        text,
        configmap="",
        served=LATER,
        variable="=REDIS_CREDS_DIR_PATH",
    )
    redis_compression_type: str = setting(
        "redis.compression.type",
        "gzip",
        "How Argo CD compresses what it caches: gzip or none.",
        choice("gzip", "none"),
        served=LATER,
    )
    redis_proxy_disabled: bool = setting(
        "disable-redis-proxy",
        False,
        "Do not serve Redis to Argo CD.",
        boolean,
        configmap="",
        served=LATER,
    )
    redis_tls_enabled: bool = setting(
        "redis.tls.enabled",
        False,
        "TLS toward Redis and on the Redis proxy.",
        boolean,
        served=LATER,
    )
    redis_proxy_cert_path: str = setting(
        "redis.proxy.server.tls.cert-path",
        "",
        "Certificate of the Redis proxy as a PEM file.",
        text,
        served=LATER,
        flag="--redis-proxy-server-tls-cert",
    )
    redis_proxy_key_path: str = setting(
        "redis.proxy.server.tls.key-path",
        "",
        "Its key as a PEM file.",
        text,
        served=LATER,
        flag="--redis-proxy-server-tls-key",
    )
    redis_proxy_secret_name: str = setting(
        "redis.proxy.server.tls.secret-name",
        "argocd-redis-proxy-tls",
        "TLS Secret of the Redis proxy.",
        text,
        served=LATER,
    )
    redis_ca_path: str = setting("redis.ca-path", "", "CA of Redis as a PEM file.", text, served=LATER)
    redis_ca_secret_name: str = setting(
        "redis.ca-secret-name",
        REDIS_CA_SECRET,
        "Secret of that CA, key ca.crt.",
        text,
        served=LATER,
    )
    redis_tls_insecure: bool = setting(
        "redis.tls.insecure",
        False,
        "Do not verify the certificate of Redis.",
        boolean,
        served=LATER,
    )

    # High availability
    ha_enabled: bool = setting(
        "ha-enabled", False, "Run as one of two principals.", boolean, configmap="", served=LATER
    )
    ha_preferred_role: str = setting(
        "ha-preferred-role",
        "primary",
        "Role at start.",
        choice("primary", "replica"),
        configmap="",
        served=LATER,
    )
    ha_peer_address: tuple[str, int] | None = setting(
        "ha-peer-address",
        None,
        "The other principal; a replica needs it.",
        address,
        configmap="",
        served=LATER,
    )
    ha_failover_timeout_seconds: float = setting(
        "ha-failover-timeout",
        30.0,
        "Without effect in the reference.",
        duration,
        configmap="",
        check=at_least(0),
        served=LATER,
    )
    ha_admin_port: int = setting(
        "ha-admin-port",
        0,
        "Port of the HA admin service on 127.0.0.1; 0 means 8405.",
        port,
        configmap="",
        check=port_or_zero,
        served=LATER,
    )
    ha_allowed_replication_clients: tuple[str, ...] = setting(
        "ha-allowed-replication-clients",
        (),
        "Identities that may replicate. Empty: any that authenticates.",
        text_list,
        configmap="",
        served=LATER,
    )
    ha_replication_initial_ack_timeout_seconds: float = setting(
        "ha-replication-initial-ack-timeout",
        0.0,
        "Longest wait for the first acknowledgement; 0 means 5m.",
        duration,
        configmap="",
        check=at_least(0),
        served=LATER,
    )


def check_unserved(config: PrincipalUnserved) -> None:
    """Refuse combinations that the reference refuses, so that they do not come as a surprise later."""
    _check_redis(config)
    if config.ha_enabled and config.ha_preferred_role == "replica" and config.ha_peer_address is None:
        raise ConfigError("--ha-preferred-role=replica needs --ha-peer-address")


def _check_redis(config: PrincipalUnserved) -> None:
    if config.redis_password and config.redis_creds_dir_path:
        raise ConfigError("--redis-creds-dir-path and --redis-password exclude each other: give one")
    if not config.redis_tls_enabled:
        return
    if bool(config.redis_proxy_cert_path) != bool(config.redis_proxy_key_path):
        raise ConfigError("--redis-proxy-server-tls-cert and --redis-proxy-server-tls-key: give both or neither")
    is_secret_chosen = bool(config.redis_ca_secret_name) and (
        config.redis_ca_secret_name != REDIS_CA_SECRET or "--redis-ca-secret-name" in config.flags_given
    )
    if config.redis_tls_insecure + bool(config.redis_ca_path) + is_secret_chosen > 1:
        raise ConfigError(
            "--redis-tls-insecure, --redis-ca-path and --redis-ca-secret-name exclude each other: give one"
        )
    if not (config.redis_tls_insecure or config.redis_ca_path or config.redis_ca_secret_name):
        raise ConfigError("--redis-tls-enabled needs --redis-ca-path, --redis-ca-secret-name or --redis-tls-insecure")
