"""What an administrator gives the programs: keys, certificates, and the agents' cluster Secrets.

The same objects that `argocd-agentctl pki` and `agent create` make. Pure but for randomness.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from argocd_agent.pki import keys
from argocd_agent.pki.certificates import Pair, Usage, issue, make_ca
from argocd_agent.protocol.names import (
    SECRET_CA,
    SECRET_CLIENT_TLS,
    SECRET_JWT,
    SECRET_JWT_KEY,
    SECRET_PRINCIPAL_TLS,
    SECRET_RESOURCE_PROXY_TLS,
)
from argocd_agent.resources.clustersecret import ClusterTls, WayIn, cluster_secret
from argocd_agent.resources.kinds import SECRETS
from argocd_agent.resources.objects import Metadata, Object, new_object

NAMESPACE = "argocd"
ADDRESS = "127.0.0.1"
RESOURCE_PROXY = "argocd-agent-resource-proxy:9090"
_ORGANIZATION = "argocd-agent demo"
_TLS, _OPAQUE = "kubernetes.io/tls", "Opaque"
_CURVE = keys.KeyAlgorithm.ECDSA_P256
_TOKEN_KEY_BITS = 2048  # signs tokens for minutes; a larger one takes seconds to make


@dataclass(frozen=True, slots=True)
class Installation:
    """The Secrets of the hub, and of each spoke by the name of its agent."""

    hub: tuple[Object, ...]
    spokes: dict[str, tuple[Object, ...]]


def make_installation(agents: Sequence[str], now: datetime) -> Installation:
    """A CA of its own and everything issued from it. Takes tenths of a second."""
    ca = make_ca(SECRET_CA, _ORGANIZATION, keys.generate(_CURVE), now)
    server = issue(ca, "principal", keys.generate(_CURVE), now, usages=[Usage.SERVER], ips=[ADDRESS], dns=["localhost"])
    proxy = issue(ca, "resource-proxy", keys.generate(_CURVE), now, usages=[Usage.SERVER], ips=[ADDRESS])
    token_key = keys.to_pem(keys.generate(keys.KeyAlgorithm.RSA, _TOKEN_KEY_BITS))
    clients = {name: issue(ca, name, keys.generate(_CURVE), now, usages=[Usage.CLIENT]) for name in agents}
    hub = [
        _pair(SECRET_CA, ca),
        _pair(SECRET_PRINCIPAL_TLS, server),
        _pair(SECRET_RESOURCE_PROXY_TLS, proxy),
        _secret(SECRET_JWT, _OPAQUE, {SECRET_JWT_KEY: token_key}),
        *(_cluster_secret(name, client, ca) for name, client in clients.items()),
    ]
    public_ca = _secret(SECRET_CA, _OPAQUE, {"ca.crt": ca.certificate_pem})
    return Installation(
        tuple(hub), {name: (public_ca, _pair(SECRET_CLIENT_TLS, client)) for name, client in clients.items()}
    )


def _cluster_secret(agent: str, client: Pair, ca: Pair) -> Object:
    tls = ClusterTls(*(pem.encode() for pem in (client.certificate_pem, client.key_pem, ca.certificate_pem)))
    return cluster_secret(agent, NAMESPACE, RESOURCE_PROXY, WayIn(tls))


def _pair(name: str, pair: Pair) -> Object:
    return _secret(name, _TLS, {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem})


def _secret(name: str, kind: str, data: dict[str, str]) -> Object:
    encoded = {key: _base64(value) for key, value in data.items()}
    return new_object(SECRETS, Metadata(name=name, namespace=NAMESPACE), type=kind, data=encoded)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
