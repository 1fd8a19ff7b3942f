"""A principal and an agent that run, installed side by side with others on the same API servers.

    async with a_pair(hub_kubeconfig, spoke_kubeconfig, agent=["--adoption-policy=never"]) as pair:
        async with pair.open() as (hub, spoke):
            await hub.create("guestbook")
            await spoke.until_there("guestbook")

`shared_pair` is the same for a fixture that many tests share. All programs end with the block.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from argocd_agent.demo.faults import Link
from tests.support.applications import Applications, Projects
from tests.support.programs import LOOPBACK, Running
from tests.support.sites import Hub, Spoke, install_hub, install_spoke, opened

Flags = Sequence[str]

AUTONOMOUS: Flags = ("--agent-mode=autonomous",)


@dataclass
class Pair:
    """One of each. `principal` and `agent` are the processes of now."""

    hub: Hub
    spoke: Spoke
    principal: Running
    agent: Running
    principal_flags: Flags = ()
    agent_flags: Flags = ()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Applications, Applications]]:
        """The Applications of the agent: on the hub, and on the spoke."""
        async with opened(self.hub.kubeconfig) as hub, opened(self.spoke.kubeconfig) as spoke:
            yield Applications(hub, self.spoke.agent), Applications(spoke, self.spoke.namespace)

    @contextlib.asynccontextmanager
    async def projects(self) -> AsyncIterator[tuple[Projects, Projects]]:
        """The AppProjects of both: on the hub, and on the spoke."""
        async with opened(self.hub.kubeconfig) as hub, opened(self.spoke.kubeconfig) as spoke:
            yield Projects(hub, self.hub.namespace), Projects(spoke, self.spoke.namespace)

    async def ready(self) -> None:
        """Wait until both say that they are ready."""
        await asyncio.to_thread(self.wait)

    def wait(self) -> None:
        """As `ready`, outside of a loop."""
        self.principal.until_ready()
        self.agent.until_ready()

    def start_principal(self, *flags: str) -> None:
        """Start the principal again; with its own flags where none are given."""
        self.principal = self.hub.start(*(flags or self.principal_flags))

    def start_agent(self, *flags: str) -> None:
        """Start the agent again; with its own flags where none are given."""
        self.agent = self.spoke.start(*(flags or self.agent_flags))

    def end(self) -> None:
        """Kill both."""
        for program in (self.agent, self.principal):
            program.kill()


@contextlib.asynccontextmanager
async def a_pair(
    hub_kubeconfig: Path, spoke_kubeconfig: Path, *, principal: Flags = (), agent: Flags = ()
) -> AsyncIterator[Pair]:
    """Both installed, started and connected."""
    hub = await install_hub(hub_kubeconfig)
    spoke = await install_spoke(hub, spoke_kubeconfig)
    pair = _started(hub, spoke, principal, agent)
    try:
        await pair.ready()
        yield pair
    finally:
        pair.end()


@contextlib.asynccontextmanager
async def linked(
    hub_kubeconfig: Path, spoke_kubeconfig: Path, *, agent: Flags = ()
) -> AsyncIterator[tuple[Pair, Link]]:
    """A principal and an agent, connected through a link that can be spoilt."""
    hub = await install_hub(hub_kubeconfig)
    spoke = await install_spoke(hub, spoke_kubeconfig)
    link = Link(LOOPBACK, hub.port)
    carrying = asyncio.create_task(link.run(), name="link")
    pair = _started(hub, spoke, (), (f"--server-port={link.port}", *agent))
    try:
        await pair.ready()
        yield pair, link
    finally:
        pair.end()
        carrying.cancel()
        await asyncio.gather(carrying, return_exceptions=True)


@contextlib.contextmanager
def shared_pair(
    hub_kubeconfig: Path, spoke_kubeconfig: Path, *, principal: Flags = (), agent: Flags = ()
) -> Iterator[Pair]:
    """As `a_pair`, outside of a loop."""

    async def install() -> tuple[Hub, Spoke]:
        hub = await install_hub(hub_kubeconfig)
        return hub, await install_spoke(hub, spoke_kubeconfig)

    with started(*asyncio.run(install()), principal=principal, agent=agent) as pair:
        yield pair


@contextlib.contextmanager
def started(hub: Hub, spoke: Spoke, *, principal: Flags = (), agent: Flags = ()) -> Iterator[Pair]:
    """What is installed already, started and connected; outside of a loop."""
    pair = _started(hub, spoke, principal, agent)
    try:
        pair.wait()
        yield pair
    finally:
        pair.end()


@contextlib.contextmanager
def ended(*programs: Running) -> Iterator[None]:
    """Kills *programs* at the end of the block, however it ends."""
    try:
        yield
    finally:
        for program in programs:
            program.kill()


def _started(hub: Hub, spoke: Spoke, principal: Flags, agent: Flags) -> Pair:
    return Pair(hub, spoke, hub.start(*principal), spoke.start(*agent), principal, agent)
