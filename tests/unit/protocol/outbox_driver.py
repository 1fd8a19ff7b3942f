"""Drives an outbox in a few words: what it writes is given as `type:version`."""

from collections.abc import Iterable

from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.events import Event
from argocd_agent.protocol.outbox import Outbox

RETRY = Backoff(first=5, factor=4, ceiling=120)


def word(event: Event) -> str:
    """What *event* says, shortly."""
    version = event.data.decode().partition(":")[2].rstrip("}")
    return event.type.rpartition(".")[2] + (f":{version}" if version else "")


def words(events: Iterable[Event]) -> list[str]:
    """What *events* say."""
    return [word(event) for event in events]


def connected(window: int = 10, patience: float = 1.0) -> Outbox:
    """An outbox with a stream, at time 0."""
    outbox = Outbox(RETRY, window=window, create_patience_seconds=patience)
    outbox.connected(0, window)
    return outbox


def write(outbox: Outbox, now: float) -> list[Event]:
    """What is written at *now*, stamped with the time."""
    return outbox.take(now, lambda: 0.0, f"t{now:g}")


def ack(outbox: Outbox, event: Event, now: float) -> Event | None:
    """The peer acks *event*, echoing its stamp."""
    return outbox.ack(event.resource_id, event.event_id, now, event.sent_at)
