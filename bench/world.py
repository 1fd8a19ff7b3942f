"""What is measured: two real API servers, the principal, an agent, and the relay beside them on the same servers.

The relay's Applications carry the label that keeps them out of the programs' sight. Agents of the fleet rows are
given names here, since one CA signs them all; they are started by the rows that need them. Everything that was
started through a `World` is ended when its block is left.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from argocd_agent.backends.kubernetes import KubernetesCluster
from argocd_agent.demo.setup import NAMESPACE, Installation, make_installation
from argocd_agent.errors import AlreadyExists
from argocd_agent.peer.observe import pause
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import LABEL_AGENT_NAME, LABEL_IGNORE_SYNC
from argocd_agent.resources.kinds import NAMESPACES, SECRETS, Api
from argocd_agent.resources.objects import Metadata, Object, new_object
from bench import load, processes
from bench.processes import BenchFailed, Process
from bench.relay import Relay
from bench.routes import Arrivals, End, Route
from tests.support.clusters import RealCluster, RealClusters

PRINCIPAL, AGENT, RELAY, FLEET = "principal", "bench", "relay", "fleet"
COPIES = "copies"  # where rows that need another relay than the one of the world let it work
NAMESPACES_OF_BOTH = (NAMESPACE, AGENT, RELAY, COPIES)
FLEET_SIZE = 300
SEEN_SECONDS = 240.0  # what has not arrived by then never will
CONNECT_SECONDS = 30.0
SETTLE_SECONDS = 3.0  # acks, and whatever else the programs still do after the last arrival
_PROGRAM = str(Path(sys.executable).with_name("argocd-agent"))

T = TypeVar("T")


@dataclass(slots=True)
class World:
    """Built by `a_world`. `divisor` shrinks every count: 10 for a quick look."""

    folder: Path
    hub: RealCluster
    spoke: RealCluster
    on_hub: KubernetesCluster
    on_spoke: KubernetesCluster
    ours: Route
    floor: Route
    installation: Installation
    port: int
    proxy_port: int
    ports: Iterator[int]
    divisor: int
    tell: Callable[[str], None]
    running: dict[str, Process] = field(default_factory=dict)  # by name; one that is started again takes its place

    @property
    def principal(self) -> Process:
        """The hub's program, as last started."""
        return self.running[PRINCIPAL]

    @property
    def agent(self) -> Process:
        """The agent that most rows are about, as last started."""
        return self.running[f"agent-{AGENT}"]

    def count(self, full: int) -> int:
        """*full*, or its share in a quick run."""
        return max(full // self.divisor, 1)

    async def start_principal(self) -> Process:
        """Start it; it is not listening yet."""
        command = (
            *(_PROGRAM, "principal", "--namespace", NAMESPACE, "--kubeconfig", str(self.hub.kubeconfig)),
            *("--listen-host", "127.0.0.1", "--listen-port", str(self.port)),
            *("--auth", "mtls:subject:CN=([^,]+)", "--allowed-namespaces", f"{AGENT},{FLEET}-*"),
            *("--resource-proxy-listen-host", "127.0.0.1", "--resource-proxy-listen-port", str(self.proxy_port)),
            *("--redis-server-address", "", "--disable-redis-proxy"),
        )
        return await self._start(PRINCIPAL, command)

    async def start_agent(
        self, name: str, namespace: str, kubeconfig: Path | None = None, mode: Mode = Mode.MANAGED
    ) -> Process:
        """Start an agent that lives in *namespace* of the spoke."""
        command = (
            *(_PROGRAM, "agent", "--namespace", namespace, "--kubeconfig", str(kubeconfig or self.spoke.kubeconfig)),
            *("--agent-mode", mode.value, "--creds", "mtls:any", "--redis-addr", ""),
            *("--server-address", "127.0.0.1", "--server-port", str(self.port)),
            *("--brake-max-deletions", "0"),  # rows clear what they made
        )
        return await self._start(f"agent-{name}", command)

    async def start_crowd(self, names: Sequence[str]) -> Process:
        """One process that is all these agents; see `crowd`."""
        pairs = [f"{name}={next(self.ports)}" for name in names]
        command = (sys.executable, "-m", "bench.crowd", str(self.spoke.kubeconfig), str(self.port), *pairs)
        return await self._launch("crowd", command, 0, 0)

    async def restart(self) -> None:
        """New processes for principal and agent, connected."""
        await self.end()
        principal = await self.start_principal()
        await processes.until_listening(principal, self.port)
        await self.start_agent(AGENT, NAMESPACE)
        probe = "probe-connected"
        await self.within(load.create(self.ours, [probe]), "the agent to connect", CONNECT_SECONDS)
        await self.within(load.delete(self.ours, [probe]), "an Application to go", CONNECT_SECONDS)

    async def give_names(self, names: Sequence[str]) -> None:
        """Make agents of the fleet known to the hub, with a namespace on both sides and Secrets on the spoke's."""
        clusters = (self.on_hub, self.on_spoke)
        spaces = [new_object(NAMESPACES, Metadata(name=name)) for name in names]
        await load.at_once(partial(_ensure, c, NAMESPACES, o) for c in clusters for o in spaces)
        known = [one for one in self.installation.hub if one.labels.get(LABEL_AGENT_NAME) in names]
        theirs = [one.with_metadata(namespace=n) for n in names for one in self.installation.spokes[n]]
        await load.at_once(partial(_ensure, self.on_hub, SECRETS, o) for o in known)
        await load.at_once(partial(_ensure, self.on_spoke, SECRETS, o) for o in theirs)

    async def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Let the programs come to rest; a quick run is less patient."""
        await pause(seconds if self.divisor == 1 else seconds / 3)

    async def within(self, what: Awaitable[T], waited_for: str, seconds: float = SEEN_SECONDS) -> T:
        """The result of *what*. Raises `BenchFailed`, with the last words of all programs, when it takes too long."""
        try:
            async with asyncio.timeout(seconds):
                return await what
        except TimeoutError as error:
            words = "\n".join(process.last_words() for process in self._suspects())
            raise BenchFailed(f"waited {seconds:.0f} s for {waited_for}\n{words}") from error

    def _suspects(self) -> list[Process]:
        """The hub's program, and those that were started last."""
        others = [process for name, process in self.running.items() if name != PRINCIPAL]
        return [self.principal, *others[-2:]]

    async def _start(self, name: str, command: Sequence[str]) -> Process:
        health, metrics = next(self.ports), next(self.ports)
        pages = ("--health-host", "127.0.0.1", "--healthz-port", str(health), "--metrics-port", str(metrics))
        return await self._launch(name, (*command, *pages), health, metrics)

    async def _launch(self, name: str, command: Sequence[str], health_port: int, metrics_port: int) -> Process:
        log = self.folder / f"{name}.log"
        process = await processes.start(name, command, log, health_port=health_port, metrics_port=metrics_port)
        self.running[name] = process
        return process

    async def end(self) -> None:
        """End every program that was started here, and runs."""
        await asyncio.gather(*(process.stop() for process in self.running.values()))


@contextlib.asynccontextmanager
async def a_world(
    clusters: RealClusters, folder: Path, divisor: int, tell: Callable[[str], None]
) -> AsyncIterator[World]:
    """Everything up, the agent connected, the relay running, no Application anywhere."""
    on_hub, on_spoke, other_hub, other_spoke = (clusters[index].connect() for index in (0, 1, 0, 1))
    ours, floor = _routes(on_hub, on_spoke)
    relay = Relay(other_hub, other_spoke, RELAY)
    parts = [relay.run(), *(end.arrivals.run() for route in (ours, floor) for end in (route.hub, route.spoke))]
    fleet, ports = [fleet_name(number) for number in range(FLEET_SIZE)], processes.free_ports()
    installation = await asyncio.to_thread(make_installation, [AGENT, *fleet], datetime.now(UTC))
    world = World(
        *(folder, clusters[0], clusters[1], on_hub, on_spoke, ours, floor, installation),
        port=next(ports),
        proxy_port=next(ports),
        ports=ports,
        divisor=divisor,
        tell=tell,
    )
    running = [asyncio.create_task(part, name="bench") for part in parts]
    try:
        await _install(world)
        for route in (ours, floor):
            await asyncio.gather(route.hub.arrivals.ready.wait(), route.spoke.arrivals.ready.wait())
        began = time.perf_counter()
        await world.restart()
        tell(f"principal and agent are up and connected after {time.perf_counter() - began:.1f} s")
        yield world
    finally:
        await world.end()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for client in (on_hub, on_spoke, other_hub, other_spoke):
            await client.close()


def fleet_name(number: int) -> str:
    """An agent of the fleet, and its namespace on both sides."""
    return f"{FLEET}-{number:03d}"


def _routes(on_hub: KubernetesCluster, on_spoke: KubernetesCluster) -> tuple[Route, Route]:
    """The programs' and the relay's."""

    def end(cluster: KubernetesCluster, namespace: str) -> End:
        return End(cluster, namespace, Arrivals(cluster, namespace))

    unseen = {LABEL_IGNORE_SYNC: "true"}
    return (
        Route("ours", end(on_hub, AGENT), end(on_spoke, NAMESPACE)),
        Route("floor", end(on_hub, RELAY), end(on_spoke, RELAY), unseen),
    )


async def _install(world: World) -> None:
    for secret in world.installation.hub:
        if secret.labels.get(LABEL_AGENT_NAME, AGENT) == AGENT:
            await world.on_hub.create(SECRETS, secret)
    for secret in world.installation.spokes[AGENT]:
        await world.on_spoke.create(SECRETS, secret)


async def _ensure(cluster: KubernetesCluster, api: Api, obj: Object) -> None:
    with contextlib.suppress(AlreadyExists):
        await cluster.create(api, obj)
