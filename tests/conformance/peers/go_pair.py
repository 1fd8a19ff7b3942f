"""A scripted Go principal and a scripted Go agent on one line: how the scripts are held against the records."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Protocol

from argocd_agent.errors import StreamClosed
from argocd_agent.protocol.events import Event, Target
from tests.conformance.peers.go_end import FORGOTTEN, GoEnd
from tests.conformance.peers.line import GoLine
from tests.support.world import passing

# What moves no object: statistics, and what Argo CD asks for.
_ASIDE = frozenset({Target.CLUSTER_CACHE_INFO, Target.RESOURCE, Target.REDIS, Target.CONTAINER_LOG, Target.TERMINAL})
Talk = Counter[str]


class Speaker(Protocol):
    """A scripted end."""

    @property
    def end(self) -> GoEnd: ...

    async def serve(self, line: GoLine) -> None: ...


class Half:
    """One end of a line between two scripts."""

    def __init__(self, heard: "asyncio.Queue[bytes | None]", said: "asyncio.Queue[bytes | None]") -> None:
        self._heard, self._said = heard, said
        self.is_open = True

    def say(self, data: bytes) -> None:
        """Send *data*; on a closed line it is lost."""
        if self.is_open:
            self._said.put_nowait(data)

    async def hear(self) -> bytes:
        """What the other end said. Raises `StreamClosed`."""
        data = await self._heard.get()
        if data is None or not self.is_open:
            raise StreamClosed("cut")
        return data

    def end(self, reason: str) -> None:
        """Close it for both."""
        self.is_open = False
        self._heard.put_nowait(None)
        self._said.put_nowait(None)


class GoPair:
    """Two scripted ends, connected and cut."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._halves: list[Half] = []

    async def connect(self, principal: Speaker, agent: Speaker, seconds: float = 2.0) -> None:
        """A new line between the two, and *seconds* of talk."""
        await self.cut()
        up: asyncio.Queue[bytes | None] = asyncio.Queue()
        down: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._halves = [Half(up, down), Half(down, up)]
        for end, half in zip((principal, agent), self._halves, strict=True):
            self._tasks.create_task(end.serve(half), name="a script")
        await passing(seconds)

    async def cut(self) -> None:
        """End the line, if there is one. What is under way is lost."""
        for half in self._halves:
            half.end("cut")
        self._halves = []
        await passing(0.3)


@contextlib.asynccontextmanager
async def a_pair() -> AsyncIterator[GoPair]:
    """A line for two."""
    async with asyncio.TaskGroup() as tasks:
        pair = GoPair(tasks)
        yield pair
        await pair.cut()


def labels(sender: str, said: Iterable[Event], namespaces: Mapping[str, str]) -> Talk:
    """What *sender* said, a label for each event: who, target, type, and the object; acks and the like left out.

    *namespaces* renames those that are called otherwise in a record.
    """
    found: Talk = Counter()
    for event in said:
        if event.target in FORGOTTEN or event.target in _ASIDE:
            continue
        kind, namespace, name = _about(event)
        place = f"{namespaces.get(namespace, namespace)}/{name}" if name else ""
        parts = (sender, str(event.target), event.type.rpartition(".")[2], kind, place)
        found[" ".join(part for part in parts if part)] += 1
    return found


def _about(event: Event) -> tuple[str, str, str]:
    if event.target is not Target.RESYNC:
        namespace, _, name = event.subject.rpartition("/")
        return "", namespace, name
    about = json.loads(event.data)
    return about.get("kind", ""), about.get("namespace", ""), about.get("name", "")
