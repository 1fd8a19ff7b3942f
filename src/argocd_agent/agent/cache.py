"""The cache of the spoke's Argo CD: its Redis, or with `--embedded-cache` ourselves."""

import asyncio
import ssl
from pathlib import Path

from argocd_agent.agent.config import AgentConfig
from argocd_agent.agent.redisconfig import redis_settings
from argocd_agent.backends.ports import Cache, Cluster
from argocd_agent.backends.redis.absent import NoCache
from argocd_agent.backends.redis.client import RedisCache
from argocd_agent.backends.redis.memory import MemoryCache
from argocd_agent.backends.redis.server import serving_cache
from argocd_agent.backends.redis.store import Store
from argocd_agent.errors import ConfigError, KeyMaterialError
from argocd_agent.peer.redis import RedisAccess, RedisSettings, check_access
from argocd_agent.pki.servertls import server_context
from argocd_agent.pki.tls import ServerTls
from argocd_agent.settings.values import show_address
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("Redis")


def check_cache(config: AgentConfig) -> None:
    """Nothing, or `ConfigError` for a file that must be there at start and cannot be read."""
    if (settings := redis_settings(config)) is not None:
        check_access(settings)
    _context(config)


class SpokeCache:
    """`cache` is the port; `run` keeps it there, until cancelled. `port`: where it is served, if we are it."""

    def __init__(self, config: AgentConfig, cluster: Cluster) -> None:
        self._config = config
        self._settings = redis_settings(config) or RedisSettings(address=("", 0))
        self._access = RedisAccess(self._settings, cluster, config.namespace)
        self._served: MemoryCache | None = None
        self.port = 0
        self.cache: Cache
        if config.embedded_cache:
            self.cache = self._served = MemoryCache(Store(config.embedded_cache_memory_bytes))
        elif config.redis_address is not None:
            self.cache = RedisCache(self._access.options)
        else:
            self.cache = NoCache("no Redis: --redis-addr is empty")

    async def run(self) -> None:
        """Serve, or keep what is needed to connect. Raises `ConfigError` where it cannot listen."""
        if self._served is not None and self._config.embedded_cache_listen is not None:
            await self._serve(self._served, self._config.embedded_cache_listen)
            return
        try:
            await self._access.run()
        finally:
            await self.cache.close()

    async def _serve(self, cache: MemoryCache, address: tuple[str, int]) -> None:
        tls = _context(self._config)
        serving = serving_cache(cache, address, self._access.credentials, tls=tls, flag="--embedded-cache-listen")
        async with serving as self.port:
            where = show_address((address[0], self.port))
            log.info("The cache of this cluster's Argo CD is served", {fields.ADDRESS: where})
            if not self._access.credentials()[1]:
                log.warning("The cache of this cluster's Argo CD has no password: give --redis-password")
            await asyncio.get_running_loop().create_future()


def _context(config: AgentConfig) -> ssl.SSLContext | None:
    if not config.embedded_cache_cert_path:
        return None
    texts = []
    for path in (config.embedded_cache_cert_path, config.embedded_cache_key_path):
        try:
            texts.append(Path(path).read_text(encoding="utf-8", errors="replace"))
        except OSError as error:
            raise ConfigError(f"--embedded-cache-tls-cert: cannot read {path}: {error.strerror}") from error
    try:
        return server_context(ServerTls(*texts), where="--embedded-cache-tls-cert")
    except KeyMaterialError as error:
        raise ConfigError(str(error)) from error
