"""Who owns what: the two modes of an agent."""

from enum import StrEnum


class Mode(StrEnum):
    """How an agent and its principal share Applications.

    *managed*: written on the hub, mirrored on the spoke. *autonomous*: the other way round.
    """

    MANAGED = "managed"
    AUTONOMOUS = "autonomous"


class Role(StrEnum):
    """Which of the two programs this is."""

    PRINCIPAL = "principal"
    AGENT = "agent"


def is_source(role: Role, mode: Mode) -> bool:
    """Whether *role* owns the specifications of Applications of an agent in *mode*."""
    return (role is Role.PRINCIPAL) == (mode is Mode.MANAGED)
