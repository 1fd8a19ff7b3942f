"""Requests that are being served: one task each, known by uuid, so that one that comes twice is served once.

They outlive the session that they came with: a followed log goes on over the next connection. A defect in one ends
nothing else.
"""

import asyncio
from collections.abc import Coroutine

from argocd_agent.errors import LocalProtocolError, TransportError
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("Agent")


class Running:
    """Up to *limit* of them; as many again may be on their way to being refused."""

    def __init__(self, what: str, limit: int) -> None:
        self._what, self._limit = what, limit
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ended = asyncio.Event()
        self._is_open = False

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, uuid: str) -> bool:
        return uuid in self._tasks

    @property
    def is_full(self) -> bool:
        """Whether another one is to be refused, in its own words."""
        return len(self._tasks) >= self._limit

    @property
    def is_overrun(self) -> bool:
        """Whether there is no room even for that."""
        return len(self._tasks) >= 2 * self._limit

    async def run(self) -> None:
        """Let them run, until cancelled; then they all end."""
        self._is_open = True
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._is_open = False
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def start(self, uuid: str, work: Coroutine[None, None, None]) -> None:
        """Serve the request *uuid*, which is not being served yet."""
        if not self._is_open:
            work.close()
            raise LocalProtocolError(f"{self._what} {uuid}: nothing is being served: run this first")
        task = asyncio.create_task(work, name=f"{self._what} {uuid}")
        self._tasks[uuid] = task
        task.add_done_callback(lambda task: self._done(uuid, task))

    def _done(self, uuid: str, task: asyncio.Task[None]) -> None:
        del self._tasks[uuid]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error(f"A {self._what} ended on a defect", {fields.UID: uuid}, error)


def transport_error(group: BaseExceptionGroup[BaseException]) -> TransportError | None:
    """The one error of the network in *group*. None: there is something else in it, too."""
    found: TransportError | None = None
    for error in group.exceptions:
        inner = transport_error(error) if isinstance(error, BaseExceptionGroup) else error
        if not isinstance(inner, TransportError):
            return None
        found = found or inner
    return found
