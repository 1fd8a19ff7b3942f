"""The port `Cache` where there is none: everything fails with the reason."""

from collections.abc import AsyncGenerator

from argocd_agent.errors import CacheUnavailable


class NoCache:
    """Says *why* to whoever asks."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def get(self, key: str) -> bytes | None:
        """As the port."""
        raise CacheUnavailable(self._why)

    async def set(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """As the port."""
        raise CacheUnavailable(self._why)

    async def ping(self) -> None:
        """As the port."""
        raise CacheUnavailable(self._why)

    def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        """As the port."""
        raise CacheUnavailable(self._why)

    async def close(self) -> None:
        """As the port."""
