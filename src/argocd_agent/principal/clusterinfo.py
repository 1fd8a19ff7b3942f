"""What Argo CD on the hub shows of agents' clusters: connected or not, and how much is there. Kept in its Redis.

Under the URL of the agent's cluster Secret stands a document with a connection state, counts and versions
(docs/protocol, 9.3). It lives for ten minutes and is written anew every three, so that it never expires while it is
true; what others wrote into it is kept. It is written when an agent connects, leaves or counts, when its Secret
appears, however late, and a last time when the Secret goes.

An agent that this process has not seen is left as it is found until the first refresh, which gives it three minutes to
connect; then a document that says it is connected is put right.

Memory holds a state per registered or connected agent. While Redis is away only the newest states are kept, and written
after a pause that grows to a minute; nothing else waits for that.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from argocd_agent.backends.ports import Cache
from argocd_agent.errors import CacheError, DecodeError
from argocd_agent.peer.observe import pause
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.events import AgentName
from argocd_agent.resources.cluster import ClusterEntry
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.telemetry.metrics import PrincipalMetrics
from argocd_agent.wire.cachevalues import (
    ClusterInfo,
    Compression,
    ConnectionState,
    cluster_info_key,
    read_cluster_info,
    write_cluster_info,
)
from argocd_agent.wire.payloads import ClusterCacheInfo
from argocd_agent.wire.timestamps import format_time

log = get_log("ClusterInfo")

TTL_SECONDS = 600.0
REFRESH_SECONDS = 180.0
CONNECTED, DISCONNECTED = "Successful", "Failed"  # Argo CD's words
_PAUSES = Backoff(first=1.0, factor=2.0, ceiling=60.0)


@dataclass(slots=True)
class _Known:
    """What this process knows of one agent. `server`: where its document stood last."""

    server: str = ""
    state: ConnectionState | None = None
    counts: ClusterCacheInfo | None = None

    @property
    def is_connected(self) -> bool:
        return self.state is not None and self.state.status == CONNECTED


class ClusterInfos:
    """Keeps the documents true. `run` until cancelled; everything else only notes what happened.

    *entry* is `Clusters.entry`, *registered* the agents that have a Secret, *now* the time as RFC 3339. *shown_as_of*
    says how old what is shown of an agent is, None where nothing is shown.
    """

    def __init__(
        self,
        cache: Cache,
        compression: Compression,
        *,
        entry: Callable[[AgentName], ClusterEntry | None],
        registered: Callable[[], tuple[AgentName, ...]],
        now: Callable[[], str],
        metrics: PrincipalMetrics,
        shown_as_of: Callable[[AgentName], float | None] = lambda _: None,
    ) -> None:
        self._cache, self._compression = cache, compression
        self._entry, self._registered, self._now, self._metrics = entry, registered, now, metrics
        self._shown_as_of = shown_as_of
        self._known: dict[AgentName, _Known] = {}
        self._due: dict[AgentName, None] = {}
        self._wake = asyncio.Event()
        self._is_away = False
        self._is_settled = False  # whoever is there has had time to connect

    def connected(self, agent: AgentName) -> None:
        """*agent* has opened its stream."""
        self._note(agent).state = self._state(agent, CONNECTED)

    def disconnected(self, agent: AgentName) -> None:
        """The stream of *agent* has ended."""
        self._note(agent).state = self._state(agent, DISCONNECTED)

    def counted(self, agent: AgentName, counts: ClusterCacheInfo) -> None:
        """*agent* says how much there is on its cluster."""
        self._note(agent).counts = counts

    def registered(self, agent: AgentName) -> None:
        """*agent* has a cluster Secret now."""
        self._note(agent)

    def removed(self, agent: AgentName) -> None:
        """The cluster Secret of *agent* has gone."""
        known = self._note(agent)
        if known.state is None or known.is_connected:
            known.state = self._state(agent, DISCONNECTED)

    async def run(self) -> None:
        """Write what is due, until cancelled."""
        clock = asyncio.get_running_loop().time
        refresh_at, failures = clock() + REFRESH_SECONDS, 0
        while True:
            await self._until(refresh_at)
            if clock() >= refresh_at:
                self._refresh()
                refresh_at = clock() + REFRESH_SECONDS
            if await self._write_due():
                failures = 0
            else:
                failures += 1
                await pause(_PAUSES.delay(failures))

    async def _until(self, deadline: float) -> None:
        if self._due:
            return
        self._wake.clear()
        try:
            async with asyncio.timeout_at(deadline):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _refresh(self) -> None:
        self._is_settled = True
        for agent in self._registered():
            self._note(agent)

    async def _write_due(self) -> bool:
        """Whether Redis took all that was due; what it did not take stays due."""
        while self._due:
            agent = next(iter(self._due))
            del self._due[agent]
            try:
                await self._write(agent)
            except CacheError as error:
                self._due.setdefault(agent)
                self._failed(error)
                return False
        if self._is_away:
            self._is_away = False
            log.info("Argo CD's Redis is back: the states of clusters are written again")
        return True

    def _failed(self, error: CacheError) -> None:
        self._metrics.cache_failed()
        if not self._is_away:
            self._is_away = True
            log.warning(
                "Argo CD's Redis does not take the states of clusters; they are kept, and tried again",
                {fields.ERROR: str(error)},
            )

    async def _write(self, agent: AgentName) -> None:
        known = self._known[agent]
        entry = self._entry(agent)
        if entry is not None:
            known.server = entry.server
        if known.server and (entry is not None or not known.is_connected):
            await self._merge(agent, known)
        if entry is None and not known.is_connected and agent not in self._due:
            del self._known[agent]

    async def _merge(self, agent: AgentName, known: _Known) -> None:
        key = cluster_info_key(known.server, self._compression)
        found = await self._cache.get(key)
        if found is None and known.state is None and known.counts is None:
            return  # nobody has said anything about it
        info = _readable(found, key)
        state = known.state
        if state is None and self._is_settled and info.connection.status == CONNECTED:
            state = known.state = self._state(agent, DISCONNECTED)
        if state is not None:
            info = info.with_connection(state)
        if known.counts is not None:
            info = info.with_counts(known.counts)
        await self._cache.set(key, write_cluster_info(info, self._compression), ttl_seconds=TTL_SECONDS)

    def _note(self, agent: AgentName) -> _Known:
        self._due.setdefault(agent)
        self._wake.set()
        return self._known.setdefault(agent, _Known())

    def _state(self, agent: AgentName, status: str) -> ConnectionState:
        word = "connected" if status == CONNECTED else "disconnected"
        message, shown = f"Agent: '{agent}' is {word} with principal", self._shown_as_of(agent)
        if status == DISCONNECTED and shown is not None:
            message += f"; its resource trees are shown as of {format_time(shown)}"
        return ConnectionState(status=status, message=message, attempted_at=self._now())


def _readable(found: bytes | None, key: str) -> ClusterInfo:
    """The document *found*; an empty one if there is none, or none that can be read."""
    if found is None:
        return ClusterInfo()
    try:
        info = read_cluster_info(found)
        _ = info.connection, info.counts
    except DecodeError as error:
        log.warning("The state of a cluster in Redis cannot be read, and is written anew", {fields.ERROR: str(error)})
        return ClusterInfo()
    return info
