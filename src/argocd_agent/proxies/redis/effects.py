"""What the pure half of the Redis face asks its driver to do."""

from dataclasses import dataclass

from argocd_agent.protocol.events import AgentName


@dataclass(frozen=True, slots=True)
class ToUpstream:
    """Send these bytes to the hub's Redis."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ToClient:
    """Send these bytes to the client."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Get:
    """Ask *agent* for *key*, then say `answered` with *number*."""

    number: int
    agent: AgentName
    key: bytes


@dataclass(frozen=True, slots=True)
class Join:
    """From now on say `pushed` for *channel* of *agent*."""

    agent: AgentName
    channel: bytes


@dataclass(frozen=True, slots=True)
class Leave:
    """No more of that."""

    agent: AgentName
    channel: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """End both sides once what was sent is written. *reason* is for the log; empty: nothing is wrong."""

    reason: str = ""


Effect = ToUpstream | ToClient | Get | Join | Leave | Close
