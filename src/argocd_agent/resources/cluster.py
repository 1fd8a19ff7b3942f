"""Argo CD's cluster Secrets: which of them stand for agents.

Source: https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#clusters, and docs/protocol.
"""

import base64
import binascii
import re
from dataclasses import dataclass

from argocd_agent.errors import DecodeError
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import LABEL_AGENT_NAME, LABEL_SECRET_TYPE, SECRET_TYPE_CLUSTER
from argocd_agent.resources.objects import Object

CLUSTER_SELECTOR = f"{LABEL_SECRET_TYPE}={SECRET_TYPE_CLUSTER},{LABEL_AGENT_NAME}"

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def is_agent_name(name: str) -> bool:
    """Whether *name* can be an agent's: a DNS-1123 label (RFC 1123), 63 characters at most."""
    return _DNS_LABEL.fullmatch(name) is not None


def agent_of(secret: Object) -> AgentName | None:
    """The agent that this cluster Secret registers; None if it is another cluster's."""
    name = secret.labels.get(LABEL_AGENT_NAME, "")
    return AgentName(name) if secret.labels.get(LABEL_SECRET_TYPE) == SECRET_TYPE_CLUSTER and name else None


@dataclass(frozen=True, slots=True)
class ClusterEntry:
    """What a cluster Secret says of an agent's cluster: its name in Argo CD, and the URL that it is keyed by there."""

    agent: AgentName
    secret: str
    name: str
    server: str


def cluster_entry(secret: Object) -> ClusterEntry | None:
    """The cluster that *secret* registers for an agent; None if it is no agent's. A name that is missing or cannot be
    read is the agent's own."""
    agent = agent_of(secret)
    if agent is None:
        return None
    return ClusterEntry(agent, secret.name, secret_text(secret, "name") or agent, secret_text(secret, "server"))


def secret_text(secret: Object, key: str) -> str:
    """The text under *key* of a Secret's `data`; empty if there is none that can be read."""
    try:
        data = secret.look("data")
        raw = data.get(key) if isinstance(data, dict) else None
        return base64.b64decode(raw, validate=True).decode() if isinstance(raw, str) else ""
    except (DecodeError, binascii.Error, UnicodeDecodeError):
        return ""
