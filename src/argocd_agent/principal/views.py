"""The hub's copies of what autonomous agents own: they follow the spoke, and whoever else writes to them is put right.

What users ask for on the hub goes the other way: a refresh, an operation, the end of one. What the spoke said last is
remembered, so that its own word, coming back from the hub's cluster, is not taken for a wish.
"""

import dataclasses
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from argocd_agent.errors import DecodeError, EventDeferred, EventError, EventRefused
from argocd_agent.peer.apply import Applier
from argocd_agent.peer.mirroring import Copies, Mirroring, OnDeletion
from argocd_agent.peer.mirrors import Key
from argocd_agent.peer.observe import Change
from argocd_agent.principal.agents import Agent, Agents
from argocd_agent.principal.senders import ApplicationSender, is_operation_pending
from argocd_agent.protocol.events import AgentName, Event, EventType, object_key
from argocd_agent.protocol.names import ANNOTATION_LAST_UPDATED, ANNOTATION_REFRESH
from argocd_agent.resources import application, appproject, autonomous, copies
from argocd_agent.resources.checksum import canonical
from argocd_agent.resources.cluster import ClusterEntry
from argocd_agent.resources.identity import source_uid
from argocd_agent.resources.kinds import APPLICATION, APPPROJECT, Kind
from argocd_agent.resources.objects import Object
from argocd_agent.resources.plan import Action, Incoming
from argocd_agent.resources.plan_autonomous import Viewing, for_view
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.timestamps import format_time

log = get_log("Server")

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class _Said:
    """What the spoke's copy last asked for by itself."""

    refresh: str | None = None
    operation: bytes = b""
    has_annotations: bool = True


class Views:
    """The copies of one kind. *held*: the hub's objects of it as last seen."""

    def __init__(self, mirroring: Mirroring, held: Mapping[Key, Object]) -> None:
        self.mirroring, self._held = mirroring, held

    @property
    def kind(self) -> Kind:
        return self.mirroring.kind

    def holds(self, key: Key) -> bool:
        """Whether a copy is held under this name, whatever it looks like now."""
        return self.mirroring.mirrors.get(key) is not None

    def classify(self, obj: Object, *, is_view: bool) -> None:
        """*obj* turns out to be a copy, or not to be one."""
        if is_view:
            self.mirroring.here(obj)
        else:
            self.mirroring.mirrors.expect(obj.key, None)

    def _copies(self, namespace: str) -> Iterator[Object]:
        keys = self.mirroring.mirrors.keys(namespace)
        return (self._held[key] for key in keys if key in self._held)


class ApplicationViews(Views):
    """Applications, each in the namespace named like its agent."""

    def __init__(
        self,
        applier: Applier,
        held: Mapping[Key, Object],
        clock: Clock,
        sender: ApplicationSender,
        agents: Agents,
        *,
        is_settled: Callable[[], bool],
        agent_of: Callable[[Object], AgentName | None],
        cluster_of: Callable[[AgentName], ClusterEntry | None],
        ensure_namespace: Callable[[AgentName], Awaitable[None]],
    ) -> None:
        super().__init__(_mirroring(copies.APPLICATIONS, applier, held, clock, is_settled), held)
        self._sender, self._agents = sender, agents
        self._agent_of, self._cluster_of, self._ensure_namespace = agent_of, cluster_of, ensure_namespace
        self._said: dict[Key, _Said] = {}

    def on_change(self, change: Change) -> None:
        """One change of a copy."""
        if change.new is None:
            self._said.pop(change.object.key, None)
            self.mirroring.gone(change.object)
            return
        self.mirroring.here(change.new)
        if change.old is not None:
            self._pass_on(change.old, change.new)

    def owed(self, agent: Agent) -> None:
        """Send the wishes that were there before the agent was."""
        for obj in self.of(agent.name):
            if application.has_operation(obj) and not application.is_running_here(obj):
                self._sender.operate(agent.link, obj)
            if obj.annotations.get(ANNOTATION_REFRESH) not in (None, self._said_of(obj).refresh):
                self._refresh(agent, obj)

    def of(self, name: AgentName) -> Iterator[Object]:
        """The copies of what agent *name* owns."""
        return self._copies(name)

    def cluster_changed(self, name: AgentName) -> None:
        """The cluster of agent *name* may have another name in Argo CD: its copies are to follow."""
        entry = self._cluster_of(name)
        if entry is None:
            return
        for obj in self.of(name):
            mirror = self.mirroring.mirrors.get(obj.key)
            assert mirror is not None, "there are copies of those that have mirrors"
            content = autonomous.for_cluster(mirror.content, entry.name)
            if content != mirror.content:
                self.mirroring.mirrors.expect(obj.key, dataclasses.replace(mirror, content=content))
                self.mirroring.check(obj)

    def stock(self, name: AgentName) -> "ViewStock":
        """The copies of what agent *name* owns, for comparing."""
        return ViewStock(
            APPLICATION,
            lambda: self.of(name),
            self._held,
            lambda obj: f"{APPLICATION.name}//{obj.name}",
            lambda obj: autonomous.digest_parts(obj, name, is_source=False),
        )

    async def take(self, agent: Agent, event: Event, obj: Object) -> None:
        """Do what *event* of *agent* says about *obj*, an Application of its spoke."""
        key = (str(agent.name), obj.name)
        if event.type == EventType.DELETE:
            incoming = Incoming(event.type, obj.with_metadata(namespace=agent.name))
        else:
            incoming = Incoming(event.type, autonomous.hub_edition(obj, agent.name, self._cluster(agent)))
            if self._held.get(key) is None:
                await self._ensure_namespace(agent.name)
        now = format_time(time.time())

        def updated(held: Object, edition: Object) -> Object:
            keep_operation = application.has_operation(held) and self._is_wish(agent, held, edition)
            keep_refresh = self._is_refresh_pending(agent, held)
            return autonomous.mirror_updated(
                held, edition, now, keep_operation=keep_operation, keep_refresh=keep_refresh
            )

        viewing = Viewing(lambda edition: autonomous.mirror(edition, now), updated)

        def plan(held: Object | None) -> Action:
            if held is not None and not self.holds(key):
                self._check_owner(agent, obj, held)
            return for_view(APPLICATION.name, incoming, held, viewing)

        before = self._said.get(key)
        if event.type != EventType.DELETE:
            self._said[key] = _said_by(obj)
        try:
            await self.mirroring.apply(incoming, key, plan)
        except EventError:
            if before is not None:
                self._said[key] = before
            else:
                self._said.pop(key, None)
            raise

    def _check_owner(self, agent: Agent, obj: Object, held: Object) -> None:
        if self._agent_of(held) != agent.name:
            raise EventRefused(_not_its_own(APPLICATION, held, agent.name, self._agent_of(held)))
        if source_uid(obj) and source_uid(obj) == held.uid:
            raise EventRefused(
                f'Application "{held.namespace}/{held.name}" on the hub is the source of what agent {agent.name} '
                f"publishes: is the agent to be a managed one? If not, take its source UID off the spoke's"
            )

    def _cluster(self, agent: Agent) -> str:
        entry = self._cluster_of(agent.name)
        if entry is None:
            raise EventDeferred(f"agent {agent.name} has no cluster Secret on the hub: its Applications wait for it")
        return entry.name

    def _said_of(self, obj: Object) -> _Said:
        return self._said.get(obj.key, _Said())

    def _is_wish(self, agent: Agent, held: Object, edition: Object) -> bool:
        """Whether the operation on the hub's copy is a user's, and may not have reached the spoke yet."""
        if _operation(held) == self._said_of(held).operation:
            return False
        if agent.owes_operations and not application.has_begun(held, edition):
            return True  # asked for while no principal was there
        seen = self._held.get(held.key)
        is_unseen = seen is None or seen.fields.get("operation") != held.fields.get("operation")
        return is_unseen or is_operation_pending(agent.link, held)

    def _is_refresh_pending(self, agent: Agent, held: Object) -> bool:
        key = object_key(APPLICATION.target, held.namespace, held.name)
        return EventType.SPEC_UPDATE in agent.link.outbox.pending_types(key)

    def _refresh(self, agent: Agent, obj: Object) -> None:
        if agent.link.peer.is_reference and not self._said_of(obj).has_annotations:
            # It can only add to annotations that there are, and never acks what it cannot: all else would wait.
            about = {fields.AGENT: agent.name, fields.NAME: obj.name}
            log.warning("An agent of the reference cannot refresh an Application without annotations", about)
        else:
            self._sender.update(agent.link, obj)

    def _pass_on(self, old: Object, new: Object) -> None:
        agent = self._agents.get(AgentName(new.namespace))
        if agent is None or not agent.has_connected:
            return
        said = self._said_of(new)
        refresh = new.annotations.get(ANNOTATION_REFRESH)
        if refresh and refresh != said.refresh and refresh != old.annotations.get(ANNOTATION_REFRESH):
            self._refresh(agent, new)
        wanted = _operation(new)
        if wanted and wanted != said.operation and wanted != _operation(old):
            self._sender.operate(agent.link, new)
        if application.is_terminating(new) and application.phase(old) not in ("", application.phase(new)):
            self._sender.terminate(agent.link, new)


class ProjectViews(Views):
    """Projects, in the principal's namespace, with their agent's name before their own."""

    def __init__(
        self,
        applier: Applier,
        held: Mapping[Key, Object],
        clock: Clock,
        home: str,
        is_autonomous: Callable[[AgentName], bool],
        *,
        is_settled: Callable[[], bool],
    ) -> None:
        super().__init__(_mirroring(copies.PROJECTS, applier, held, clock, is_settled), held)
        self._home, self._is_autonomous = home, is_autonomous

    def on_change(self, change: Change) -> None:
        """One change of a copy."""
        if change.new is None:
            self.mirroring.gone(change.object)
        else:
            self.mirroring.here(change.new)

    def of(self, name: AgentName) -> Iterator[Object]:
        """The copies of what agent *name* owns."""
        return (obj for obj in self._copies(self._home) if self._is_of(obj, name))

    def stock(self, name: AgentName) -> "ViewStock":
        """The copies of what agent *name* owns, for comparing."""
        return ViewStock(
            APPPROJECT,
            lambda: self.of(name),
            self._held,
            lambda obj: f"{APPPROJECT.name}//{appproject.source_name(obj.name, name)}",
            lambda obj: appproject.digest_parts_hub(obj, name, self._home, is_source=False),
        )

    def _is_of(self, obj: Object, name: AgentName) -> bool:
        # The name first: whose it is stands in a specification that must be parsed, for each agent and each project.
        return obj.name.startswith(f"{name}-") and appproject.owner_of(obj, self._is_autonomous) == name

    async def take(self, agent: Agent, event: Event, obj: Object) -> None:
        """Do what *event* of *agent* says about *obj*, a project of its spoke."""
        if event.type == EventType.DELETE:  # which says no more than a name
            edition = obj.with_metadata(name=appproject.hub_name(obj.name, agent.name), namespace=self._home)
        else:
            edition = appproject.hub_edition(obj, agent.name, self._home).with_metadata(finalizers=None)
        updated = {ANNOTATION_LAST_UPDATED: format_time(time.time())}

        def brought_up(held: Object, wanted: Object) -> Object:
            now = copies.PROJECTS.updated(held, wanted)
            return held if now == held else now.with_annotations(updated)

        viewing = Viewing(
            lambda wanted: copies.PROJECTS.mirror(wanted, self._home).with_annotations(updated), brought_up
        )
        incoming, key = Incoming(event.type, edition), edition.key

        def plan(held: Object | None) -> Action:
            # Agent a's project b-c has the name of agent a-b's project c, and the hub may have one of that name itself.
            owner = None if held is None else appproject.owner_of(held, self._is_autonomous)
            is_hubs = held is not None and not source_uid(held) and not self.holds(key)
            if held is not None and (is_hubs or owner not in (None, agent.name)):
                raise EventRefused(_not_its_own(APPPROJECT, held, agent.name, owner))
            return for_view(APPPROJECT.name, incoming, held, viewing)

        await self.mirroring.apply(incoming, key, plan)


class ViewStock:
    """The hub's copies of one kind of one agent: `peer.resync.Stock`."""

    def __init__(
        self,
        kind: Kind,
        objects: Callable[[], Iterator[Object]],
        held: Mapping[Key, Object],
        key: Callable[[Object], str],
        parts: Callable[[Object], tuple[bytes, ...]],
    ) -> None:
        self.kind, self.objects, self.find, self.key, self.parts = kind, objects, held.get, key, parts


def _mirroring(
    row: copies.Copying, applier: Applier, held: Mapping[Key, Object], clock: Clock, is_settled: Callable[[], bool]
) -> Mirroring:
    held_as = Copies(row.kind, row.content, row.with_content, on_deletion=OnDeletion.UNDO)
    return Mirroring(held_as, applier, held, clock, is_settled=is_settled)


def _not_its_own(kind: Kind, held: Object, agent: AgentName, owner: AgentName | None) -> str:
    whose = f"agent {owner}'s" if owner is not None else "the hub's own"
    return f'{kind.name} "{held.namespace}/{held.name}" on the hub is {whose}: agent {agent} may not write it'


def _said_by(obj: Object) -> _Said:
    return _Said(obj.annotations.get(ANNOTATION_REFRESH), _operation(obj), bool(obj.annotations))


def _operation(obj: Object) -> bytes:
    """The operation that *obj* asks for, in canonical form; empty if none."""
    if not application.has_operation(obj):
        return b""
    raw = obj.fields["operation"]
    try:
        return canonical(raw)
    except DecodeError:
        return raw
