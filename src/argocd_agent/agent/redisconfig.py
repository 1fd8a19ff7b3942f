"""Settings of the spoke's Redis, where Argo CD here keeps its cache."""

from dataclasses import dataclass

from argocd_agent.errors import ConfigError
from argocd_agent.peer.redis import RedisSettings
from argocd_agent.settings.declare import more_than_zero, setting
from argocd_agent.settings.program import ProgramConfig
from argocd_agent.settings.values import Secret, address, boolean, duration, integer, secret, text

REDIS_CA_SECRET = "argocd-redis-tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRedis(ProgramConfig):
    """Where Redis is, how we get in, how often we look."""

    cache_refresh_interval_seconds: float = setting(
        "cache.refresh-interval",
        10.0,
        "How often the counts of Argo CD's cluster cache are read from Redis, which cannot tell us of changes. The hub "
        "hears of them when they change. 10s is far below what people notice there, and costs two reads.",
        duration,
        flag="--cache-refresh-interval",
        check=more_than_zero,
    )
    redis_address: tuple[str, int] | None = setting(
        "redis.address",
        ("argocd-redis", 6379),
        "Argo CD's Redis on this cluster.",
        address,
        flag="--redis-addr",
        variable="=REDIS_ADDR",
    )
    redis_username: str = setting(
        "redis.username",
        "",
        "User of that Redis.",
        text,
        flag="--redis-username",
        variable="=REDIS_USERNAME",
    )
    redis_password: Secret = setting(
        "redis-password",
        Secret(),
        "Its password.",
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
    redis_tls_enabled: bool = setting("redis.tls.enabled", False, "TLS toward Redis.", boolean)
    redis_tls_ca_path: str = setting(
        "redis.tls.ca-path", "", "CA of Redis as a PEM file. Read at every connection.", text
    )
    redis_tls_ca_secret_name: str = setting(
        "redis-tls-ca-secret-name",
        REDIS_CA_SECRET,
        "Secret of that CA, key ca.crt. Read again on change.",
        text,
        configmap="",
    )
    redis_tls_insecure: bool = setting(
        "redis.tls.insecure",
        False,
        "Do not verify the certificate of Redis.",
        boolean,
    )

    # A cache of our own instead
    embedded_cache: bool = setting(
        "embedded-cache",
        False,
        "Be the cache of the Argo CD on this cluster, which then needs no Redis: its parts are pointed at us, and give "
        "the password of --redis-password or --redis-creds-dir-path. (Not in the reference.)",
        boolean,
        configmap="",
    )
    embedded_cache_listen: tuple[str, int] | None = setting(
        "embedded-cache-listen",
        ("", 6379),
        "Address that this cache is served at; without a host, all interfaces. Port 0: a free one.",
        address,
        configmap="",
    )
    embedded_cache_memory_bytes: int = setting(
        "embedded-cache-memory",
        256 * 1024 * 1024,
        "Bytes that this cache holds at most; beyond, what was used longest ago goes. 256 MiB holds the trees of some "
        "thousand Applications.",
        integer,
        configmap="",
        check=more_than_zero,
    )
    embedded_cache_cert_path: str = setting(
        "embedded-cache-tls-cert",
        "",
        "Certificate of this cache as a PEM file, for TLS. Read at start.",
        text,
        configmap="",
    )
    embedded_cache_key_path: str = setting("embedded-cache-tls-key", "", "Its key as a PEM file.", text, configmap="")


def redis_settings(config: AgentRedis) -> RedisSettings | None:
    """How to reach Redis; None where no address is given: then nothing that needs it is done."""
    if config.redis_address is None:
        return None
    return RedisSettings(
        address=config.redis_address,
        username=config.redis_username,
        password=config.redis_password,
        creds_dir=config.redis_creds_dir_path,
        tls=config.redis_tls_enabled,
        insecure=config.redis_tls_insecure,
        ca_path=config.redis_tls_ca_path,
        ca_secret=config.redis_tls_ca_secret_name,
    )


def check_redis(config: AgentRedis) -> None:
    """Raise `ConfigError` for what excludes each other, or is not enough."""
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
    if config.redis_tls_enabled and not (chosen or config.redis_tls_ca_secret_name):
        raise ConfigError(
            "--redis-tls-enabled needs --redis-tls-ca-path, --redis-tls-ca-secret-name or --redis-tls-insecure"
        )
    if bool(config.embedded_cache_cert_path) != bool(config.embedded_cache_key_path):
        raise ConfigError("--embedded-cache-tls-cert and --embedded-cache-tls-key: give both or neither")
    if config.embedded_cache and config.embedded_cache_listen is None:
        raise ConfigError("--embedded-cache-listen: must be given with --embedded-cache")
