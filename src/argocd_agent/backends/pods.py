"""What a backend must promise of running pods: their logs, and commands in them. Nobody but a real cluster has any."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from argocd_agent.wire.execframes import Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """Which log, and which part of it: Kubernetes' PodLogOptions. `since_time` is RFC 3339, and counts in seconds."""

    namespace: str
    pod: str
    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    skips_backend_verification: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    since_time: str = ""
    limit_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, and where. An empty `container` is the pod's only one."""

    namespace: str
    pod: str
    container: str = ""
    words: tuple[str, ...] = ()
    stdin: bool = True
    stdout: bool = True
    stderr: bool = True
    tty: bool = True


class Exec(Protocol):
    """A command that runs. One task reads and one writes."""

    async def write(self, data: bytes) -> None:
        """Input for it; waits while it takes no more. Raises `ClusterError` when the connection is gone."""
        ...

    async def resize(self, columns: int, rows: int) -> None:
        """Its terminal has this size now."""
        ...

    async def close_stdin(self) -> None:
        """There is no more input. Where the cluster has no word for that, the command is ended."""
        ...

    async def read(self) -> bytes | Ended:
        """Output of it, or how it ended; then there is no more. Raises `ClusterError`."""
        ...

    async def close(self) -> None:
        """End it. Calling it twice is fine."""
        ...


class Pods(Protocol):
    """The running pods of one cluster. Raises `errors.ClusterError` subclasses only."""

    def log(self, options: LogOptions) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The log's bytes as they come, until the block is left: at most 64 KiB at a time. Entering raises where
        there is no such log; reading raises `Unavailable` where it breaks off."""
        ...

    async def exec(self, command: Command) -> Exec:
        """The command, which runs."""
        ...
