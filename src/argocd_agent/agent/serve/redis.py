"""Answers what the hub asks of the cache of the spoke's Argo CD: values, channels, and whether somebody is there.

A subscription stands until its connection has asked for nothing for `SILENCE_SECONDS`, or the stream to the hub ends;
the wire contract has no other word for its end. When the cache was lost and is back, it is taken up again, and what was
said meanwhile is made up for by one message, since all messages mean "look again". Each request is answered, in words
where it cannot be served; one that comes twice is served once.

Limits: `GETS` values are read at one time and `SUBSCRIPTIONS` stand; more are refused.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from argocd_agent.backends.ports import Cache
from argocd_agent.errors import CacheError, DecodeError
from argocd_agent.peer.observe import pause
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.cachekeys import on_spoke
from argocd_agent.wire.requests import (
    RedisGetReply,
    RedisPong,
    RedisPush,
    RedisRequest,
    RedisResponse,
    RedisResponseBody,
    RedisSubscribe,
    RedisSubscribeReply,
)

log = get_log("RedisProxy")

GETS = 256
SUBSCRIPTIONS = 10_000
SILENCE_SECONDS = 600.0
_PAUSES = Backoff(first=1.0, factor=2.0, ceiling=60.0)

Count = Callable[[str, bool], None]
"""Hears of every command, by its name, and whether it failed."""


@dataclass(slots=True)
class _Asker:
    """One connection of the hub that has subscriptions here."""

    heard_at: float
    channels: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)  # by the uuid of the request


class RedisService:
    """`run` until cancelled; `take` each request while it runs. Answers go to *send*, which must not wait."""

    def __init__(
        self, cache: Cache, send: Callable[[RedisResponse], None], *, destination_mapping: bool, count: Count
    ) -> None:
        self._cache, self._send, self._count = cache, send, count
        self._destination_mapping = destination_mapping
        self._clock = asyncio.get_running_loop().time
        self._askers: dict[str, _Asker] = {}
        self._gets: dict[str, asyncio.Task[None]] = {}  # by the uuid of the request
        self._tasks: asyncio.TaskGroup | None = None

    def __len__(self) -> int:
        """How many subscriptions stand."""
        return sum(len(asker.channels) for asker in self._askers.values())

    async def run(self) -> None:
        """Serve, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                while True:
                    await pause(self._until_silent())
                    self._end_silent()
            finally:
                self._tasks = None

    def closed(self) -> None:
        """The stream to the hub has ended: whoever asked has gone with it."""
        for task in [task for asker in self._askers.values() for task in asker.channels.values()]:
            task.cancel()
        for task in self._gets.values():
            task.cancel()
        self._askers.clear()

    def take(self, request: RedisRequest) -> None:
        """Serve *request*. `run` must be under way."""
        body = request.body
        if (asker := self._askers.get(request.connection_uuid)) is not None:
            asker.heard_at = self._clock()
        if body.ping is not None:
            self._answer(request, RedisResponseBody(pong=RedisPong()))
        elif body.get is not None:
            self._take_get(request, body.get.key)
        elif body.subscribe is not None:
            self._take_subscribe(request, body.subscribe)

    def _take_get(self, request: RedisRequest, key: str) -> None:
        if request.uuid in self._gets:
            return
        if len(self._gets) >= GETS:
            self._answer_get(request, None, f"{len(self._gets)} values are being read already")
            return
        task = self._running().create_task(self._get(request, key), name=f"GET {key}")
        self._gets[request.uuid] = task
        task.add_done_callback(lambda _: self._gets.pop(request.uuid, None))

    async def _get(self, request: RedisRequest, key: str) -> None:
        try:
            value = await self._cache.get(on_spoke(key, destination_mapping=self._destination_mapping))
        except (CacheError, DecodeError) as error:
            self._answer_get(request, None, str(error))
        else:
            self._answer_get(request, value, "")

    def _answer_get(self, request: RedisRequest, value: bytes | None, error: str) -> None:
        self._count("get", bool(error))
        if error:
            log.warning("A value that the hub asked for could not be read", {fields.ERROR: error})
        reply = RedisGetReply(value=value, cache_hit=value is not None, error=error)
        self._answer(request, RedisResponseBody(get=reply))

    def _take_subscribe(self, request: RedisRequest, body: RedisSubscribe) -> None:
        asker = self._askers.get(request.connection_uuid)
        if asker is not None and request.uuid in asker.channels:
            return
        error, channel = "", ""
        try:
            channel = on_spoke(body.channel, destination_mapping=self._destination_mapping)
        except DecodeError as problem:
            error = str(problem)
        if len(self) >= SUBSCRIPTIONS:
            error = error or f"{len(self)} subscriptions stand already"
        self._count("subscribe", bool(error))
        if not error:
            if asker is None:
                asker = self._askers[request.connection_uuid] = _Asker(self._clock())
            name = f"channel {channel} for the hub"
            asker.channels[request.uuid] = self._running().create_task(self._follow(request, channel), name=name)
        self._answer(request, RedisResponseBody(subscribe_response=RedisSubscribeReply(error=error)))

    async def _follow(self, request: RedisRequest, channel: str) -> None:
        failures, is_first = 0, True
        while True:
            try:
                async with contextlib.aclosing(self._cache.subscribe(channel)) as messages:
                    async for message in messages:  # the first is empty, and says that the channel is heard now
                        if not is_first:
                            self._push(request, message)
                        failures, is_first = 0, False
            except CacheError as error:
                failures += 1
                if failures == 1:
                    log.warning("A channel is not heard, and will be taken up again", {fields.ERROR: str(error)})
            await pause(_PAUSES.delay(failures))

    def _push(self, request: RedisRequest, message: bytes) -> None:
        if message:
            log.warning("A message on a channel was skipped: expected an empty one", {fields.COUNT: len(message)})
            return
        assert request.body.subscribe is not None, "only subscriptions are followed"
        push = RedisPush(channel_name=request.body.subscribe.channel)
        self._answer(request, RedisResponseBody(push_from_subscribe=push))

    def _answer(self, request: RedisRequest, body: RedisResponseBody) -> None:
        self._send(RedisResponse(uuid=request.uuid, connection_uuid=request.connection_uuid, body=body))

    def _running(self) -> asyncio.TaskGroup:
        assert self._tasks is not None, "requests are taken while `run` is under way"
        return self._tasks

    def _until_silent(self) -> float:
        """Seconds until somebody may have been silent for too long."""
        oldest = min((asker.heard_at for asker in self._askers.values()), default=self._clock())
        return max(oldest + SILENCE_SECONDS - self._clock(), 1.0)

    def _end_silent(self) -> None:
        over = self._clock() - SILENCE_SECONDS
        for uuid in [uuid for uuid, asker in self._askers.items() if asker.heard_at <= over]:
            for task in self._askers.pop(uuid).channels.values():
                task.cancel()
