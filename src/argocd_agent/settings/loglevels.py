"""Log levels as users write them: `info`, or `debug,grpc-event=trace`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from argocd_agent.errors import ConfigError

SUBSYSTEMS = ("resource-proxy", "redis-proxy", "grpc-event", "informer-event-buffer")


class Level(IntEnum):
    """Severities, with the numbers of Python's logging package."""

    TRACE = 5
    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    FATAL = 50


@dataclass(frozen=True, slots=True)
class Levels:
    """What is logged: from `general` on, except where a subsystem has its own level."""

    general: Level = Level.INFO
    subsystems: Mapping[str, Level] = field(default_factory=dict)


def parse_level(word: str) -> Level:
    """The level called *word* in any case; empty is info. `warn` is not a level, as in the reference."""
    if not word:
        return Level.INFO
    try:
        return Level[word.upper()]
    except KeyError:
        known = ", ".join(level.name.lower() for level in Level)
        raise ConfigError(f"{word!r} is not a log level ({known})") from None


def parse_levels(items: Iterable[str]) -> tuple[Levels, tuple[str, ...]]:
    """Levels from the entries of a list, and a warning for each entry skipped. Raises `ConfigError`.

    A bare level also holds for every subsystem that no earlier entry has set.
    """
    general, subsystems, warnings = Level.INFO, dict[str, Level](), list[str]()
    for item in items:
        parts = [part.strip() for part in item.split("=")]
        if len(parts) == 1:
            general = parse_level(parts[0])
            subsystems = {name: subsystems.get(name, general) for name in SUBSYSTEMS}
        elif len(parts) > 2 or parts[0] not in SUBSYSTEMS:
            warnings.append(f"log-level: skipped {item!r}: expected level or {'|'.join(SUBSYSTEMS)}=level")
        else:
            subsystems[parts[0]] = parse_level(parts[1])
    return Levels(general, subsystems), tuple(warnings)
