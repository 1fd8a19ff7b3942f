"""Requests that wait for a reply: known by uuid, each with a deadline and an owner, the agent it was sent to.

A reply counts only from the owner, and once. Whoever asks bounds how many there are; each ends by its reply, its
deadline, or with its agent's stream.
"""

import heapq
from dataclasses import dataclass

from argocd_agent.errors import LocalProtocolError
from argocd_agent.protocol.events import AgentName


@dataclass(frozen=True, slots=True)
class _Request:
    owner: AgentName
    deadline: float


class Correlation:
    """The open requests of one process."""

    def __init__(self) -> None:
        self._open: dict[str, _Request] = {}
        self._by_owner: dict[AgentName, dict[str, None]] = {}  # in the order of asking
        self._deadlines: list[tuple[float, str]] = []  # heap, with dead entries

    def __len__(self) -> int:
        return len(self._open)

    def open(self, uuid: str, owner: AgentName, deadline: float) -> None:
        """A request was sent to *owner*. Raises `LocalProtocolError` for a uuid that is open already."""
        if uuid in self._open:
            raise LocalProtocolError(f"request {uuid} to {owner}: expected a new uuid, found one that is open")
        self._open[uuid] = _Request(owner, deadline)
        self._by_owner.setdefault(owner, {})[uuid] = None
        heapq.heappush(self._deadlines, (deadline, uuid))

    def is_open(self, uuid: str, owner: AgentName) -> bool:
        """Whether *owner* may still reply to *uuid*."""
        request = self._open.get(uuid)
        return request is not None and request.owner == owner

    def close(self, uuid: str, owner: AgentName) -> bool:
        """*owner* replied. False: to nothing that is open and its own; the reply is dropped."""
        request = self._open.get(uuid)
        if request is None or request.owner != owner:
            return False
        self._forget(uuid)
        if len(self._deadlines) > 2 * len(self._open) + 64:  # mostly dead: replies come long before deadlines
            self._deadlines = [(request.deadline, uuid) for uuid, request in self._open.items()]
            heapq.heapify(self._deadlines)
        return True

    def expired(self, now: float) -> list[str]:
        """The requests whose deadline has passed, earliest first; they are closed by this."""
        passed: list[str] = []
        while (deadline := self.deadline()) is not None and deadline <= now:
            _, uuid = heapq.heappop(self._deadlines)
            self._forget(uuid)
            passed.append(uuid)
        return passed

    def abandon(self, owner: AgentName) -> list[str]:
        """The open requests of *owner*, whose stream has ended, oldest first; they are closed by this."""
        uuids = list(self._by_owner.get(owner, ()))
        for uuid in uuids:
            self._forget(uuid)
        return uuids

    def deadline(self) -> float | None:
        """When `expired` next has something."""
        while self._deadlines:
            deadline, uuid = self._deadlines[0]
            request = self._open.get(uuid)
            if request is not None and request.deadline == deadline:
                return deadline
            heapq.heappop(self._deadlines)
        return None

    def _forget(self, uuid: str) -> None:
        request = self._open.pop(uuid)
        own = self._by_owner[request.owner]
        del own[uuid]
        if not own:
            del self._by_owner[request.owner]
