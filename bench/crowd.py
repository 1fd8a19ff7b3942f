"""Many agents in one process, for when as many processes would need a larger machine than the one that measures.

    python -m bench.crowd KUBECONFIG PRINCIPAL_PORT NAME=HEALTH_PORT...

Each is all of `run_agent`, with a connection, a watch and a health page of its own, in the namespace called like it.
Runs until SIGTERM.
"""

import asyncio
import signal
import sys
from collections.abc import Sequence

import uvloop

from argocd_agent.agent.config import AgentConfig
from argocd_agent.agent.run import run_agent
from argocd_agent.protocol.modes import Mode
from argocd_agent.settings.loglevels import parse_levels
from argocd_agent.settings.values import Method
from argocd_agent.telemetry.logs import logging_to

LOG_LEVEL = ("warning",)  # of so many agents the rest is noise


async def crowd(kubeconfig: str, principal_port: int, health_ports: dict[str, int]) -> None:
    """Run an agent for each name in *health_ports*, until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with asyncio.TaskGroup() as tasks:
        for name, port in health_ports.items():
            config = AgentConfig(
                server_address="127.0.0.1",
                server_port=principal_port,
                creds=Method("mtls", "any"),
                mode=Mode.MANAGED,
                namespace=name,
                kubeconfig=kubeconfig,
                health_host="127.0.0.1",
                healthz_port=port,
                metrics_port=0,
                brake_max_deletions=0,  # rows clear what they made
            )
            tasks.create_task(run_agent(config, stop), name=f"agent {name}")


def main(arguments: Sequence[str]) -> None:
    """As the docstring of this file says."""
    kubeconfig, port, *agents = arguments
    ports = {name: int(text) for name, _, text in (agent.partition("=") for agent in agents)}
    levels, _ = parse_levels(LOG_LEVEL)
    with logging_to(levels, "text"):
        uvloop.run(crowd(kubeconfig, int(port), ports))


if __name__ == "__main__":
    main(sys.argv[1:])
