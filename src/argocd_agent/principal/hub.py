"""The hub's side: the parts that know agents and what travels, tied together.

It needs a cluster to stand on and streams to serve, not a network: `run` gives it gRPC, tests give it memory.
"""

import asyncio
import time
from collections.abc import Callable, Collection

from argocd_agent.backends.ports import Cache, Cluster
from argocd_agent.backends.redis import RedisOptions
from argocd_agent.errors import ClusterError, EventRefused
from argocd_agent.peer.apply import Applier
from argocd_agent.peer.drift import Drift
from argocd_agent.peer.kubeevents import KubeEvents
from argocd_agent.peer.link import Link, payload_of
from argocd_agent.peer.mirrors import Key
from argocd_agent.peer.observe import Change, Observer, pause
from argocd_agent.peer.program import reporter
from argocd_agent.peer.reports import Reports
from argocd_agent.principal.agents import Agent, Agents
from argocd_agent.principal.clusterinfo import ClusterInfos
from argocd_agent.principal.clusters import Clusters
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.principal.connections import Connections
from argocd_agent.principal.held import HeldReports
from argocd_agent.principal.inbound import Inbound
from argocd_agent.principal.live import Live
from argocd_agent.principal.namespaces import Namespaces
from argocd_agent.principal.redisview import RedisView
from argocd_agent.principal.resync import Resync
from argocd_agent.principal.senders import ApplicationSender
from argocd_agent.principal.sessions import Sessions
from argocd_agent.principal.shares import Shares
from argocd_agent.principal.streamview import streams
from argocd_agent.principal.views import ApplicationViews, ProjectViews
from argocd_agent.principal.watches import PARTS, Told, watches
from argocd_agent.protocol.brake import Order
from argocd_agent.protocol.capabilities import Capability
from argocd_agent.protocol.events import AgentName, Event, EventType, Target
from argocd_agent.protocol.modes import Mode
from argocd_agent.proxies.redis.lastknown import LastKnown
from argocd_agent.resources import appproject
from argocd_agent.resources.identity import source_uid
from argocd_agent.resources.kinds import APPLICATIONS, APPPROJECT, APPPROJECTS, Api
from argocd_agent.resources.mapping import HubMapping
from argocd_agent.resources.objects import Object
from argocd_agent.resources.patterns import matches_any
from argocd_agent.resources.plan import Action, LetGo, Nothing, Update
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.logs import get_log
from argocd_agent.telemetry.metrics import PrincipalMetrics
from argocd_agent.wire.brake import HeldOrder, HeldReport
from argocd_agent.wire.cachevalues import Compression
from argocd_agent.wire.payloads import ClusterCacheInfo
from argocd_agent.wire.timestamps import format_time

log = get_log("Server")

NAMESPACES, HELD = "namespaces", "held deletions"
HUB_PARTS = (*PARTS, NAMESPACES, HELD)
_MEASURE_SECONDS = 180.0  # as the reference does


class Hub:
    """The parts that know agents and what travels, tied together."""

    def __init__(
        self,
        config: PrincipalConfig,
        cluster: Cluster,
        health: Health,
        metrics: PrincipalMetrics,
        uid: str,
        cache: Cache,
        redis: Callable[[], RedisOptions] | None,
    ) -> None:
        self.uid, self._config, self._cluster, self._metrics = uid, config, cluster, metrics
        self._clock = asyncio.get_running_loop().time
        self._namespaces = Namespaces(
            config,
            cluster,
            lambda name: self.agents.get(name) is not None,
            self._lost_its_namespace,
            reporter(health, NAMESPACES),
            appeared=self._got_its_namespace,
        )
        self.agents = Agents(self._new_agent, self._classify)
        self.clusters = Clusters(self._registered, self._removed, self._cluster_changed)
        known = LastKnown()
        self._cluster_infos = ClusterInfos(
            cache,
            Compression(config.redis_compression_type),
            entry=self.clusters.entry,
            registered=self.clusters.registered,
            now=lambda: format_time(time.time()),
            metrics=metrics,
            shown_as_of=known.newest,
        )
        self.live = Live(config, cluster, health, self.agents.get)
        self.redis = RedisView(config, cluster, redis, self.live.ask, self._owner, known, metrics)
        self._mapping = HubMapping(config.namespace, self._is_autonomous, config.destination_based_mapping)
        self.connections = Connections(cluster, config.namespace, lambda: format_time(time.time()))
        told = Told(
            applications=self._application_changed,
            projects=self._project_changed,
            repositories=lambda change: self._shares.repositories.on_change(change),
            keys=lambda change: self._shares.keys.on_change(change),
            clusters=self.clusters.on_change,
        )
        self.watches = watches(cluster, config, self._mapping, health, told)
        sender = ApplicationSender(uid, metrics.application_queued)
        self._shares = Shares(
            self.watches,
            self._mapping,
            self.agents,
            self.clusters,
            sender,
            principal_uid=uid,
            allowed=config.allowed_namespaces,
        )
        self._write(sender)
        self._answer(sender, health)

    def _answer(self, sender: ApplicationSender, health: Health) -> None:
        """The parts that agents talk to."""
        config, cluster, metrics = self._config, self._cluster, self._metrics
        self.resync = Resync(
            self._mapping,
            self._shares.all,
            sender,
            (self._application_views, self._project_views),
            self._home_of,
            principal_uid=self.uid,
            interval_seconds=config.anti_entropy_interval_seconds,
            serves=self._serves,
            joined=self._joined,
        )
        events = KubeEvents(cluster, "argocd-agent-principal", time.time)
        self.logs, self.terminals = streams(config, self.agents.get)
        self.inbound = Inbound(
            self._applications,
            self._mapping,
            self.watches.applications.objects,
            sender,
            (self._application_views, self._project_views),
            Reports(cluster, events).refused,
            self._shares.has,
            self.resync.handle,
            {
                (Mode.MANAGED, Target.BRAKE): self._held_reported,
                (Mode.MANAGED, Target.CLUSTER_CACHE_INFO): self._counted,
                **{(mode, Target.RESOURCE): self.live.responses for mode in Mode},
                **{(mode, Target.REDIS): self.redis.handle for mode in Mode},
            },
        )
        self._held = HeldReports(
            cluster,
            config.namespace,
            events,
            metrics,
            send=self._order,
            secret_of=self._secret_of,
            problem=reporter(health, HELD),
        )
        self.sessions = Sessions(
            self.agents,
            self.inbound,
            self.resync,
            self.connections,
            metrics,
            self.clusters.is_registered,
            self._cluster_infos,
            self.redis.connected,
            self._ended,
        )

    def _ended(self, name: AgentName) -> None:
        """The session of agent *name* has ended, and no other has taken its place."""
        self.live.disconnected(name)
        self.redis.disconnected(name)
        self.logs.agent_lost(name)
        self.terminals.agent_lost(name)

    def _write(self, sender: ApplicationSender) -> None:
        """The parts that write Applications and projects of the hub."""
        apps, projects = self.watches.applications, self.watches.projects
        self._applications = self._applier(APPLICATIONS, apps)
        self._projects = self._applier(APPPROJECTS, projects)
        self._application_views = ApplicationViews(
            self._applications,
            apps.objects,
            self._clock,
            sender,
            self.agents,
            is_settled=apps.synced.is_set,
            agent_of=self._mapping.agent_of,
            cluster_of=self.clusters.entry,
            ensure_namespace=self._namespaces.ensure,
        )
        self._project_views = ProjectViews(
            self._projects,
            projects.objects,
            self._clock,
            self._config.namespace,
            self._is_autonomous,
            is_settled=projects.synced.is_set,
        )
        self._bare = Drift(APPPROJECT.name, self._projects, projects.objects, _without_finalizers, self._clock)

    def _applier(self, api: Api, observer: Observer) -> Applier:
        limit = self._config.max_concurrent_writes
        return Applier(self._cluster, api, limit, observer.until_gone, observer.objects.get)

    async def read(self) -> None:
        """Wait until the hub's own objects have been read once."""
        await self.watches.read()
        await self._namespaces.read()
        await self._held.read()
        try:
            self.agents.remember(await self.connections.modes())
        except ClusterError as error:  # then an agent's mode is known when it comes
            log.warning("The modes of agents that were here before cannot be read", {fields.ERROR: str(error)})

    async def run(self) -> None:
        """Watch the hub, put drift right and write down connections, until cancelled."""
        parts = {
            **self.watches.parts(),
            "watch namespaces": self._namespaces.run(),
            "put Applications right": self._application_views.mirroring.run(),
            "put AppProjects right": self._project_views.mirroring.run(),
            "strip finalizers of AppProjects": self._bare.run(),
            "write down connections": self.connections.run(),
            "show held deletions": self._held.run(),
            "show clusters": self._cluster_infos.run(),
            "measure connections": self._measure_connections(),
        }
        async with asyncio.TaskGroup() as tasks:
            for name, part in parts.items():
                tasks.create_task(part, name=name)

    async def _measure_connections(self) -> None:
        while True:
            await pause(_MEASURE_SECONDS)
            ages = [self._clock() - agent.connected_at for agent in self.agents if agent.stream is not None]
            self._metrics.average_connection_time(sum(ages) / len(ages) if ages else 0.0)

    def dismiss(self, name: AgentName, why: str) -> None:
        """End the session of agent *name*, if it has one."""
        agent = self.agents.get(name)
        if agent is not None and agent.session is not None:
            agent.session.dismiss(f"the hub does not want this agent any more: {why}")

    def _new_agent(self, name: AgentName, mode: Mode) -> Agent:
        link = Link(name, self._config.ack_timeout_seconds, source="", clock=self._clock)
        return self.resync.new_agent(name, mode, link)

    def _home_of(self, name: AgentName) -> str:
        agent = self.agents.get(name)
        return "" if agent is None else agent.home

    def _is_autonomous(self, name: AgentName) -> bool:
        """Whether objects of this agent on the hub are copies: of an agent that is no more nothing is protected."""
        return self.agents.is_autonomous(name) and self.clusters.is_registered(name)

    def _serves(self, name: AgentName, mode: Mode) -> bool:
        if not self.clusters.is_registered(name):
            return False
        is_anywhere = mode is Mode.AUTONOMOUS or self._config.destination_based_mapping
        return is_anywhere or matches_any(self._config.allowed_namespaces, name)

    def _application_changed(self, change: Change) -> None:
        self._applications.seen(change)
        obj = change.object
        if self._mapping.is_view(obj) or self._application_views.holds(obj.key):
            if self._shares.applications.audience(obj.key):  # it was the hub's own until now
                self._shares.applications.on_change(Change(change.old, None))
            self._application_views.on_change(change)
        else:
            self._shares.applications.on_change(change)

    def _project_changed(self, change: Change) -> None:
        self._projects.seen(change)
        obj = change.object
        if change.new is not None and obj.metadata.finalizers:
            self._bare.check(obj.key, obj)
        if appproject.owner_of(obj, self._is_autonomous) or self._project_views.holds(obj.key):
            if self._shares.projects.audience(obj.key):
                self._shares.project_changed(Change(change.old, None))
            self._project_views.on_change(change)
        else:
            self._shares.project_changed(change)

    def _classify(self, names: Collection[AgentName]) -> None:
        """Whose the objects are that agents *names* may own has become known, or has changed."""
        namespaces, prefixes = frozenset(names), tuple(f"{name}-" for name in names)
        for obj in list(self.watches.applications.objects.values()):
            if obj.namespace in namespaces and source_uid(obj):
                self._application_views.classify(obj, is_view=self._mapping.is_view(obj))
                self._shares.applications.review(obj.key)
        for name in names:
            self._cluster_changed(name)
        for obj in list(self.watches.projects.objects.values()):
            if source_uid(obj) and obj.name.startswith(prefixes):
                is_view = appproject.owner_of(obj, self._is_autonomous) is not None
                self._project_views.classify(obj, is_view=is_view)
                self._shares.review_project(obj)

    async def _held_reported(self, agent: Agent, event: Event) -> None:
        if event.type != EventType.HELD:
            raise EventRefused(f"brake: expected a report of held deletions, found {event.type!r}")
        self._held.reported(agent.name, payload_of(event, HeldReport))

    async def _counted(self, agent: Agent, event: Event) -> None:
        if event.type != EventType.CLUSTER_CACHE_INFO_UPDATE:
            raise EventRefused(f"cluster info: expected counts, found {event.type!r}")
        self._cluster_infos.counted(agent.name, payload_of(event, ClusterCacheInfo))

    def _order(self, name: AgentName, order: Order) -> None:
        agent = self.agents.get(name)
        if agent is not None and agent.stream is not None and agent.link.peer.can(Capability.BRAKE):
            payload = HeldOrder(order=order)
            agent.link.put(agent.link.message(Target.BRAKE, EventType.HELD_ORDER, payload, key="held-order"))

    def _owner(self, namespace: str, name: str) -> AgentName | None:
        """The agent of an Application that Argo CD asks about; None for one of the hub's own."""
        held = self.watches.applications.objects.get((namespace or self._config.namespace, name))
        agent = self._mapping.agent_of(held) if held is not None else AgentName(namespace)
        return agent if agent and self.clusters.is_registered(agent) else None

    def _secret_of(self, name: AgentName) -> Object | None:
        entry = self.clusters.entry(name)
        key = (self._config.namespace, entry.secret) if entry is not None else ("", "")
        return self.watches.clusters.objects.get(key)

    def _joined(self, agent: Agent) -> None:
        """What an agent that is served must have is compared as a whole, right after."""
        self._shares.agent_changed(agent.name, tells=not self._serves(agent.name, agent.mode))

    def _registered(self, name: AgentName) -> None:
        self._cluster_infos.registered(name)
        if self.agents.is_autonomous(name):
            self._classify((name,))
        agent = self.agents.get(name)
        if agent is not None:
            self.resync.registered(agent)

    def _cluster_changed(self, name: AgentName) -> None:
        if self._is_autonomous(name):
            self._application_views.cluster_changed(name)

    def _lost_its_namespace(self, name: AgentName) -> None:
        """The agent may come back at once; nothing of what was kept for it may."""
        self.dismiss(name, "its namespace is gone")
        self.agents.forget(name)
        self._shares.agent_changed(name)

    def _got_its_namespace(self, name: AgentName) -> None:
        agent = self.agents.get(name)
        if agent is not None:
            self.resync.again(agent)

    def _removed(self, name: AgentName) -> None:
        self.dismiss(name, "it is no longer registered")
        self.agents.forget(name)
        self.connections.forgotten(name)
        self._held.forgotten(name)
        self._cluster_infos.removed(name)
        self.redis.removed(name)
        self._shares.agent_changed(name)
        if self.agents.is_autonomous(name):
            self._classify((name,))


def _without_finalizers(_: Key, held: Object | None, __: Object) -> Action:
    """No controller on the hub would take a project's finalizers off."""
    if held is None or not held.metadata.finalizers:
        return Nothing("there are none")
    return LetGo(held) if held.is_deleting else Update(held.with_metadata(finalizers=None))
