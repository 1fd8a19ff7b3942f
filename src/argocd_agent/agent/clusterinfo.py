"""How much there is on this cluster, as Argo CD's controller here counts it, for the hub to show. Managed agents.

The controller keeps a document in the spoke's Redis, which cannot tell us of changes to a key: it is read every
*interval_seconds*, while connected. What is sent: the counts when they have changed, when a connection was opened, and
every `REPEAT_SECONDS`. At most one such event is pending, since a newer one takes its place in the outbox. Without the
document, or without Redis, nothing is sent, and the hub keeps what it heard last.
"""

import asyncio
from collections.abc import Callable

from argocd_agent.backends.ports import Cache
from argocd_agent.errors import CacheError, DecodeError
from argocd_agent.peer.observe import pause
from argocd_agent.protocol.names import DESTINATION_IN_CLUSTER_SERVER
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.cachevalues import Compression, cluster_info_key, read_cluster_info
from argocd_agent.wire.payloads import ClusterCacheInfo

log = get_log("ClusterInfo")

REPEAT_SECONDS = 300.0
_KEYS = tuple(cluster_info_key(DESTINATION_IN_CLUSTER_SERVER, compression) for compression in Compression)


class ClusterInfoReports:
    """Reads the counts from *cache* and hands them to *send*. `run` until cancelled."""

    def __init__(self, cache: Cache, interval_seconds: float, send: Callable[[ClusterCacheInfo], None]) -> None:
        self._cache, self._interval_seconds, self._send = cache, interval_seconds, send
        self._is_open = asyncio.Event()
        self._sent: ClusterCacheInfo | None = None
        self._sent_at = 0.0
        self._problem = ""

    def opened(self) -> None:
        """There is a connection to the principal."""
        self._sent = None
        self._is_open.set()

    def closed(self) -> None:
        """There is none any more."""
        self._is_open.clear()

    async def run(self) -> None:
        """Report while there is a connection, until cancelled."""
        while True:
            await self._is_open.wait()
            await self._report()
            await pause(self._interval_seconds)

    async def _report(self) -> None:
        try:
            counts = await self._read()
        except (CacheError, DecodeError) as error:
            self._failed(str(error))
            return
        self._problem = ""
        now = asyncio.get_running_loop().time()
        if counts is None or not self._is_open.is_set():
            return
        if counts != self._sent or now - self._sent_at >= REPEAT_SECONDS:
            self._sent, self._sent_at = counts, now
            self._send(counts)

    async def _read(self) -> ClusterCacheInfo | None:
        for key in _KEYS:
            value = await self._cache.get(key)
            if value is not None:
                return read_cluster_info(value).counts
        return None

    def _failed(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            log.warning("The counts of this cluster cannot be read from Argo CD's Redis", {fields.ERROR: problem})
