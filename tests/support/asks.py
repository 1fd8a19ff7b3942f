"""A way to agents for tests of the Redis face: a spoke's service on a cache in this process, on a line that can be cut.

async with a_line("agent-1") as line:
    await line.cache.set("app|resources-tree|guestbook|1.8.3", b"tree", ttl_seconds=60)
    await line.redis(AgentName("agent-1"), request, timeout_seconds=1)
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from argocd_agent.agent.serve.redis import RedisService
from argocd_agent.errors import PeerUnavailable
from argocd_agent.protocol.events import AgentName
from argocd_agent.wire.payloads import decode, encode
from argocd_agent.wire.requests import RedisPush, RedisRequest, RedisResponse
from tests.support.caches import MovableCache
from tests.support.world import passing


@dataclass
class Line:
    """The port `Asks` to one agent. `is_silent`: requests are lost on the way. Bytes travel as JSON, as on the wire."""

    agent: AgentName
    cache: MovableCache
    requests: list[RedisRequest] = field(default_factory=list)
    is_up: bool = True
    is_silent: bool = False
    waiting: dict[str, "asyncio.Future[RedisResponse]"] = field(default_factory=dict)
    pushed: dict[str, "asyncio.Queue[RedisPush | None]"] = field(default_factory=dict)
    counted: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.service = RedisService(
            self.cache, self._heard, destination_mapping=False, count=lambda name, bad: self.counted.append((name, bad))
        )

    async def redis(self, agent: AgentName, request: RedisRequest, *, timeout_seconds: float) -> RedisResponse:
        self._expect(agent)
        self.requests.append(request)
        future: asyncio.Future[RedisResponse] = asyncio.get_running_loop().create_future()
        self.waiting[request.uuid] = future
        if not self.is_silent:
            self.service.take(decode(encode(request), RedisRequest))
        try:
            async with asyncio.timeout(timeout_seconds):
                return await future
        except TimeoutError as error:
            raise PeerUnavailable(f"agent {agent} did not answer within {timeout_seconds:g} s") from error
        finally:
            self.waiting.pop(request.uuid, None)

    def pushes(self, agent: AgentName, uuid: str) -> AsyncGenerator[RedisPush, None]:
        self._expect(agent)
        queue = self.pushed[uuid] = asyncio.Queue()
        return self._pushes(queue, uuid)

    def cut(self) -> None:
        """The stream ends."""
        self.is_up = False
        self.service.closed()
        for future in self.waiting.values():
            future.set_exception(PeerUnavailable(f"agent {self.agent} has gone"))
        for queue in self.pushed.values():
            queue.put_nowait(None)

    def mend(self) -> None:
        """There is a stream again."""
        self.is_up = True

    async def _pushes(self, queue: "asyncio.Queue[RedisPush | None]", uuid: str) -> AsyncGenerator[RedisPush, None]:
        try:
            while (push := await queue.get()) is not None:
                yield push
        finally:
            self.pushed.pop(uuid, None)

    def _heard(self, response: RedisResponse) -> None:
        response = decode(encode(response), RedisResponse)
        push = response.body.push_from_subscribe
        if push is not None:
            if response.uuid in self.pushed:
                self.pushed[response.uuid].put_nowait(push)
        elif response.uuid in self.waiting and not self.waiting[response.uuid].done():
            self.waiting[response.uuid].set_result(response)

    def _expect(self, agent: AgentName) -> None:
        if agent != self.agent or not self.is_up:
            raise PeerUnavailable(f"agent {agent} is not connected")


@contextlib.asynccontextmanager
async def a_line(agent: str = "agent-1") -> AsyncIterator[Line]:
    """A line to an agent that runs."""
    line = Line(AgentName(agent), MovableCache())
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(line.service.run(), name=f"Redis service of {agent}")
        await passing(0)
        yield line
        task.cancel()
