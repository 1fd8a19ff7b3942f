"""The port `Cache` in this process: the same promises as Redis, without one."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from argocd_agent.backends.redis.listener import Listener
from argocd_agent.backends.redis.store import Channels, Store
from argocd_agent.errors import CacheRefused, CacheUnavailable

MEMORY_BYTES = 64 * 1024 * 1024


class MemoryCache:
    """Values in *store*, by the time of *clock* (seconds, any origin). Others may use the store and channels too."""

    def __init__(self, store: Store | None = None, clock: Callable[[], float] | None = None) -> None:
        self.store = Store(MEMORY_BYTES) if store is None else store
        self.channels = Channels()
        self.clock = asyncio.get_running_loop().time if clock is None else clock
        self._listeners: set[Listener] = set()

    async def get(self, key: str) -> bytes | None:
        """As the port."""
        return self.store.get(key.encode(), self.clock())

    async def set(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """As the port."""
        now = self.clock()
        if not self.store.set(key.encode(), value, now, expires_at=now + ttl_seconds):
            limit = self.store.limit_bytes
            raise CacheRefused(f"SET {key}: expected less than {limit} bytes, found {len(value)}", "OOM")

    async def ping(self) -> None:
        """As the port."""

    async def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        """As the port."""
        listener = Listener(channel)
        self.channels.join(channel.encode(), listener.put)
        self._listeners.add(listener)
        try:
            yield b""
            while True:
                yield await listener.next()
        finally:
            self._listeners.discard(listener)
            self.channels.leave(channel.encode(), listener.put)

    def publish(self, channel: str, message: bytes) -> int:
        """Say *message* on *channel*; how many heard it."""
        return self.channels.publish(channel.encode(), message)

    async def close(self) -> None:
        """As the port."""
        for listener in tuple(self._listeners):
            listener.end(CacheUnavailable("the cache of this process was closed"))
