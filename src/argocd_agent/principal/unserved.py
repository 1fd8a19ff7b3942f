"""Settings of the principal's parts that this version does not have: recognised, checked, and warned of when set.

When such a part comes, its rows lose `served=LATER` and the warning goes with it.
"""

from dataclasses import dataclass

from argocd_agent.errors import ConfigError
from argocd_agent.principal.proxyconfig import ProxyConfig
from argocd_agent.settings.declare import Served, at_least, port_or_zero, setting
from argocd_agent.settings.values import (
    address,
    boolean,
    choice,
    duration,
    port,
    text_list,
)

LATER = Served.NOT_YET


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalUnserved(ProxyConfig):
    """WebSocket, HA."""

    websocket_enabled: bool = setting(
        "websocket.enable",
        False,
        "Also serve gRPC over WebSocket, for proxies that know no HTTP/2.",
        boolean,
        served=LATER,
        flag="--enable-websocket",
        variable="ENABLE_WEBSOCKET",
    )

    # High availability
    ha_enabled: bool = setting(
        "ha-enabled", False, "Run as one of two principals.", boolean, configmap="", served=LATER
    )
    ha_preferred_role: str = setting(
        "ha-preferred-role",
        "primary",
        "Role at start.",
        choice("primary", "replica"),
        configmap="",
        served=LATER,
    )
    ha_peer_address: tuple[str, int] | None = setting(
        "ha-peer-address",
        None,
        "The other principal; a replica needs it.",
        address,
        configmap="",
        served=LATER,
    )
    ha_failover_timeout_seconds: float = setting(
        "ha-failover-timeout",
        30.0,
        "Without effect in the reference.",
        duration,
        configmap="",
        check=at_least(0),
        served=LATER,
    )
    ha_admin_port: int = setting(
        "ha-admin-port",
        0,
        "Port of the HA admin service on 127.0.0.1; 0 means 8405.",
        port,
        configmap="",
        check=port_or_zero,
        served=LATER,
    )
    ha_allowed_replication_clients: tuple[str, ...] = setting(
        "ha-allowed-replication-clients",
        (),
        "Identities that may replicate. Empty: any that authenticates.",
        text_list,
        configmap="",
        served=LATER,
    )
    ha_replication_initial_ack_timeout_seconds: float = setting(
        "ha-replication-initial-ack-timeout",
        0.0,
        "Longest wait for the first acknowledgement; 0 means 5m.",
        duration,
        configmap="",
        check=at_least(0),
        served=LATER,
    )


def check_unserved(config: PrincipalUnserved) -> None:
    """Refuse combinations that the reference refuses, so that they do not come as a surprise later."""
    if config.ha_enabled and config.ha_preferred_role == "replica" and config.ha_peer_address is None:
        raise ConfigError("--ha-preferred-role=replica needs --ha-peer-address")
