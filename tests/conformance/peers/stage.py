"""Ours on virtual time with a scripted end of the reference at the other end of the line.

`our_agent` and `our_principal` give a `Stage`; when its block is left, everything that ours said must have been
digestible, and everything said on a line that is still open must have been acked.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

from argocd_agent.agent.hublogin import HubLogin
from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.errors import TransportError
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.modes import Mode, Role
from argocd_agent.resources.kinds import NAMESPACES
from argocd_agent.resources.objects import Metadata, new_object
from argocd_agent.transport.gate import Identity
from argocd_agent.transport.stream import EventStream
from tests.conformance.peers.go_end import GoEnd
from tests.conformance.peers.go_held import HOME as AGENT_HOME
from tests.conformance.peers.go_objects import HUB as PRINCIPAL_HOME
from tests.conformance.peers.line import GoLine, Line
from tests.support.world import HOME, HUB_UID, Side, World, passing


class Peer(Protocol):
    """A scripted end of the reference."""

    @property
    def end(self) -> GoEnd: ...

    async def serve(self, line: GoLine) -> None: ...


@dataclass(slots=True)
class Uids:
    """The UIDs that a cluster gives: those that are `coming` first, for recorded conversations."""

    coming: deque[str] = field(default_factory=deque)

    def __call__(self) -> str:
        return self.coming.popleft() if self.coming else str(uuid4())


@dataclass(slots=True)
class Stage:
    """Ours, as *role* of agent *name*. `uids` are those of our cluster."""

    world: World
    role: Role
    name: str
    uids: Uids
    principal_uid: str = HUB_UID
    mode: Mode = Mode.MANAGED
    peers: list[Peer] = field(default_factory=list)
    line: Line | None = None

    @property
    def cluster(self) -> EmbeddedCluster:
        """Our cluster."""
        return self.side.cluster

    @property
    def side(self) -> Side:
        """Our cluster, as far as Applications of this agent go."""
        if self.role is Role.AGENT:
            return self.world.spoke_side(self.name)
        return self.world.hub_side(self.name)

    @property
    def peer(self) -> Peer:
        """The scripted end that was last connected."""
        return self.peers[-1]

    async def connect(self, peer: Peer, seconds: float = 1.0) -> None:
        """A new stream with *peer*, and *seconds* of talk."""
        await self.hang_up()
        if peer not in self.peers:
            self.peers.append(peer)
        self.line = Line(self.role)
        running, tasks = self.world.running, self.world.tasks
        running["reference"] = tasks.create_task(peer.serve(self.line), name="the reference")
        running[f"{self.name}, its stream"] = tasks.create_task(self._serve(self.line.ours), name="our session")
        await passing(seconds)

    async def hang_up(self) -> None:
        """End the stream, if there is one."""
        if self.line is not None:
            self.line.end("cut")
            self.line = None
            await passing(0.2)

    async def start(self) -> None:
        """Our process starts."""
        if self.role is Role.AGENT:
            await self.world.start_agent(self.name)
        else:
            await self.world.start_principal(self.principal_uid)

    async def stop(self) -> None:
        """Our process is killed, and its stream with it."""
        await self.world.stop(self.name, *(["principal"] if self.role is Role.PRINCIPAL else []))
        await self.hang_up()
        for peer in self.peers:
            peer.end.checker.ours_ended()

    def check(self) -> None:
        """Raises for whatever a Go end could not have digested."""
        problems = [problem for peer in self.peers for problem in peer.end.checker.problems]
        assert problems == [], "\n".join(problems)
        if self.line is not None and self.line.is_open:
            owed = self.peer.end.checker.owed
            assert owed == [], f"un-acked: {', '.join(owed)}"

    async def _serve(self, stream: EventStream) -> None:
        if self.role is Role.AGENT:
            login = HubLogin(agent=self.name, principal_namespace=PRINCIPAL_HOME)
            self.world.endings.append(await self.world.spokes[self.name].serve(stream, login))
            return
        assert self.world.hub is not None, "start first"
        try:
            await self.world.hub.sessions.serve(Identity(AgentName(self.name), self.mode, AGENT_HOME), stream)
        except TransportError as error:
            await stream.close(str(error))


@contextlib.asynccontextmanager
async def our_agent(
    name: str = "agent-1", *, mode: Mode = Mode.MANAGED, spaces: tuple[str, ...] = (), **settings: Any
) -> AsyncIterator[Stage]:
    """An agent of ours on an empty spoke, started. The spoke has the namespaces *spaces* too."""
    async with _stage(Role.AGENT, name, {"mode": mode, **settings}, HUB_UID, mode, spaces) as stage:
        yield stage


@contextlib.asynccontextmanager
async def our_principal(
    name: str = "agent-1",
    *,
    principal_uid: str = HUB_UID,
    mode: Mode = Mode.MANAGED,
    spaces: tuple[str, ...] = (),
    **settings: Any,
) -> AsyncIterator[Stage]:
    """A principal of ours that knows agent *name*, of *mode*, started. The hub has the namespaces *spaces* too."""
    settings = {"allowed_namespaces": ("agent-*",), **settings}
    async with _stage(Role.PRINCIPAL, name, settings, principal_uid, mode, spaces) as stage:
        yield stage


@contextlib.asynccontextmanager
async def _stage(
    role: Role, name: str, settings: dict[str, Any], principal_uid: str, mode: Mode, spaces: tuple[str, ...]
) -> AsyncIterator[Stage]:
    uids = Uids()
    hub, spoke = open_memory(new_uid=uids), open_memory(new_uid=uids)
    await _prepare(hub, HOME, name, *spaces)
    await _prepare(spoke, HOME, *spaces)
    async with asyncio.TaskGroup() as tasks:
        of_principal, of_agent = (settings, {}) if role is Role.PRINCIPAL else ({}, settings)
        world = World(hub, {name: spoke}, of_principal, of_agent, tasks)
        stage = Stage(world, role, name, uids, principal_uid, mode)
        await world.register(name)
        await stage.start()
        try:
            yield stage
            stage.check()
        finally:
            for task in world.running.values():
                task.cancel()


async def _prepare(cluster: EmbeddedCluster, *namespaces: str) -> None:
    for namespace in namespaces:
        await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=namespace)))


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Let time go by in small steps until *condition* holds, at most *seconds*."""
    for _ in range(int(seconds / 0.1)):
        if condition():
            return
        await passing(0.1)
    raise AssertionError(f"nothing of that kind within {seconds:g} s")
