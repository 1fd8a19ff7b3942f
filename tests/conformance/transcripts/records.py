"""Reads the recorded conversations: see README.md beside this file."""

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argocd_agent.protocol.events import Event
from argocd_agent.protocol.names import METHOD_SUBSCRIBE
from argocd_agent.wire import cloudevents

NAMES = ("managed", "autonomous")
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `read` is what the recorder understood; `data` is None where it holds tokens."""

    step: str
    at_seconds: float
    call: int
    sender: str
    method: str
    read: Any
    data: bytes | None


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One message of an event stream: the event, the bytes it came in, who sent it and when."""

    step: str
    at_seconds: float
    sender: str
    data: bytes
    event: Event


def messages(name: str) -> Iterator[Message]:
    """Every message of conversation *name*, in order."""
    step = ""
    with gzip.open(_FOLDER / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            step = record.get("step", step)
            if "message" not in record:
                continue
            data = None if record["bytes"] == "<holds tokens>" else base64.b64decode(record["bytes"])
            yield Message(
                step=step,
                at_seconds=record["t"],
                call=record["call"],
                sender=record["from"],
                method=record["method"],
                read=record["message"],
                data=data,
            )


def step_names(name: str) -> list[str]:
    """What was done in conversation *name*, in order, also where nobody said anything about it."""
    with gzip.open(_FOLDER / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [record["step"] for line in lines if "step" in (record := json.loads(line))]


def events(name: str) -> Iterator[RecordedEvent]:
    """Every event of conversation *name*, decoded by our code."""
    for message in messages(name):
        if message.method == METHOD_SUBSCRIBE and message.data is not None:
            event = cloudevents.decode(message.data)
            yield RecordedEvent(message.step, message.at_seconds, message.sender, message.data, event)
