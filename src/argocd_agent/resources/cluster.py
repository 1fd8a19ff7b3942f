"""Argo CD's cluster Secrets: which of them stand for agents.

Source: https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#clusters, and docs/protocol.
"""

import re

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
