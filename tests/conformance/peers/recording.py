"""The recorded conversation of a managed pair as a script, and what either end said in a form that can be compared.

A `Line` of talk is a label (what sort of event, about what) and a content: what the other end reads of it. Ids of
messages, versions, times, namespaces and empty values are left out; acks are not lines.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import ANNOTATION_REFRESH, ANNOTATION_SOURCE_UID, EVENT_TYPE_PREFIX
from tests.conformance.peers.go_end import FORGOTTEN, GoEnd
from tests.conformance.peers.line import GoLine
from tests.conformance.transcripts.records import RecordedEvent, events, step_names
from tests.support.world import passing

AGENT = "agent-managed"
PRINCIPAL = "5b6a1013-18b8-4fcc-93a3-7d17adfbd7e7"

AUTONOMOUS = "agent-autonomous"

# What moves no object is not compared: live requests, Redis, logs, statistics.
OBJECTS = frozenset({Target.APPLICATION, Target.APPPROJECT, Target.REPOSITORY, Target.GPGKEY})
COMPARED = OBJECTS | {Target.RESYNC}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done, and what was said until the next."""

    name: str
    events: tuple[RecordedEvent, ...]

    def by(self, sender: str) -> list[RecordedEvent]:
        """What *sender* said, acks left out."""
        return [one for one in self.events if one.sender == sender and one.event.target is not Target.ACK]

    def objects(self, sender: str, name: str = "", target: Target = Target.APPLICATION) -> list[dict[str, Any]]:
        """The Applications, or what else *target* names, in what *sender* said about *name*, or about any."""
        found = [json.loads(one.event.data) for one in self.by(sender) if one.event.target is target]
        return [obj for obj in found if name in ("", obj["metadata"]["name"])]


def steps(name: str = "managed") -> list[Step]:
    """The conversation *name*, step by step."""
    found: dict[str, list[RecordedEvent]] = {step: [] for step in step_names(name)}
    for one in events(name):
        found.setdefault(one.step, []).append(one)
    return [Step(name, tuple(said)) for name, said in found.items()]


class Recorded:
    """A scripted end that says what the recorded one said, when it said it, and acks what ours says."""

    def __init__(self, end: GoEnd, sender: str) -> None:
        self.end, self._sender = end, sender

    async def serve(self, line: GoLine) -> None:
        """Speak on *line* until it is closed."""
        await self.end.serve(line)

    async def play(self, step: Step) -> None:
        """Say the lines of *step*, at their times, and wait for answers."""
        lines = step.by(self._sender)
        began = min((one.at_seconds for one in step.events), default=0.0) - 0.3
        now = began
        for one in lines:
            if one.at_seconds > now:
                await passing(one.at_seconds - now)
                now = one.at_seconds
            self.end.say_bytes(one.data)
        await passing(2)


def talk(said: Iterable[Event], mode: Mode = Mode.MANAGED) -> Counter[tuple[str, str]]:
    """The lines in *said* to or by an agent of *mode*."""
    return Counter(line for event in said if (line := _line(event, mode)) is not None)


def recorded_talk(step: Step, sender: str, mode: Mode = Mode.MANAGED) -> Counter[tuple[str, str]]:
    """The lines of *sender* in *step*."""
    return talk((one.event for one in step.by(sender)), mode)


def differences(found: Counter[tuple[str, str]], expected: Counter[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """The labels of what is expected and was not found, and of what was found and is not expected, sorted."""
    missing, extra = (expected - found).elements(), (found - expected).elements()
    return sorted(label for label, _ in missing), sorted(label for label, _ in extra)


def pruned(value: Any) -> Any:
    """*value* without what Go writes for nothing: empty texts, objects, arrays, null, false and 0."""
    if isinstance(value, Mapping):
        kept = {key: less for key, one in value.items() if (less := pruned(one))}
        return dict(sorted(kept.items()))
    if isinstance(value, list):
        return [pruned(one) for one in value]
    return value


def _line(event: Event, mode: Mode) -> tuple[str, str] | None:
    kind = event.type.removeprefix(f"{EVENT_TYPE_PREFIX}.")
    if event.target in FORGOTTEN or event.target not in COMPARED:
        return None
    payload = json.loads(event.data)
    if event.target in OBJECTS:
        obj = payload["metadata"]
        if event.target is Target.APPLICATION:
            read = _read if mode is Mode.MANAGED else _read_autonomous
            return f"{kind} {obj['name']}", _text(read(event, payload))
        return f"{event.target} {kind} {obj['name']}", _text(_read_other(event, payload))
    if event.type == EventType.REQUEST_SYNCED_RESOURCE_LIST:
        return kind, ""  # its checksum is over objects that differ by what was there before the records
    payload.pop("namespace", None)
    label = " ".join([kind, *(payload[name] for name in ("kind", "name") if name in payload)])
    return label, _text(payload)


def _read(event: Event, payload: Mapping[str, Any]) -> Iterator[Any]:
    """What the other end reads of an Application in *event*."""
    obj = payload["metadata"]
    notes = obj.get("annotations") or {}
    if event.type == EventType.STATUS_UPDATE:
        yield from (notes.get(ANNOTATION_SOURCE_UID), notes.get(ANNOTATION_REFRESH))
        yield from (payload.get("status"), payload.get("operation"))
    elif event.type == EventType.DELETE:
        yield notes.get(ANNOTATION_SOURCE_UID) or obj["uid"]
    else:
        yield from (obj["uid"], event.principal_uid)
        if event.type == EventType.SET_OPERATION:
            yield payload["operation"]
        elif event.type != EventType.TERMINATE_OPERATION:
            yield from (obj.get("labels"), notes, obj.get("finalizers"), bool(obj.get("deletionTimestamp")))
            yield payload["spec"]
        if event.type == EventType.CREATE:
            yield payload.get("status")


def _read_autonomous(event: Event, payload: Mapping[str, Any]) -> Iterator[Any]:
    """As `_read`, of an autonomous agent's Application: what the hub shows, and what the agent takes from the hub."""
    obj = payload["metadata"]
    notes = obj.get("annotations") or {}
    if event.type == EventType.DELETE:
        yield obj["uid"]
    elif event.principal_uid or event.type == EventType.SET_OPERATION:
        yield from (notes.get(ANNOTATION_REFRESH), payload.get("operation"))
    else:
        yield from (obj["uid"], obj.get("labels"), notes, obj.get("finalizers"))
        yield from (payload["spec"], payload.get("status"), payload.get("operation"))


def _read_other(event: Event, payload: Mapping[str, Any]) -> Iterator[Any]:
    """What the other end reads of another kind."""
    obj = payload["metadata"]
    yield obj["uid"]
    if event.type != EventType.DELETE:
        yield from (obj.get("labels"), obj.get("annotations"), obj.get("finalizers"))
        yield from (payload.get("spec"), payload.get("data"), payload.get("type"))


def _text(value: Any) -> str:
    return json.dumps(pruned(list(value) if isinstance(value, Iterator) else value), sort_keys=True)
