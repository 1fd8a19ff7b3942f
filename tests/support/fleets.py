"""A principal and several agents that run, installed side by side with others on the same API servers.

    with shared_fleet(hub_kubeconfig, [first, second], principal=[…], agents=[[…], […]]) as fleet:
        async with fleet.open() as (hub, spokes):
            await hub.create(APPLICATIONS, …)

`shared_fleet` is for a fixture that many tests share: outside of a loop. All programs end with the block.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from argocd_agent.backends.kubernetes import KubernetesCluster
from tests.support.programs import Running
from tests.support.sites import Hub, Spoke, install_hub, install_spoke, opened

Flags = Sequence[str]


@dataclass
class Fleet:
    """One hub and its spokes. `principal` and `agents` are the processes of now; each list has the agents' order."""

    hub: Hub
    spokes: list[Spoke]
    principal: Running
    agents: list[Running]
    principal_flags: Flags
    agent_flags: Sequence[Flags]

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[KubernetesCluster, list[KubernetesCluster]]]:
        """The API of the hub, and those of the spokes."""
        async with contextlib.AsyncExitStack() as stack:
            hub = await stack.enter_async_context(opened(self.hub.kubeconfig))
            yield hub, [await stack.enter_async_context(opened(spoke.kubeconfig)) for spoke in self.spokes]

    async def ready(self) -> None:
        """Wait until all say that they are ready."""
        await asyncio.to_thread(self.wait)

    def wait(self) -> None:
        """As `ready`, outside of a loop."""
        for program in (self.principal, *self.agents):
            program.until_ready()

    def start_principal(self) -> None:
        """Start the principal again."""
        self.principal = self.hub.start(*self.principal_flags)

    def start_agent(self, number: int) -> None:
        """Start an agent again."""
        self.agents[number] = self.spokes[number].start(*self.agent_flags[number])

    def end(self) -> None:
        """Kill all."""
        for program in (*self.agents, self.principal):
            program.kill()


@contextlib.contextmanager
def shared_fleet(
    hub_kubeconfig: Path, spoke_kubeconfigs: Sequence[Path], *, principal: Flags = (), agents: Sequence[Flags]
) -> Iterator[Fleet]:
    """A principal with its flags, and an agent on each of *spoke_kubeconfigs* with its own."""

    async def install() -> tuple[Hub, list[Spoke]]:
        hub = await install_hub(hub_kubeconfig)
        return hub, [await install_spoke(hub, kubeconfig) for kubeconfig in spoke_kubeconfigs]

    hub, spokes = asyncio.run(install())
    running = [spoke.start(*flags) for spoke, flags in zip(spokes, agents, strict=True)]
    fleet = Fleet(hub, spokes, hub.start(*principal), running, principal, agents)
    try:
        fleet.wait()
        yield fleet
    finally:
        fleet.end()
