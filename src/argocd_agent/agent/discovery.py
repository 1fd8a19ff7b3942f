"""Which kind stands behind a resource's name, and the other way round, as the cluster says; remembered for a while.

A version's list is read once and kept for `KEPT_SECONDS`. A kind that it does not name makes it be read again, when it
is older than `MISSED_SECONDS`: a new custom resource is found soon, a wrong name costs little. At most `KEPT` lists are
kept, the longest unused goes first. Those who ask for one list at the same time share one call.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from argocd_agent.backends.ports import RawApi, RawRequest
from argocd_agent.errors import DecodeError, NotFound, Unavailable
from argocd_agent.wire.kubediscovery import Served, served_in
from argocd_agent.wire.kubepaths import KubePath, path_of

KEPT = 256
KEPT_SECONDS = 600.0
MISSED_SECONDS = 5.0
LIMIT_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class _Listed:
    at: float
    served: tuple[Served, ...]


class Discovery:
    """What the cluster behind *raw* serves."""

    def __init__(self, raw: RawApi) -> None:
        self._raw = raw
        self._lists: OrderedDict[tuple[str, str], _Listed] = OrderedDict()
        self._reading: dict[tuple[str, str], asyncio.Event] = {}
        self._clock = asyncio.get_running_loop().time

    async def by_plural(self, group: str, version: str, plural: str) -> Served | None:
        """The kind whose objects stand below *plural*; None where there is none. Raises `ClusterError`."""
        return await self._find((group, version), lambda one: one.plural == plural)

    async def by_kind(self, group: str, version: str, kind: str) -> Served | None:
        """The kind called *kind*; None where there is none. Raises `ClusterError`."""
        return await self._find((group, version), lambda one: one.kind == kind)

    async def _find(self, key: tuple[str, str], fits: Callable[[Served], bool]) -> Served | None:
        while True:
            now, known = self._clock(), self._lists.get(key)
            if known is not None and now - known.at < KEPT_SECONDS:
                self._lists.move_to_end(key)
                found = next(filter(fits, known.served), None)
                if found is not None or now - known.at < MISSED_SECONDS:
                    return found
            under_way = self._reading.get(key)
            if under_way is None:
                await self._read(key)
            else:  # if that fails, or whoever reads it goes away, we read it ourselves
                await under_way.wait()

    async def _read(self, key: tuple[str, str]) -> None:
        done = self._reading[key] = asyncio.Event()
        try:
            served = await self._call(*key)
        finally:
            del self._reading[key]
            done.set()
        self._lists[key] = _Listed(self._clock(), served)
        self._lists.move_to_end(key)
        if len(self._lists) > KEPT:
            self._lists.popitem(last=False)

    async def _call(self, group: str, version: str) -> tuple[Served, ...]:
        try:
            path = path_of(KubePath(is_core=not group, group=group, version=version))
        except DecodeError:  # an owner reference can say anything
            return ()
        answer = await self._raw.call(RawRequest("GET", path), LIMIT_BYTES)
        if answer.status == NotFound.code:
            return ()
        if answer.status != 200:
            raise Unavailable(f"cannot read what {path} serves: the API server says {answer.status}")
        try:
            return served_in(answer.body)
        except DecodeError as error:
            raise Unavailable(f"cannot read what {path} serves: {error}") from error
