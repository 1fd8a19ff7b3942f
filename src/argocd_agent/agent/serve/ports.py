"""What the servers of this package need of the rest of the agent."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from argocd_agent.transport.framestream import LogUpload, TerminalStream

IsAllowed = Callable[[str, str], Awaitable[bool]]
"""Namespace and pod: whether it belongs to an Application. Raises `ClusterError` when that cannot be found out."""


class HubCalls(Protocol):
    """Calls to the hub, on the connection of now (`agent.calls`)."""

    async def connected(self) -> None:
        """Until there is a connection."""
        ...

    async def log(self, request_uuid: str) -> LogUpload:
        """A call for a log, begun. Raises `TransportError`."""
        ...

    async def terminal(self) -> TerminalStream:
        """A call for a terminal. Raises `TransportError`."""
        ...

    async def renew(self, reason: str) -> None:
        """Our token was not taken: connect anew."""
        ...


async def everything(namespace: str, pod: str) -> bool:
    """Every pod is allowed."""
    return True
