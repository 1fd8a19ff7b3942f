"""A hub and its spokes on this machine, as processes: started, ready, and ended to the last one.

Each cluster is the embedded API server; the principal, the agents and the stand-ins for Argo CD are the programs as
they are, with nothing in common but sockets and files. Agents dial through a `Link`, so that it can be cut. Whatever
fails ends everything: the first error leaves `a_world` after all processes are gone.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from argocd_agent.backends.kubernetes import KubernetesCluster, load
from argocd_agent.codec import decode
from argocd_agent.demo.faults import LOOPBACK, Link
from argocd_agent.demo.programs import Programs, environment, free_ports
from argocd_agent.demo.seeing import until
from argocd_agent.demo.setup import NAMESPACE, Installation, make_installation
from argocd_agent.errors import DecodeError
from argocd_agent.protocol.names import CONFIGMAP_CONNECTIONS
from argocd_agent.resources.kinds import CONFIGMAPS, SECRETS
from argocd_agent.resources.objects import Object

CONNECT_SECONDS = 30.0
_PROGRAM = (sys.executable, "-c", "from argocd_agent.cli.main import main; main()")
_API = (sys.executable, "-m", "argocd_agent.backends.embedded.face")
_ARGO = (sys.executable, "-m", "argocd_agent.demo.argo_main")


@dataclass(frozen=True, slots=True)
class Side:
    """One cluster: its API for us, and the kubeconfig for people and programs."""

    name: str
    kubeconfig: Path
    cluster: KubernetesCluster


@dataclass(frozen=True, slots=True)
class World:
    """Everything is up, and every agent is connected. `links` are those of the agents, by name."""

    hub: Side
    spokes: dict[str, Side]
    links: dict[str, Link]
    programs: Programs

    async def until_connection(self, agent: str, status: str, timeout_seconds: float = CONNECT_SECONDS) -> None:
        """Wait until the hub says that *agent* is `connected` or `disconnected`."""

        def says_so(found: Object | None) -> bool:
            return connection_status(found, agent) == status

        what = f"agent {agent} is {status}"
        await until(self.hub.cluster, CONFIGMAPS, NAMESPACE, CONFIGMAP_CONNECTIONS, says_so, timeout_seconds, what)


@asynccontextmanager
async def a_world(
    folder: Path, programs: Programs, agents: Sequence[str], tell: Callable[[str], None]
) -> AsyncIterator[World]:
    """The hub and a spoke for each of *agents*, with their files in *folder*. *tell* hears what is being waited for."""
    sides: list[Side] = []
    try:
        async with asyncio.TaskGroup() as tasks:
            tell("starting the API servers")
            making = asyncio.to_thread(make_installation, agents, datetime.now(UTC))
            installing = tasks.create_task(making, name="keys and certificates")
            sides += await _start_clusters(folder, agents, programs, tasks)
            hub, spokes = sides[0], {side.name: side for side in sides[1:]}
            tell("giving out keys and certificates")
            await _install(await installing, hub, spokes)
            tell("starting the principal, the agents, and a stand-in for Argo CD on each spoke")
            principal_port, *health_ports = free_ports(2 + len(agents))
            links = {name: Link(LOOPBACK, principal_port) for name in agents}
            carrying = [tasks.create_task(link.run(), name=f"link of {name}") for name, link in links.items()]
            principal = {"principal": _principal(hub, agents, principal_port, health_ports[0])}
            await programs.start(principal, tasks, is_ready_by_line=False)
            await programs.start(_on_spokes(folder, spokes, links, health_ports[1:]), tasks, is_ready_by_line=False)
            world = World(hub, spokes, links, programs)
            tell("waiting for the agents to connect")
            for name in agents:
                await world.until_connection(name, "connected")
            yield world
            await programs.stop()
            for task in carrying:
                task.cancel()
    finally:
        await programs.stop()
        for side in sides:
            await side.cluster.close()


def connection_status(found: Object | None, agent: str) -> str:
    """What the hub's ConfigMap of connections says about *agent*; empty for nothing."""
    data = found.look("data") if found is not None else None
    try:
        told = decode((data or {}).get(agent, "{}"), dict[str, str], f"connection of {agent}")
    except DecodeError:
        return ""
    return told.get("status", "")


async def _start_clusters(
    folder: Path, agents: Sequence[str], programs: Programs, tasks: asyncio.TaskGroup
) -> list[Side]:
    """The hub's API server first, then the spokes'."""
    namespaces = {"hub": (NAMESPACE, *agents)} | dict.fromkeys(agents, (NAMESPACE, "default"))
    kubeconfigs = {name: folder / f"{name}.kubeconfig" for name in namespaces}
    commands: dict[str, Sequence[str]] = {}
    for name, path in kubeconfigs.items():
        wanted = [word for namespace in namespaces[name] for word in ("--namespace", namespace)]
        commands[f"API of {name}"] = (*_API, "--name", name, "--kubeconfig", str(path), *wanted)
    await programs.start(commands, tasks, is_ready_by_line=True)
    direct = environment(os.environ)
    return [Side(name, path, KubernetesCluster(load(str(path), environ=direct))) for name, path in kubeconfigs.items()]


async def _install(installation: Installation, hub: Side, spokes: dict[str, Side]) -> None:
    for secret in installation.hub:
        await hub.cluster.create(SECRETS, secret)
    for name, secrets in installation.spokes.items():
        for secret in secrets:
            await spokes[name].cluster.create(SECRETS, secret)


def _principal(hub: Side, agents: Sequence[str], port: int, health_port: int) -> Sequence[str]:
    return (
        *(*_PROGRAM, "principal", "--namespace", NAMESPACE, "--kubeconfig", str(hub.kubeconfig)),
        *("--listen-host", LOOPBACK, "--listen-port", str(port)),
        *("--auth", "mtls:subject:CN=([^,]+)", "--allowed-namespaces", ",".join(agents)),
        *("--resource-proxy-listen-host", LOOPBACK, "--resource-proxy-listen-port", "0"),
        *("--redis-server-address", "", "--disable-redis-proxy"),  # nobody here has a Redis
        *("--metrics-port", "0", "--healthz-port", str(health_port)),
    )


def _on_spokes(
    folder: Path, spokes: dict[str, Side], links: dict[str, Link], health_ports: Sequence[int]
) -> dict[str, Sequence[str]]:
    """On each spoke an agent, which dials its link, and a stand-in for Argo CD, which knows only its own cluster."""
    commands: dict[str, Sequence[str]] = {}
    for (name, side), health_port in zip(spokes.items(), health_ports, strict=True):
        where = ("--namespace", NAMESPACE, "--kubeconfig", str(side.kubeconfig))
        commands[f"agent {name}"] = (
            *(*_PROGRAM, "agent", *where, "--agent-mode", "managed", "--creds", "mtls:any"),
            *("--server-address", LOOPBACK, "--server-port", str(links[name].port), "--redis-addr", ""),
            *("--metrics-port", "0", "--healthz-port", str(health_port)),
        )
        commands[f"argo {name}"] = (*_ARGO, *where, "--work", str(folder / f"checkouts-{name}"))
    return commands
