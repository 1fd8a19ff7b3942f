"""A hub and its agents in one process, on embedded clusters, memory streams and virtual time.

Everything between the streams and the clusters is the real thing. `passing` lets time go by: the clock moves only when
nobody has anything left to do, so after it all that can happen has happened.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Any

from argocd_agent.agent.calls import Calls
from argocd_agent.agent.config import AgentConfig
from argocd_agent.agent.hublogin import HubLogin
from argocd_agent.agent.spoke import Spoke
from argocd_agent.agent.view import Sights
from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.backends.embedded.face.raw import EmbeddedRaw
from argocd_agent.backends.ports import Scope
from argocd_agent.backends.redis import MemoryCache
from argocd_agent.errors import NotFound, TransportError
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.principal.hub import Hub
from argocd_agent.protocol.capabilities import REFERENCE, PeerInfo, announce, peer_from
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import LABEL_AGENT_NAME, LABEL_SECRET_TYPE, SECRET_TYPE_CLUSTER
from argocd_agent.resources.kinds import APPLICATIONS, NAMESPACES, SECRETS, Api
from argocd_agent.resources.objects import Metadata, Object, new_object
from argocd_agent.settings.values import Method
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.metrics import NO_AGENT_METRICS, NO_PRINCIPAL_METRICS, PrincipalMetrics
from argocd_agent.transport.gate import Identity
from argocd_agent.transport.memory import memory_pair
from argocd_agent.transport.stream import EventStream
from tests.support.pods import FakePods
from tests.support.shared import encoded

HOME = "argocd"
HUB_UID = "hub-1"


async def passing(seconds: float) -> None:
    """Let *seconds* go by, and all that happens in them."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().create_future()


def fresh(obj: Object, **metadata: Any) -> Object:
    """*obj* as a user would create it: without what only an API server sets."""
    kept = {name: getattr(obj.metadata, name) for name in ("name", "namespace", "labels", "annotations", "finalizers")}
    return Object(Metadata(**{**kept, **metadata}), obj.fields)


def a_sight(cluster: EmbeddedCluster) -> Sights:
    """What an agent on *cluster* has to show: its objects; pods that nobody runs."""
    return Sights(EmbeddedRaw(cluster), FakePods(), Calls())


@dataclass(slots=True)
class Side:
    """One cluster, and the objects of one kind, Applications if none is named, in one of its namespaces."""

    cluster: EmbeddedCluster
    namespace: str
    api: Api = APPLICATIONS

    async def get(self, name: str) -> Object | None:
        """The object, None if there is none."""
        try:
            return await self.cluster.get(self.api, self.namespace, name)
        except NotFound:
            return None

    async def expect(self, name: str) -> Object:
        """The object, which must be there."""
        found = await self.get(name)
        assert found is not None, f"expected {self.api.kind} {self.namespace}/{name}, found none"
        return found

    async def create(self, obj: Object) -> Object:
        """Create *obj* here."""
        return await self.cluster.create(self.api, fresh(obj, namespace=self.namespace))

    async def update(self, obj: Object) -> Object:
        """Write *obj*."""
        return await self.cluster.update(self.api, obj)

    async def delete(self, name: str) -> None:
        """Delete the object."""
        await self.cluster.delete(self.api, self.namespace, name)

    async def names(self) -> set[str]:
        """The names that there are."""
        return {obj.name for obj in (await self.cluster.list(self.api, Scope(self.namespace))).items}


@dataclass(slots=True)
class World:
    """The hub's and the spokes' clusters, with the programs' parts on them."""

    hub_cluster: EmbeddedCluster
    spoke_clusters: dict[str, EmbeddedCluster]
    principal_settings: dict[str, Any]
    agent_settings: dict[str, Any]
    tasks: asyncio.TaskGroup
    hub: Hub | None = None
    hub_cache: MemoryCache = field(default_factory=MemoryCache)
    spokes: dict[str, Spoke] = field(default_factory=dict)
    streams: dict[str, EventStream] = field(default_factory=dict)
    running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    endings: list[str] = field(default_factory=list)
    autonomous: frozenset[str] = frozenset()
    spoke_home: str = HOME
    metrics: PrincipalMetrics = NO_PRINCIPAL_METRICS

    def mode(self, agent: str) -> Mode:
        """Who owns what *agent* and the hub share."""
        return Mode.AUTONOMOUS if agent in self.autonomous else Mode.MANAGED

    def hub_side(self, agent: str = "agent-1") -> Side:
        """The hub, as far as it concerns *agent*."""
        return Side(self.hub_cluster, agent)

    def hub_home(self, api: Api = APPLICATIONS) -> Side:
        """What stands in the principal's own namespace."""
        return Side(self.hub_cluster, HOME, api)

    def spoke_side(self, agent: str = "agent-1", api: Api = APPLICATIONS) -> Side:
        """The spoke of *agent*."""
        return Side(self.spoke_clusters[agent], self.spoke_home, api)

    async def register(self, agent: str) -> None:
        """Make *agent* known to the hub."""
        labels = {LABEL_SECRET_TYPE: SECRET_TYPE_CLUSTER, LABEL_AGENT_NAME: agent}
        data = encoded({"name": agent, "server": f"https://proxy:9090?agentName={agent}"})
        secret = new_object(SECRETS, Metadata(name=f"cluster-{agent}", namespace=HOME, labels=labels), data=data)
        await self.hub_cluster.create(SECRETS, secret)

    async def start_principal(self, uid: str = HUB_UID) -> None:
        """A new principal process."""
        config = PrincipalConfig(namespace=HOME, auth=Method("mtls", "subject:CN=([^,]+)"), **self.principal_settings)
        self.hub = Hub(config, self.hub_cluster, Health(()), self.metrics, uid, self.hub_cache, None)
        self._run("principal", self.hub.run())
        await self.hub.read()

    async def start_agent(self, name: str = "agent-1") -> None:
        """A new agent process."""
        settings = {"mode": self.mode(name), "namespace": self.spoke_home, **self.agent_settings}
        config = AgentConfig(server_address="hub", creds=Method("mtls", "any"), **settings)
        spoke = self.spokes[name] = Spoke(
            config,
            self.spoke_clusters[name],
            Health(()),
            NO_AGENT_METRICS,
            MemoryCache(),
            a_sight(self.spoke_clusters[name]),
        )
        self._run(name, spoke.run())
        await spoke.read()

    async def connect(self, name: str = "agent-1", *, agent_is: PeerInfo | None = None) -> None:
        """Open a stream between principal and agent *name*, and let both come to rest."""
        assert self.hub is not None, "start a principal first"
        ours = peer_from(announce(principal_uid=self.hub.uid))
        down, up = memory_pair(of_principal=ours, of_agent=peer_from(announce()) if agent_is is None else agent_is)
        self.streams[name] = up
        self._run(f"{name} on the hub", self._serve_hub(self.hub, name, down))
        self._run(f"{name} on the spoke", self._serve_spoke(name, up))
        await passing(0.5)

    async def cut(self, name: str = "agent-1") -> None:
        """End the stream between principal and agent *name*."""
        await self.streams.pop(name).close("cut")
        await passing(0.1)

    async def stop(self, *names: str) -> None:
        """End what runs under *names*, as a kill would."""
        for name in names:
            for running in [
                key for key in self.running if key == name or (name != "principal" and key.startswith(name))
            ]:
                task = self.running.pop(running)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await passing(0.1)

    def _run(self, name: str, work: Any) -> None:
        self.running[name] = self.tasks.create_task(work, name=name)

    async def _serve_hub(self, hub: Hub, name: str, stream: EventStream) -> None:
        try:
            await hub.sessions.serve(Identity(AgentName(name), self.mode(name), self.spoke_home), stream)
        except TransportError as error:
            self.endings.append(str(error))
            await stream.close(str(error))

    async def _serve_spoke(self, name: str, stream: EventStream) -> None:
        login = HubLogin(agent=name, principal_namespace=HOME)
        self.endings.append(await self.spokes[name].serve(stream, login))


@contextlib.asynccontextmanager
async def a_world(
    *agents: str,
    principal: dict[str, Any] | None = None,
    agent: dict[str, Any] | None = None,
    autonomous: Collection[str] = (),
    spoke_home: str = HOME,
    is_up: bool = True,
) -> AsyncIterator[World]:
    """A hub that knows *agents* (agent-1 if none is named), all of them connected and at rest if *is_up*; those of
    *autonomous* own what they have. The agents live in *spoke_home*."""
    names = agents or ("agent-1",)
    hub = open_memory()
    spokes = {name: open_memory() for name in names}
    for cluster, namespaces in [(hub, (HOME, *names)), *((spoke, (spoke_home,)) for spoke in spokes.values())]:
        for namespace in namespaces:
            await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=namespace)))
    async with asyncio.TaskGroup() as tasks:
        settings = {"allowed_namespaces": ("agent-*",)} | (principal or {})
        world = World(
            hub, spokes, settings, agent or {}, tasks, autonomous=frozenset(autonomous), spoke_home=spoke_home
        )
        for name in names:
            await world.register(name)
        if is_up:
            await world.start_principal()
            for name in names:
                await world.start_agent(name)
                await world.connect(name)
        yield world
        for task in world.running.values():
            task.cancel()


REFERENCE_AGENT = REFERENCE
