"""Whether the program does its work: parts that must be ready, each with a reason when it is not.

A part that nobody has reported on yet counts as not ready, so name them all at construction. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

NOT_STARTED = "not started yet"


@dataclass(frozen=True, slots=True)
class Report:
    """What is not ready, and why. Empty: all is well."""

    missing: Mapping[str, str]

    @property
    def is_ready(self) -> bool:
        return not self.missing

    def text(self) -> str:
        """`ok`, or one line for each part that is not ready."""
        if self.is_ready:
            return "ok\n"
        return "".join(f"not ready: {part}: {reason}\n" for part, reason in self.missing.items())


class Health:
    """The parts of one program."""

    def __init__(self, parts: Iterable[str]) -> None:
        self._missing = dict.fromkeys(parts, NOT_STARTED)

    def set(self, part: str, is_ready: bool, reason: str = "") -> bool:
        """Note how *part* is. Answers whether that is news, so that a change can be logged once."""
        before = self._missing.get(part)
        if is_ready:
            self._missing.pop(part, None)
        else:
            self._missing[part] = reason or "no reason given"
        return self._missing.get(part) != before

    def is_ready(self, part: str) -> bool:
        """Whether *part* was last reported as ready (or was never named)."""
        return part not in self._missing

    def report(self) -> Report:
        """How things are now."""
        return Report(dict(self._missing))
