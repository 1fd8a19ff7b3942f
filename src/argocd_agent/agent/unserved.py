"""Settings of the agent's parts that this version does not have: recognised, checked, and warned of when set.

When such a part comes, its rows lose `served=LATER` and the warning goes with it.
"""

from dataclasses import dataclass

from argocd_agent.errors import ConfigError
from argocd_agent.settings.declare import Served, more_than_zero, setting
from argocd_agent.settings.program import ProgramConfig
from argocd_agent.settings.values import Secret, address, boolean, duration, secret, text

LATER = Served.NOT_YET
REDIS_CA_SECRET = "argocd-redis-tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentUnserved(ProgramConfig):
    """WebSocket, the live view, Redis."""

    websocket_enabled: bool = setting(
        "websocket.enable",
        False,
        "gRPC over WebSocket, for proxies that know no HTTP/2.",
        boolean,
        flag="--enable-websocket",
        variable="ENABLE_WEBSOCKET",
        served=LATER,
    )
    # What Argo CD asks for
    resource_proxy_enabled: bool = setting(
        "resource-proxy.enable",
        True,
        "Answer requests for live objects.",
        boolean,
        flag="--enable-resource-proxy",
        variable="ENABLE_RESOURCE_PROXY",
        served=LATER,
    )
    cache_refresh_interval_seconds: float = setting(
        "cache.refresh-interval",
        10.0,
        "How often the hub hears about the size of Argo CD's cache here.",
        duration,
        flag="--cache-refresh-interval",
        check=more_than_zero,
        served=LATER,
    )
    redis_address: tuple[str, int] | None = setting(
        "redis.address",
        ("argocd-redis", 6379),
        "Argo CD's Redis on this cluster.",
        address,
        flag="--redis-addr",
        variable="=REDIS_ADDR",
        served=LATER,
    )
    redis_username: str = setting(
        "redis.username",
        "",
        "User of that Redis.",
        text,
        flag="--redis-username",
        variable="=REDIS_USERNAME",
        served=LATER,
    )
    redis_password: Secret = setting(
        "redis-password",
        Secret(),
        "Its password.",
        secret,
        variable="=REDIS_PASSWORD",
        configmap="",
        served=LATER,
    )
    redis_creds_dir_path: str = setting(
        "redis-creds-dir-path",
        "",
        "Directory with files auth and auth_username instead.",
        text,
        configmap="",
        variable="=REDIS_CREDS_DIR_PATH",
        served=LATER,
    )
    redis_tls_enabled: bool = setting("redis.tls.enabled", False, "TLS toward Redis.", boolean, served=LATER)
    redis_tls_ca_path: str = setting("redis.tls.ca-path", "", "CA of Redis as a PEM file.", text, served=LATER)
    redis_tls_ca_secret_name: str = setting(
        "redis-tls-ca-secret-name",
        REDIS_CA_SECRET,
        "Secret of that CA, key ca.crt.",
        text,
        configmap="",
        served=LATER,
    )
    redis_tls_insecure: bool = setting(
        "redis.tls.insecure",
        False,
        "Do not verify the certificate of Redis.",
        boolean,
        served=LATER,
    )


def check_unserved(config: AgentUnserved) -> None:
    """Refuse combinations that the reference refuses, so that they do not come as a surprise later."""
    if config.redis_creds_dir_path and (config.redis_password or config.redis_username):
        raise ConfigError("--redis-creds-dir-path excludes --redis-username and --redis-password")
    is_secret_chosen = bool(config.redis_tls_ca_secret_name) and (
        config.redis_tls_ca_secret_name != REDIS_CA_SECRET or "--redis-tls-ca-secret-name" in config.flags_given
    )
    chosen = config.redis_tls_insecure + bool(config.redis_tls_ca_path) + is_secret_chosen
    if config.redis_tls_enabled and chosen > 1:
        raise ConfigError(
            "--redis-tls-insecure, --redis-tls-ca-path and --redis-tls-ca-secret-name exclude each other: give one"
        )
