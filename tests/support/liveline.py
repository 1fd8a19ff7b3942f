"""A hub that asks and an agent that answers, over a memory stream, on virtual time; sessions and links are real.

async with a_line() as line:
    status, body = await line.request("GET", "/api/v1/namespaces/shop/pods/web")
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from argocd_agent.agent.serve.live import Live
from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.backends.embedded.face.raw import EmbeddedRaw
from argocd_agent.backends.ports import Cluster, RawApi
from argocd_agent.codec import encode
from argocd_agent.errors import AlreadyExists, EventDiscarded, NotFound
from argocd_agent.peer.link import Link
from argocd_agent.peer.observe import Key
from argocd_agent.peer.reconcile import AntiEntropy
from argocd_agent.peer.session import Session, Watchers
from argocd_agent.principal.ask import Ask, Limits
from argocd_agent.protocol.capabilities import PeerInfo, announce, peer_from
from argocd_agent.protocol.events import AgentName, Event, EventType, Target
from argocd_agent.protocol.heartbeat import heartbeat_for
from argocd_agent.protocol.modes import Role
from argocd_agent.protocol.names import CONFIGMAP_ARGOCD, LABEL_PART_OF, PART_OF_ARGOCD
from argocd_agent.proxies.ports import Question
from argocd_agent.resources.kinds import CONFIGMAPS, NAMESPACES, Api
from argocd_agent.resources.objects import Metadata, Object, new_object
from argocd_agent.transport.memory import memory_pair
from argocd_agent.transport.stream import EventStream
from argocd_agent.wire.kubepaths import parse_path
from argocd_agent.wire.payloads import decode
from argocd_agent.wire.requests import ResourcePart, ResourceRequest, ResourceResponse
from tests.support.world import HOME, passing

OURS = peer_from(announce())
SHOP = "shop"
PODS = Api("", "v1", "pods", "Pod")
_NOTHING: list[Callable[..., None]] = [lambda *_: None] * 6

Handle = Callable[[Event], Awaitable[None]]


@dataclass(slots=True)
class OneAgent:
    """What `Ask` knows of an agent."""

    name: AgentName
    link: Link
    stream: EventStream | None = None


@dataclass(slots=True)
class Line:
    """Both ends. `received` and `sent` are what the agent got, and what it gave."""

    tasks: asyncio.TaskGroup
    cluster: Cluster
    ask: Ask
    agents: dict[str, OneAgent]
    spoke_link: Link
    live: Live
    held: dict[Key, Object]
    received: list[Event] = field(default_factory=list)
    given: list[Event] = field(default_factory=list)
    answering: Handle | None = None
    sent_by_spoke: int = 0
    stirred: asyncio.Event = field(default_factory=asyncio.Event)

    async def connect(self, name: str = "agent-1", *, agent_is: PeerInfo = OURS, hub_is: PeerInfo = OURS) -> None:
        """Open a stream of agent *name*. Only agent-1 answers by a cluster; others by `answering`, or not at all."""
        down, up = memory_pair(of_principal=hub_is, of_agent=agent_is)
        agent = self.agents[name]
        agent.stream = down
        clock = asyncio.get_running_loop().time
        link = self.spoke_link if name == "agent-1" else Link("hub", 5.0, source="", clock=clock)
        self.tasks.create_task(self._hub(agent, down), name=f"{name} on the hub")
        self.tasks.create_task(self._spoke(link, up), name=f"{name} on the spoke")
        await passing(0.1)

    async def cut(self, name: str = "agent-1") -> None:
        """End the stream."""
        stream = self.agents[name].stream
        assert stream is not None, "cut what is connected"
        await stream.close("cut")
        await passing(0.1)

    async def request(self, method: str, path: str, *, caller: str = "ui", **more: Any) -> tuple[int, bytes]:
        """Ask agent-1: status and the whole body."""
        async with self.ask.asked(AgentName("agent-1"), caller, a_question(method, path, **more)) as replies:
            event, body, status = await replies.next(), b"", 0
            while event.type == EventType.PART:
                piece = decode(event.data, ResourcePart)
                status, body = status or piece.status, body + (piece.data or b"")
                replies.allow_more()
                event = await replies.next()
            end = decode(event.data, ResourceResponse)
            return (end.status if end.status != 200 else status or 200), body + end.resource.encode()

    async def until_received(self, kind: str) -> None:
        """Return when the agent has got an event of this type."""
        while not any(event.type == kind for event in self.received):
            self.stirred.clear()
            await self.stirred.wait()

    async def create(self, api: Api, name: str, namespace: str = SHOP, **metadata: Any) -> Object:
        """Make an object on the spoke; *metadata* may hold `fields`."""
        fields = metadata.pop("fields", {})
        return await self.cluster.create(
            api, new_object(api, Metadata(name=name, namespace=namespace, **metadata), **fields)
        )

    async def _hub(self, agent: OneAgent, stream: EventStream) -> None:
        async def handle(event: Event) -> None:
            self.given.append(event)
            self.stirred.set()
            await self.ask.handle(agent, event)

        await self._session(agent.link, stream, handle, Role.PRINCIPAL).run()
        agent.stream = None
        self.ask.disconnected(agent.name)

    async def _spoke(self, link: Link, stream: EventStream) -> None:
        async def handle(event: Event) -> None:
            self.received.append(event)
            self.stirred.set()
            if self.answering is not None:
                await self.answering(event)
            elif link is self.spoke_link and event.target is Target.RESOURCE:
                await self.live.resources.handle(event)
            else:
                raise EventDiscarded("nobody answers here")

        await self._session(link, stream, handle, Role.AGENT).run()

    def _session(self, link: Link, stream: EventStream, handle: Handle, role: Role) -> Session:
        entropy = AntiEntropy(link, ours={}, theirs={}, interval_seconds=0.0)
        beat = heartbeat_for(role, stream.peer)

        def sent(event: Event) -> None:
            if role is Role.AGENT and event.target is not Target.HEARTBEAT:
                self.sent_by_spoke += 1

        watchers = Watchers(sent, *_NOTHING)
        return Session(link, stream, handle, watchers, beat=beat, opened=lambda: None, entropy=entropy)


def a_question(method: str, path: str, *, is_long: bool = False, credit: int = 8, **more: Any) -> Question:
    """A request for what *path* names; *more* are fields of the payload."""
    what, unique = parse_path(path), str(uuid.uuid4())
    request = ResourceRequest(
        uuid=unique,
        method=method,
        group=what.group,
        version=what.version,
        namespace=what.namespace,
        resource=what.resource,
        name=what.name,
        subresource=what.subresource,
        core=what.is_core,
        **{"credit": credit, **more},
    )
    return Question(Target.RESOURCE, method, unique, encode(request), credit, is_long=is_long)


def argocd_settings(**data: str) -> Object:
    """Argo CD's ConfigMap."""
    metadata = Metadata(name=CONFIGMAP_ARGOCD, namespace=HOME, labels={LABEL_PART_OF: PART_OF_ARGOCD})
    return new_object(CONFIGMAPS, metadata, data={name.replace("_", "."): value for name, value in data.items()})


@contextlib.asynccontextmanager
async def a_line(
    *,
    raw: Callable[[EmbeddedCluster], RawApi] = EmbeddedRaw,
    real: tuple[Cluster, RawApi] | None = None,
    limits: Limits | None = None,
    settings: Mapping[str, str] | None = None,
    is_enabled: bool = True,
    is_up: bool = True,
    agent_is: PeerInfo = OURS,
    hub_is: PeerInfo = OURS,
) -> AsyncIterator[Line]:
    """A hub with agent-1, which has a cluster with namespace `shop`, and agent-2, which has none.

    *real* is the cluster and the raw way to it, where it is not to be one in memory.
    """
    embedded = open_memory()
    cluster, way = real or (embedded, raw(embedded))
    for name in (HOME, SHOP):
        with contextlib.suppress(AlreadyExists):
            await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=name)))
    with contextlib.suppress(NotFound):
        await cluster.delete(CONFIGMAPS, HOME, CONFIGMAP_ARGOCD)
    await cluster.create(CONFIGMAPS, argocd_settings(**(settings or {})))
    clock = asyncio.get_running_loop().time
    names = [AgentName(name) for name in ("agent-1", "agent-2")]
    agents: dict[str, OneAgent] = {n: OneAgent(n, Link(n, 5.0, source="", clock=clock)) for n in names}
    spoke, held = Link("hub", 5.0, source="", clock=clock), dict[Key, Object]()
    live = Live(spoke, cluster, way, held, namespace=HOME, is_enabled=is_enabled)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(live.run(), name="live")
        line = Line(tasks, cluster, Ask(agents.get, limits or Limits()), agents, spoke, live, held)
        if is_up:
            await line.connect(agent_is=agent_is, hub_is=hub_is)
        yield line
        running.cancel()
        for agent in agents.values():
            if agent.stream is not None:
                await agent.stream.close("the test is over")
