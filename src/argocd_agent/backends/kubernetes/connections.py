"""Connections to a Kubernetes API: a pool for each client certificate, and what breaks on the way, in words."""

import socket
import ssl
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from argocd_agent.backends.kubernetes import requests
from argocd_agent.backends.kubernetes.config import KubeConfig
from argocd_agent.backends.kubernetes.credentials import Credential
from argocd_agent.backends.kubernetes.tls import context_for
from argocd_agent.protocol.names import USER_AGENT

KEEPALIVE_SECONDS = 60.0  # a kube-apiserver closes idle connections after 90
DEAD_AFTER_SECONDS = 30  # TCP: no sign of life from the other end for so long


class Connections:
    """A pool of connections that all show the same client certificate."""

    def __init__(self, config: KubeConfig, credential: Credential) -> None:
        self.certificate = (credential.certificate, credential.key)
        self.tls: ssl.SSLContext | bool = context_for(config, credential) if config.is_tls else True
        connector = aiohttp.TCPConnector(
            limit=0, ssl=self.tls, keepalive_timeout=KEEPALIVE_SECONDS, socket_factory=_socket_that_notices_death
        )
        self.session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=[
                ("Accept", requests.JSON),
                # Within a cluster bandwidth is cheap, and compressing costs both ends more than it saves.
                ("Accept-Encoding", "identity"),
                ("User-Agent", USER_AGENT),
                *config.user.impersonation,
            ],
        )


@dataclass(frozen=True, slots=True)
class Call:
    """What a request needs, for who makes it otherwise than `KubernetesCluster` does."""

    session: aiohttp.ClientSession
    url: URL
    headers: list[tuple[str, str]] = field(repr=False)
    proxy: str | None
    server_name: str | None
    tls: ssl.SSLContext | bool


def network_failure(address: str, error: Exception) -> str:
    """What went wrong on the way to *address*, in words for the person who has to put it right."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            verification: Any = error.certificate_error
            reason = getattr(verification, "verify_message", "") or str(verification)
            return (
                f"the TLS certificate of {address} cannot be verified: {reason} (is the certificate authority right?)"
            )
        case aiohttp.ClientSSLError():
            return f"TLS with {address} failed: {error.os_error}"
        case aiohttp.ClientConnectorDNSError():
            return f"no connection to {address}: the host cannot be found: {error.os_error.strerror or error.os_error}"
        case aiohttp.ClientConnectorError():
            return f"no connection to {address}: {error.os_error.strerror or error.os_error}"
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return f"the proxy does not lead to {address}: {error}"
        case TimeoutError():
            return f"no answer from {address} in time"
        case aiohttp.ServerDisconnectedError():
            return f"{address} closed the connection without an answer"
        case OSError():
            return f"the connection to {address} broke: {error.strerror or error}"
    return f"the connection to {address} broke: {error or type(error).__name__}"


def _socket_that_notices_death(info: Any) -> socket.socket:
    """A TCP socket that fails when the other end is silently gone; watches would wait for minutes otherwise."""
    made = socket.socket(*info[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": DEAD_AFTER_SECONDS * 1000}
    for name, value in options.items():
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made
