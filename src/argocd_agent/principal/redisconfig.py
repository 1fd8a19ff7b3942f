"""Settings of the hub's Redis, and of the Redis that we serve to Argo CD."""

from dataclasses import dataclass

from argocd_agent.errors import ConfigError
from argocd_agent.peer.redis import RedisSettings
from argocd_agent.settings.declare import setting
from argocd_agent.settings.program import ProgramConfig
from argocd_agent.settings.values import Secret, address, boolean, choice, secret, text

REDIS_CA_SECRET = "argocd-redis-tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalRedis(ProgramConfig):
    """Where Redis is, how we get in, how Argo CD compresses what it caches."""

    redis_server_address: tuple[str, int] | None = setting(
        "redis.server.address",
        ("argocd-redis", 6379),
        "Argo CD's own Redis. What Argo CD shows of clusters is written there.",
        address,
    )
    redis_password: Secret = setting(
        "redis-password",
        Secret(),
        "Password of that Redis.",
        secret,
        variable="=REDIS_PASSWORD",
        configmap="",
    )
    redis_creds_dir_path: str = setting(
        "redis-creds-dir-path",
        "",
        "Directory with the files auth (password) and auth_username (may be missing) instead. "
        "Read at every connection.",
        text,
        configmap="",
        variable="=REDIS_CREDS_DIR_PATH",
    )
    redis_compression_type: str = setting(
        "redis.compression.type",
        "gzip",
        "How Argo CD compresses what it caches: gzip or none.",
        choice("gzip", "none"),
    )
    redis_proxy_disabled: bool = setting(
        "disable-redis-proxy",
        False,
        "Do not serve Redis to Argo CD.",
        boolean,
        configmap="",
    )
    redis_proxy_listen: tuple[str, int] | None = setting(
        "redis-proxy-listen",
        ("", 6379),
        "Address that Redis is served at to Argo CD; without a host, all interfaces. Port 0: a free one, which the log "
        "names. (Not in the reference, which always has this one.)",
        address,
        configmap="",
    )
    redis_tls_enabled: bool = setting(
        "redis.tls.enabled",
        False,
        "TLS toward Redis and on the Redis proxy.",
        boolean,
    )
    redis_proxy_cert_path: str = setting(
        "redis.proxy.server.tls.cert-path",
        "",
        "Certificate of the Redis proxy as a PEM file. Read again on change.",
        text,
        flag="--redis-proxy-server-tls-cert",
    )
    redis_proxy_key_path: str = setting(
        "redis.proxy.server.tls.key-path",
        "",
        "Its key as a PEM file.",
        text,
        flag="--redis-proxy-server-tls-key",
    )
    redis_proxy_secret_name: str = setting(
        "redis.proxy.server.tls.secret-name",
        "argocd-redis-proxy-tls",
        "TLS Secret of the Redis proxy. Read again on change.",
        text,
    )
    redis_ca_path: str = setting("redis.ca-path", "", "CA of Redis as a PEM file. Read at every connection.", text)
    redis_ca_secret_name: str = setting(
        "redis.ca-secret-name",
        REDIS_CA_SECRET,
        "Secret of that CA, key ca.crt. Read again on change.",
        text,
    )
    redis_tls_insecure: bool = setting(
        "redis.tls.insecure",
        False,
        "Do not verify the certificate of Redis.",
        boolean,
    )


def redis_settings(config: PrincipalRedis) -> RedisSettings | None:
    """How to reach Redis; None where no address is given: then nothing that needs it is done."""
    if config.redis_server_address is None:
        return None
    return RedisSettings(
        address=config.redis_server_address,
        password=config.redis_password,
        creds_dir=config.redis_creds_dir_path,
        tls=config.redis_tls_enabled,
        insecure=config.redis_tls_insecure,
        ca_path=config.redis_ca_path,
        ca_secret=config.redis_ca_secret_name,
    )


def check_redis(config: PrincipalRedis) -> None:
    """Raise `ConfigError` for what excludes each other, or is not enough."""
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
