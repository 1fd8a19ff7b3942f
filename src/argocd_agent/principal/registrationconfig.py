"""Settings of agents that register themselves."""

from dataclasses import dataclass

from argocd_agent.errors import ConfigError
from argocd_agent.principal.namespaceconfig import NamespaceConfig
from argocd_agent.settings.declare import setting
from argocd_agent.settings.values import address, boolean, text


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationConfig(NamespaceConfig):
    """Whether agents register themselves, and what their cluster Secrets say."""

    self_registration_enabled: bool = setting(
        "enable-self-cluster-registration",
        False,
        "Make a cluster Secret for an agent that has none when it logs in, and keep its certificate and token valid.",
        boolean,
        configmap="",
    )
    self_registration_client_cert_secret: str = setting(
        "self-registration-client-cert-secret",
        "",
        "Secret with the tls.crt, tls.key and ca.crt that all those Secrets share. Followed: a change renews them.",
        text,
        configmap="",
    )
    resource_proxy_address: tuple[str, int] | None = setting(
        "resource-proxy-address",
        ("argocd-agent-resource-proxy", 9090),
        "Address of the resource proxy that is written into self-registered cluster Secrets.",
        address,
        configmap="",
    )


def check_registration(config: RegistrationConfig) -> None:
    """Refuse a registration that could not give Argo CD a way to the agent. Raises `ConfigError`."""
    if not config.self_registration_enabled:
        return
    if not config.resource_proxy_enabled:
        raise ConfigError("--enable-self-cluster-registration needs --enable-resource-proxy")
    if not config.self_registration_client_cert_secret:
        raise ConfigError("--enable-self-cluster-registration needs --self-registration-client-cert-secret")
    if config.resource_proxy_address is None or not config.resource_proxy_address[0]:
        raise ConfigError("--enable-self-cluster-registration needs a host and a port in --resource-proxy-address")
