"""Settings of what the agent answers when the hub asks for something live."""

from dataclasses import dataclass

from argocd_agent.agent.streamsettings import StreamSettings
from argocd_agent.settings.declare import setting
from argocd_agent.settings.values import boolean


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveConfig(StreamSettings):
    """What the live view was told."""

    resource_proxy_enabled: bool = setting(
        "resource-proxy.enable",
        True,
        "Answer requests for live objects. Off: each is refused at once, with the reason.",
        boolean,
        flag="--enable-resource-proxy",
        variable="ENABLE_RESOURCE_PROXY",
    )
