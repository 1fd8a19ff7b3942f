"""`GET` of an agent's key: the agent's answer, or its last word with a remark on how old it is."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from argocd_agent.errors import ArgocdAgentError
from argocd_agent.protocol.events import AgentName
from argocd_agent.proxies.redis.lastknown import LastKnown
from argocd_agent.proxies.redis.ports import Asks
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.cachekeys import app_key
from argocd_agent.wire.requests import RedisGet, RedisRequest, RedisRequestBody
from argocd_agent.wire.timestamps import format_time
from argocd_agent.wire.trees import with_remark

log = get_log("RedisProxy", "redis-proxy")

GET_SECONDS = 30.0
REMARK = "as of"


@dataclass(frozen=True, slots=True)
class Answer:
    """A value, nothing (None), or why there is no answer, which begins with a code as Redis' errors do."""

    value: bytes | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Reads:
    """Asks agents. *now* is seconds since 1970; *count* hears of every question, and whether it failed."""

    asks: Asks
    known: LastKnown
    now: Callable[[], float]
    count: Callable[[AgentName, bool], None]

    async def get(self, agent: AgentName, key: str, connection: str) -> Answer:
        """What to tell the client."""
        body = RedisRequestBody(get=RedisGet(key=key))
        request = RedisRequest(uuid=str(uuid4()), connection_uuid=connection, body=body)
        try:
            reply = (await self.asks.redis(agent, request, timeout_seconds=GET_SECONDS)).body.get
        except ArgocdAgentError as error:
            return self._last_word(agent, key, str(error))
        if reply is None:
            return self._last_word(agent, key, f"agent {agent} answered something else")
        if reply.error:
            return self._last_word(agent, key, f"agent {agent}: {reply.error}")
        self.count(agent, False)
        value = (reply.value or b"") if reply.cache_hit else None
        self.known.note(agent, key, value, self.now())
        return Answer(value)

    def _last_word(self, agent: AgentName, key: str, problem: str) -> Answer:
        self.count(agent, True)
        known, about = self.known.get(agent, key), app_key(key)
        log.debug("A key could not be read from its spoke", {fields.AGENT: agent, fields.ERROR: problem})
        if known is None:
            return Answer(failure=f"ERR {problem}")
        if about is None or not about.is_tree:
            return Answer(known.value)
        return Answer(with_remark(known.value, REMARK, f"{format_time(known.said_at)}, the agent does not answer"))
