"""A managed spoke: mirrors of what the principal owns, and word of how they fare. The dispatch table is `_handlers`.

Every handler raises `EventDiscarded`, `EventRefused` or `EventDeferred` for what it does not do; the session acks.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Protocol

from argocd_agent.agent.buffer import Buffer
from argocd_agent.agent.config import AgentConfig
from argocd_agent.agent.holdings import Holding, HoldingStock, allows, holding
from argocd_agent.agent.hublogin import HubLogin
from argocd_agent.agent.namespaces import SpokeNamespaces
from argocd_agent.agent.statuses import Statuses
from argocd_agent.backends.ports import Cluster
from argocd_agent.errors import EventBlocked, EventDiscarded, EventRefused
from argocd_agent.peer.link import Link, object_of
from argocd_agent.peer.mirroring import SPECIFIES
from argocd_agent.peer.mirrors import Key
from argocd_agent.peer.observe import Change, Observer
from argocd_agent.peer.reconcile import SPEC, STATUS, AntiEntropy, Item, Tree
from argocd_agent.peer.refusals import Refusals
from argocd_agent.peer.resync import MirrorEnd
from argocd_agent.protocol.brake import How
from argocd_agent.protocol.digest import Repairs
from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.modes import Mode, Role
from argocd_agent.protocol.names import ANNOTATION_NAMESPACE_REMAPPED
from argocd_agent.protocol.resync import Opening, Surroundings, check, openings
from argocd_agent.resources import application, copies
from argocd_agent.resources.identity import source_uid
from argocd_agent.resources.kinds import APPLICATION, Kind
from argocd_agent.resources.mapping import SpokeMapping
from argocd_agent.resources.objects import Object
from argocd_agent.resources.plan import Action, Incoming, ReportGone, ReportNotAdopted, for_mirror
from argocd_agent.resources.policy import Adoption, Mismatch, Policies
from argocd_agent.resources.selectors import parse_labels
from argocd_agent.telemetry.health import Health
from argocd_agent.wire.payloads import ErrorData

Handler = Callable[[Event], Awaitable[None]]


class DeletionBrake(Protocol):
    """What may hold deletions; see `braking`."""

    async def may_delete(self, kind: Kind, obj: Object, action: Action) -> bool: ...
    def how(self, kind: Kind, obj: Object) -> How | None:
        """How the deletion of *obj* was asked for that is held; None if none is."""

    def forget(self, kind: Kind, key: Key) -> None:
        """The principal wants this object, or it is gone."""


class Managed:
    """The parts of a managed spoke. What is deleted on the principal's order passes the *brake*."""

    def __init__(
        self,
        config: AgentConfig,
        cluster: Cluster,
        health: Health,
        link: Link,
        buffer: Buffer,
        login: Callable[[], HubLogin],
        *,
        brake: DeletionBrake,
        more: Mapping[Target, Handler],
    ) -> None:
        self._config, self._link, self._brake = config, link, brake
        self._mapping = SpokeMapping(
            config.namespace, config.destination_based_mapping, lambda: login().principal_namespace
        )
        self._policies = Policies(Mismatch(config.source_uid_mismatch_policy), Adoption(config.adoption_policy))
        self._statuses = Statuses(link, buffer)
        self._refusals = Refusals()
        self._chosen = parse_labels(config.label_selector)
        self._namespaces = SpokeNamespaces(cluster, config)
        self._is_first = True

        def held(copying: copies.Copying) -> Holding:
            is_application = copying.kind is APPLICATION
            return holding(
                copying,
                cluster,
                config,
                health,
                link.clock,
                self._application_changed if is_application else lambda change: self._changed(copying, change),
                brake.may_delete,
                self._statuses.send if is_application else lambda _: None,
            )

        self.holdings = {copying.kind.target: held(copying) for copying in copies.COPIED}
        self._end = MirrorEnd(
            link,
            lambda: self._at(login()),
            [HoldingStock(one, link, self._mapping, self._is_left_out) for one in self.holdings.values()],
            ignore_unmanaged=config.ignore_unmanaged_apps,
        )
        self.entropy = AntiEntropy(
            link,
            ours={STATUS: (Tree(self._status_items), self._repair_statuses)},
            theirs={SPEC: self._end.tree},
            interval_seconds=config.anti_entropy_interval_seconds,
        )
        self._handlers: dict[Target, Handler] = {
            **dict.fromkeys(self.holdings, self._object),
            Target.RESYNC: self._resync,
            **more,
        }

    @property
    def applications(self) -> Mapping[Key, Object]:
        """The Applications of this spoke, as last seen."""
        return self.holdings[Target.APPLICATION].observer.objects

    @property
    def observers(self) -> list[Observer]:
        """What must be read before the principal is dialled."""
        return [one.observer for one in self.holdings.values()]

    def parts(self) -> dict[str, Coroutine[None, None, None]]:
        """What must run."""
        watching = {f"watch {one.kind.name}": one.observer.run() for one in self.holdings.values()}
        return watching | {f"put {one.kind.name} right": one.mirroring.run() for one in self.holdings.values()}

    def count(self) -> int:
        """How many objects are the principal's."""
        return sum(len(one.mirroring.mirrors) for one in self.holdings.values())

    def opened(self) -> None:
        """A session has begun: what the principal may have missed is put right."""
        is_first, self._is_first = self._is_first, False
        self.entropy.opened()
        for opening in openings(Role.AGENT, Mode.MANAGED, is_first, self._link.peer):
            if opening is Opening.UPDATE_REQUESTS:
                self._end.ask_about_all()
                for obj in self.holdings[Target.APPLICATION].mirrors():
                    self._statuses.send_now(obj)
            elif opening is Opening.LIST_REQUEST:
                self._end.ask_for_list()

    async def handle(self, event: Event) -> None:
        """Do what *event* of the principal asks."""
        handler = self._handlers.get(event.target)
        if handler is None:
            raise EventDiscarded(f"this agent does not serve events about {event.target.value!r}")
        await handler(event)

    def ask_again(self, kind: Kind, key: Key) -> None:
        """Ask the principal for the object that stands under *key* here."""
        held = self.holdings[kind.target].observer.objects.get(key)
        is_remapped = held is not None and ANNOTATION_NAMESPACE_REMAPPED in held.annotations
        self._end.ask_for(kind, self._mapping.hub_home() if is_remapped else key[0], key[1])

    def gone(self, obj: Object) -> None:
        """Tell the principal that nothing is left of *obj*, an Application."""
        self._statuses.deleted(obj)

    async def _resync(self, event: Event) -> None:
        if event.type in (EventType.DIGEST, EventType.DIGEST_ENTRIES):
            await self.entropy.handle(event)
            return
        check(event.type, Role.AGENT, Mode.MANAGED)
        self._end.handle(event)

    async def _object(self, event: Event) -> None:
        one = self.holdings[event.target]
        obj = object_of(event)
        local = self._localized(one.kind, obj)
        incoming = Incoming(event.type, local, event.principal_uid)

        def plan(held: Object | None) -> Action:
            return for_mirror(one.copying, incoming, held, local.namespace, self._policies)

        try:
            if event.type in SPECIFIES:
                self._check_labels(one.kind, local)
            if event.type in SPECIFIES and one.kind is APPLICATION:
                await self._make_room(local)
            outcome = await one.mirroring.apply(incoming, local.key, plan)
        except (EventRefused, EventBlocked) as error:
            if event.type in SPECIFIES:
                self._refusals.refused(self._link, event, obj, str(error))
            raise
        if event.type in SPECIFIES:
            self._taken(one.kind, event, obj, local, outcome.action)
            if not outcome.is_held:
                self._brake.forget(one.kind, local.key)

    def _taken(self, kind: Kind, event: Event, obj: Object, local: Object, action: Action) -> None:
        match action:
            case ReportGone():
                self._statuses.deleted(local)
            case ReportNotAdopted(message):
                payload = ErrorData(resource_name=obj.name, resource_namespace=obj.namespace, message=message)
                self._link.put(self._link.message(kind.target, EventType.ERROR, payload))
            case _:
                self._refusals.taken(self._link, event, obj)

    def _localized(self, kind: Kind, obj: Object) -> Object:
        if kind is APPLICATION:
            return self._mapping.localized(obj)
        return obj.with_metadata(namespace=self._config.namespace, owner_references=None)

    def _check_labels(self, kind: Kind, local: Object) -> None:
        """What we do not watch we could neither keep right nor report on, nor delete."""
        if not self._chosen.matches(local.labels):
            labels = ", ".join(f"{name}={value}" for name, value in sorted(local.labels.items()))
            raise EventRefused(
                f'{kind.name} "{local.namespace}/{local.name}": expected labels that the agent\'s --label-selector '
                f"chooses ({self._config.label_selector}), found {labels or 'none'}"
            )

    async def _make_room(self, local: Object) -> None:
        """The namespace of an Application must be allowed, and be there."""
        if not allows(self._config, local.key):
            allowed = ", ".join((self._config.namespace, *self._config.allowed_namespaces))
            raise EventRefused(
                f'Application "{local.namespace}/{local.name}": expected a namespace that the agent may use '
                f"({allowed}; see --allowed-namespaces), found {local.namespace}"
            )
        if (
            local.namespace != self._config.namespace
            and self.holdings[Target.APPLICATION].observer.objects.get(local.key) is None
        ):
            await self._namespaces.ensure(local.namespace)

    def _at(self, login: HubLogin) -> Surroundings:
        return Surroundings(
            Role.AGENT, login.agent, self._config.namespace, login.principal_namespace, self._mapping.by_destination
        )

    def _is_left_out(self, kind: Kind, obj: Object) -> bool:
        return self._brake.how(kind, obj) is How.DELETE

    def _application_changed(self, change: Change) -> None:
        one = self.holdings[Target.APPLICATION]
        self._mind_the_brake(one, change)
        self._statuses.on_change(change, one.mirroring, is_settled=one.observer.synced.is_set())

    def _changed(self, copying: copies.Copying, change: Change) -> None:
        mirroring = self.holdings[copying.kind.target].mirroring
        self._mind_the_brake(self.holdings[copying.kind.target], change)
        if change.new is None:
            mirroring.gone(change.object)
        else:
            mirroring.here(change.new)

    def _mind_the_brake(self, one: Holding, change: Change) -> None:
        """What goes while its deletion is held has somebody else deleted: all want the same."""
        if change.new is None and (how := self._brake.how(one.kind, change.object)) is not None:
            if how is not How.REPLACE:
                one.mirroring.lost(change.object)
            if how is How.CASCADE:
                self._statuses.deleted(change.object)
            self._brake.forget(one.kind, change.object.key)

    def _status_items(self) -> Iterator[Item]:
        # The source of one whose deletion is held is gone: nobody there wants its status.
        stock = HoldingStock(self.holdings[Target.APPLICATION], self._link, self._mapping, self._is_left_out)
        for obj in stock.objects():
            yield Item(APPLICATION, stock.key(obj), source_uid(obj), obj, application.status_parts)

    def _repair_statuses(self, found: Repairs, held: dict[str, Item]) -> None:
        for entry in found.different:
            self._statuses.send_now(held[entry.key].object)
