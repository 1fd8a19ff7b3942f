"""What the agent learns when it logs in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HubLogin:
    """Who the principal says we are, and the namespace that it lives in. Empty before the first login."""

    agent: str = ""
    principal_namespace: str = ""
