"""Settings of container logs and terminals on the principal. None of them is the reference's."""

from dataclasses import dataclass

from argocd_agent.principal.redisconfig import PrincipalRedis
from argocd_agent.settings.declare import at_least, more_than_zero, setting
from argocd_agent.settings.values import duration, integer, text


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings(PrincipalRedis):
    """How much is passed on at one time, and for how long."""

    logs_max_sessions: int = setting(
        "logs.max-sessions",
        4096,
        "Logs passed on at one time, of all agents; more are refused with 503. (Not in the reference.)",
        integer,
        configmap="",
        check=more_than_zero,
    )
    terminal_max_sessions: int = setting(
        "terminal.max-sessions",
        256,
        "Terminals open at one time, of all agents; more are refused with 503. (Not in the reference.)",
        integer,
        configmap="",
        check=more_than_zero,
    )
    terminal_max_duration_seconds: float = setting(
        "terminal.max-duration",
        1800.0,
        "A terminal is closed after this long, however busy. 30m as in the reference, where it cannot be set.",
        duration,
        configmap="",
        check=more_than_zero,
    )
    terminal_idle_timeout_seconds: float = setting(
        "terminal.idle-timeout",
        0.0,
        "A terminal is closed when nothing was typed or shown for this long. 0: never, as in the reference.",
        duration,
        configmap="",
        check=at_least(0),
    )
    terminal_recording_path: str = setting(
        "terminal.recording-path",
        "",
        "Folder to record terminals in: what they show, as asciicast v2 files that are never deleted by us; a terminal "
        "that cannot be recorded is refused. Empty: no recordings. (Not in the reference.)",
        text,
        configmap="",
        guards=True,
    )
    terminal_recording_max_bytes: int = setting(
        "terminal.recording-max-bytes",
        64 << 20,
        "A recording ends at this size, and says so; the terminal goes on. (Not in the reference.)",
        integer,
        configmap="",
        check=more_than_zero,
    )
