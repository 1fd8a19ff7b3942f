"""Logs and terminals on the hub, put together as the settings say."""

from collections.abc import Callable
from pathlib import Path

from argocd_agent.principal.agents import Agent
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.protocol.events import AgentName
from argocd_agent.proxies.logs import Logs
from argocd_agent.proxies.reach import Reached
from argocd_agent.proxies.terminal import Limits, Terminals


def streams(config: PrincipalConfig, agent_of: Callable[[AgentName], Agent | None]) -> tuple[Logs, Terminals]:
    """What takes logs, and what takes terminals."""

    def reach(name: AgentName) -> Reached | None:
        agent = agent_of(name)
        if agent is None or agent.stream is None:
            return None
        return Reached(agent.mode, agent.stream.peer.is_reference, agent.link.put_once)

    limits = Limits(
        sessions=config.terminal_max_sessions,
        total_seconds=config.terminal_max_duration_seconds,
        idle_seconds=config.terminal_idle_timeout_seconds,
        recordings=Path(config.terminal_recording_path) if config.terminal_recording_path else None,
        recording_bytes=config.terminal_recording_max_bytes,
    )
    return Logs(reach, limit=config.logs_max_sessions), Terminals(reach, limits)
