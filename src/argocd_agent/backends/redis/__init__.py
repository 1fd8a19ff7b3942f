"""Redis as a cache: the client of one that runs elsewhere, and a cache of our own in this process."""

from argocd_agent.backends.redis.client import RedisCache, RedisOptions
from argocd_agent.backends.redis.memory import MemoryCache

__all__ = ["MemoryCache", "RedisCache", "RedisOptions"]
