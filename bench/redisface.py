"""The Redis face alone in a process, in front of the Redis at PORT: `python -m bench.redisface PORT`.

Prints its own port. Behind it stands a spoke's service without a link, with 8 KB under every key that is asked for.
"""

import asyncio
import os
import sys
from typing import NoReturn

import uvloop

from argocd_agent.backends.redis.client import RedisOptions
from argocd_agent.backends.redis.memory import MemoryCache
from argocd_agent.proxies.redis.face import RedisFace
from argocd_agent.proxies.redis.lastknown import LastKnown
from argocd_agent.proxies.redis.reads import Reads
from argocd_agent.proxies.redis.subscriptions import Subscriptions
from tests.support.asks import a_line
from tests.support.rediswire import owner

SPOKE_TREE = "app|resources-tree|guestbook|1.8.3.gz"
VALUE_BYTES = 8 * 1024
DAY_SECONDS = 86_400.0


async def serve(port: int) -> NoReturn:
    """Until killed."""
    async with a_line() as line, asyncio.TaskGroup() as tasks:
        cache: MemoryCache = line.cache.inner
        await cache.set(SPOKE_TREE, os.urandom(VALUE_BYTES), ttl_seconds=DAY_SECONDS)
        face = RedisFace(
            ("127.0.0.1", 0),
            tls=None,
            upstream=lambda: RedisOptions(host="127.0.0.1", port=port),
            owner=owner,
            reads=Reads(line, LastKnown(), lambda: 0.0, lambda *_: None),
            subscriptions=Subscriptions(line, lambda *_: None),
        )
        tasks.create_task(face.run(), name="face")
        await face.serving.wait()
        print(face.port, flush=True)
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nothing ends this future")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
