"""What a program loads at start. An agent must fit into 72 MiB, and each of these libraries costs 5 to 15.

What the hub alone needs, and what only some command needs, is imported by the function that needs it.
"""

import subprocess
import sys

import pytest

NOT_IN_AN_AGENT = {"cryptography", "joserfc"}
ONLY_WHERE_USED = {"rich", "dulwich", "yaml", "watchfiles", "prometheus_client", "unittest", "hypothesis"}


def loaded_by(module: str) -> set[str]:
    """The top-level names of all modules that a fresh Python holds after importing *module*."""
    program = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(f"importing {module} fails:\n{done.stderr}", pytrace=False)
    return {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("module", ["argocd_agent.agent.run", "argocd_agent.cli.main"])
def test_an_agent_starts_without_what_it_does_not_need(module: str) -> None:
    too_much = loaded_by(module) & (NOT_IN_AN_AGENT | ONLY_WHERE_USED)

    assert not too_much, (
        f"importing {module} loads {', '.join(sorted(too_much))}: find the chain with `python -X importtime`,"
        " and import it inside the function that needs it"
    )


def test_what_is_loaded_is_seen() -> None:
    assert "yaml" in loaded_by("yaml")
