"""Prints the manual page of all settings; `make docs` writes it to docs/reference/settings.md."""

import sys

from argocd_agent.agent.config import AgentConfig
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.settings.manual import manual


def page() -> str:
    """The page in Markdown."""
    return manual((PrincipalConfig, AgentConfig))


if __name__ == "__main__":
    sys.stdout.write(page())
