"""A cache that can be taken away, around the one in this process."""

from collections.abc import AsyncGenerator

from argocd_agent.backends.redis.memory import MemoryCache
from argocd_agent.errors import CacheUnavailable


class MovableCache:
    """The port `Cache`. While `is_away`, everything fails as when Redis is not there; `tries` counts those."""

    def __init__(self) -> None:
        self.inner = MemoryCache()
        self.is_away = False
        self.tries = 0
        self.reads: list[str] = []

    async def get(self, key: str) -> bytes | None:
        self.reads.append(key)
        self._there()
        return await self.inner.get(key)

    async def set(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        self._there()
        await self.inner.set(key, value, ttl_seconds=ttl_seconds)

    async def ping(self) -> None:
        self._there()

    def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        self._there()
        return self.inner.subscribe(channel)

    async def close(self) -> None:
        await self.inner.close()

    async def leave(self) -> None:
        """Go away: subscriptions end."""
        self.is_away = True
        await self.inner.close()

    def _there(self) -> None:
        if self.is_away:
            self.tries += 1
            raise CacheUnavailable("the cache is away")
