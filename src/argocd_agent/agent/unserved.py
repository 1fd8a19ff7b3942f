"""Settings of the agent's parts that this version does not have: recognised, checked, and warned of when set.

When such a part comes, its rows lose `served=LATER` and the warning goes with it.
"""

from dataclasses import dataclass

from argocd_agent.agent.liveconfig import LiveConfig
from argocd_agent.settings.declare import Served, setting
from argocd_agent.settings.values import boolean

LATER = Served.NOT_YET


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentUnserved(LiveConfig):
    """WebSocket."""

    websocket_enabled: bool = setting(
        "websocket.enable",
        False,
        "gRPC over WebSocket, for proxies that know no HTTP/2.",
        boolean,
        flag="--enable-websocket",
        variable="ENABLE_WEBSOCKET",
        served=LATER,
    )
    # What Argo CD asks for
