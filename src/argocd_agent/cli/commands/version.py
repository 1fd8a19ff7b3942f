"""`version`: what is running."""

import platform

from argocd_agent import __version__
from argocd_agent.cli.output import rendered


def facts(name: str) -> dict[str, str]:
    """What there is to know about this build, under the reference's keys; those of Go stay empty."""
    return {
        "name": name,
        "version": __version__,
        "gitRevision": "",
        "gitStatus": "",
        "goVersion": "",
        "buildDate": "",
        "argocdVersion": "",
        "pythonVersion": platform.python_version(),
    }


def version_text(name: str, style: str, *, short: bool) -> str:
    """The line or record to print."""
    if short:
        return f"{__version__}\n"
    if style == "text":
        return f"{name}-{__version__}\n"
    return rendered(facts(name), style, indent=2)
