"""Settings of container logs and terminals on the agent. None of them is the reference's."""

from dataclasses import dataclass

from argocd_agent.agent.redisconfig import AgentRedis
from argocd_agent.settings.declare import more_than_zero, setting
from argocd_agent.settings.values import boolean, integer


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings(AgentRedis):
    """What the hub may ask for of running pods, and how much at one time."""

    logs_enabled: bool = setting(
        "logs.enable",
        True,
        "Send container logs to the hub when it asks. (Not in the reference.)",
        boolean,
        flag="--logs-enable",
        variable="LOGS_ENABLE",
        configmap="",
        guards=True,
    )
    logs_max_sessions: int = setting(
        "logs.max-sessions",
        1024,
        "Logs sent at one time; more are refused, and the reader is told. 1024: Argo CD asks for one per pod of an "
        "Application. (Not in the reference.)",
        integer,
        configmap="",
        check=more_than_zero,
    )
    terminal_enabled: bool = setting(
        "terminal.enable",
        True,
        "Run commands in pods for terminals of the hub. Argo CD decides who may. (Not in the reference.)",
        boolean,
        flag="--terminal-enable",
        variable="TERMINAL_ENABLE",
        configmap="",
        guards=True,
    )
    terminal_max_sessions: int = setting(
        "terminal.max-sessions",
        64,
        "Terminals open at one time; more are refused, and the user is told. (Not in the reference.)",
        integer,
        configmap="",
        check=more_than_zero,
    )
