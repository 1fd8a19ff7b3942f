"""When to send a heartbeat, and when to give the peer up.

Between two of our ends, heartbeats go both ways; whatever is received is a sign of life, so that a half-open link is
noticed within *timeout*. Toward a Go principal an agent sends the reference's ping, whose ack is the sign of life, and
only if an interval is set; a Go agent is never sent one, since it does not know the target.

No I/O, no clock: counting begins with the first call.
"""

from dataclasses import dataclass, field

from argocd_agent.protocol.capabilities import Capability, PeerInfo
from argocd_agent.protocol.modes import Role

INTERVAL_SECONDS = 10.0
TIMEOUT_SECONDS = 30.0
_TIMEOUT_INTERVALS = 3  # two heartbeats may be late or lost


@dataclass(slots=True)
class Heartbeat:
    """The heartbeats of one stream, in seconds. An interval of 0 or less is none at all: never due, never lost."""

    interval: float = INTERVAL_SECONDS
    timeout: float = TIMEOUT_SECONDS
    toward_reference: bool = False
    _sent: float | None = field(default=None, init=False)
    _heard: float | None = field(default=None, init=False)

    @property
    def is_on(self) -> bool:
        """Whether heartbeats are sent at all."""
        return self.interval > 0

    def sent(self, now: float) -> None:
        """A heartbeat was written; or, if the peer counts it as one, any event."""
        self._sent = now
        if self._heard is None:
            self._heard = now  # the peer has the whole timeout to say something first

    def heard(self, now: float) -> None:
        """Anything was received."""
        self._heard = now

    def due(self, now: float) -> bool:
        """Whether a heartbeat is to be written now."""
        return self.is_on and (self._sent is None or now >= self._sent + self.interval)

    def lost(self, now: float) -> bool:
        """Whether the peer is to be given up."""
        return self.is_on and self._heard is not None and now >= self._heard + self.timeout

    def deadline(self) -> float | None:
        """When `due` or `lost` next becomes true; in the past: now. None: never."""
        if not self.is_on:
            return None
        due = 0.0 if self._sent is None else self._sent + self.interval
        return due if self._heard is None else min(due, self._heard + self.timeout)


def heartbeat_for(role: Role, peer: PeerInfo, interval_seconds: float = 0.0) -> Heartbeat:
    """The heartbeats that *role* sends on a stream to *peer*; *interval_seconds* is the setting, 0 for the default."""
    timeout = max(interval_seconds * _TIMEOUT_INTERVALS, TIMEOUT_SECONDS)
    if peer.can(Capability.HEARTBEAT):
        return Heartbeat(interval_seconds if interval_seconds > 0 else INTERVAL_SECONDS, timeout)
    if role is Role.AGENT and interval_seconds > 0:
        return Heartbeat(interval_seconds, timeout, toward_reference=True)
    return Heartbeat(interval=0.0)
