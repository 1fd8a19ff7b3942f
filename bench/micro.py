"""What the steps cost that every event takes, in microseconds: of an Application of 8 KB, best of several rounds."""

import time
from collections.abc import Callable

from argocd_agent.backends.kubernetes.watch import event_from
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.events import Event, EventId, EventType, ResourceId, Target, object_key
from argocd_agent.protocol.outbox import Outbox
from argocd_agent.resources.checksum import canonical
from argocd_agent.resources.kinds import APPLICATIONS
from argocd_agent.resources.objects import decode_object
from argocd_agent.wire import cloudevents
from bench.applications import LARGE_BYTES, application
from bench.figures import Figure

ROUNDS, TIMES = 7, 2000
_STAMP = "2026-01-01T00:00:00.000000000Z"


def measure() -> list[Figure]:
    """One figure for each step."""
    body = application("bench", "app", LARGE_BYTES).encode(APPLICATIONS)
    obj = decode_object(body)
    spec = obj.fields["spec"]
    line = b'{"type":"MODIFIED","object":%b}' % body
    event = _event(body, 0)
    wire = cloudevents.encode(event)
    steps: dict[str, Callable[[], object]] = {
        "decode a watch line": lambda: event_from(line, "watch"),
        "decode an object": lambda: decode_object(body),
        "encode an object": lambda: obj.encode(APPLICATIONS),
        "canonical spec": lambda: canonical(spec),
        "event to bytes": lambda: cloudevents.encode(event),
        "bytes to event": lambda: cloudevents.decode(wire),
    }
    figures = [Figure("micro", name, "us", _best(step, TIMES)) for name, step in steps.items()]
    return [*figures, Figure("micro", "outbox: put, take, ack", "us", _best(_outbox(body), 1) / TIMES)]


def _outbox(body: bytes) -> Callable[[], object]:
    events = [_event(body, number) for number in range(TIMES)]

    def carry() -> None:
        outbox = Outbox(Backoff(5.0, 4.0, 120.0), window=TIMES)
        outbox.connected(0.0, TIMES)
        for event in events:
            outbox.put(event, 0.0)
        while taken := outbox.take(0.0, lambda: 0.5, _STAMP):
            for event in taken:
                outbox.ack(event.resource_id, event.event_id, 1.0, event.sent_at)

    return carry


def _event(body: bytes, number: int) -> Event:
    unique = f"app-{number}_5f3c"
    return Event(
        target=Target.APPLICATION,
        type=EventType.SPEC_UPDATE,
        resource_id=ResourceId(unique),
        event_id=EventId(f"{unique}_{number}_1"),
        data=body,
        key=object_key(Target.APPLICATION, "bench", f"app-{number}"),
        subject=f"bench/app-{number}",
    )


def _best(step: Callable[[], object], times: int) -> float:
    """Microseconds of one step, in the best round."""
    rounds: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(times):
            step()
        rounds.append((time.perf_counter() - began) / times * 1e6)
    return min(rounds)
