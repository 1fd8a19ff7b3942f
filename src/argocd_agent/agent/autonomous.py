"""An autonomous spoke: it owns its Applications and projects and publishes them; the hub may ask for things.

Every handler raises `EventDiscarded`, `EventRefused` or `EventDeferred` for what it does not do; the session acks.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping

from argocd_agent.agent.buffer import Buffer
from argocd_agent.agent.config import AgentConfig
from argocd_agent.agent.holdings import PARTS, scope_of
from argocd_agent.agent.hublogin import HubLogin
from argocd_agent.agent.publishing import Publisher
from argocd_agent.backends.ports import Cluster
from argocd_agent.errors import EventDiscarded, EventRefused
from argocd_agent.peer.apply import Applier
from argocd_agent.peer.drift import Drift
from argocd_agent.peer.link import Link, object_of, payload_of
from argocd_agent.peer.mirrors import Key
from argocd_agent.peer.observe import Change, Observer
from argocd_agent.peer.program import reporter
from argocd_agent.peer.reconcile import SPEC, AntiEntropy
from argocd_agent.peer.refusals import Report
from argocd_agent.peer.resync import SourceEnd
from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.modes import Mode, Role
from argocd_agent.protocol.resync import Opening, Surroundings, check, openings
from argocd_agent.resources import application
from argocd_agent.resources.kinds import APPLICATION, APPPROJECT, BY_TARGET, Kind
from argocd_agent.resources.objects import Object
from argocd_agent.resources.plan import Action, Incoming, Nothing, Update
from argocd_agent.resources.plan_autonomous import for_owner
from argocd_agent.resources.report import THE_PRINCIPAL
from argocd_agent.resources.scope import is_ignored
from argocd_agent.telemetry.health import Health
from argocd_agent.wire.payloads import Refusal, RequestResourceResync

Handler = Callable[[Event], Awaitable[None]]

PUBLISHED = (APPLICATION, APPPROJECT)


class Autonomous:
    """The parts of an autonomous spoke. *report* shows where a user of the spoke looks what the hub could not take."""

    def __init__(
        self,
        config: AgentConfig,
        cluster: Cluster,
        health: Health,
        link: Link,
        buffer: Buffer,
        login: Callable[[], HubLogin],
        *,
        report: Report,
        more: Mapping[Target, Handler],
    ) -> None:
        self._config, self._link, self._report = config, link, report
        self._is_first = True

        self._observers = {kind: self._observer(kind, cluster, health) for kind in PUBLISHED}
        self._publishers = {
            kind: Publisher(
                kind,
                link,
                buffer,
                self._observers[kind].objects,
                lambda: login().agent,
                lambda: login().principal_namespace,
            )
            for kind in PUBLISHED
        }
        apps = self._observers[APPLICATION]
        self._held = apps.objects
        self._applier = Applier(
            cluster, APPLICATION.api, config.max_concurrent_writes, apps.until_gone, apps.objects.get
        )
        self._waiting = Drift(APPLICATION.name, self._applier, self._held, _begin_next, link.clock)
        self._end = SourceEnd(
            link,
            lambda: Surroundings(Role.AGENT, login().agent, config.namespace, login().principal_namespace),
            list(self._publishers.values()),
        )
        self.entropy = AntiEntropy(
            link,
            ours={SPEC: (self._end.tree, self._end.repair)},
            theirs={},
            interval_seconds=config.anti_entropy_interval_seconds,
        )
        self._handlers: dict[Target, Handler] = {
            Target.APPLICATION: self._application,
            Target.APPPROJECT: self._project,
            Target.RESYNC: self._resync,
            **more,
        }

    def _observer(self, kind: Kind, cluster: Cluster, health: Health) -> Observer:
        return Observer(
            cluster,
            kind.api,
            scope_of(kind, self._config),
            lambda change: self._changed(kind, change),
            admits=lambda obj: not is_ignored(obj),
            report=reporter(health, PARTS[kind]),
        )

    @property
    def applications(self) -> Mapping[Key, Object]:
        """The Applications of this spoke, as last seen."""
        return self._held

    @property
    def observers(self) -> list[Observer]:
        """What must be read before the principal is dialled."""
        return list(self._observers.values())

    def parts(self) -> dict[str, Coroutine[None, None, None]]:
        """What must run."""
        watching = {f"watch {kind.name}": observer.run() for kind, observer in self._observers.items()}
        return {**watching, "begin operations that wait": self._waiting.run()}

    def opened(self) -> None:
        """A session has begun: the principal is told what it may have missed."""
        is_first, self._is_first = self._is_first, False
        self.entropy.opened()
        for publisher in self._publishers.values():
            publisher.is_open = True
            if is_first and self._link.peer.is_reference:
                for obj in publisher.objects():
                    publisher.create(obj)
        if Opening.RESYNC_REQUEST in openings(Role.AGENT, Mode.AUTONOMOUS, is_first, self._link.peer):
            payload = RequestResourceResync()
            self._link.put(self._link.message(Target.RESYNC, EventType.REQUEST_RESOURCE_RESYNC, payload))

    async def handle(self, event: Event) -> None:
        """Do what *event* of the principal asks."""
        handler = self._handlers.get(event.target)
        if handler is None:
            raise EventDiscarded(f"an autonomous agent does not take events about {event.target.value!r}")
        await handler(event)

    async def _application(self, event: Event) -> None:
        if event.type == EventType.REFUSED:
            await self._refused(event)
            return
        obj = object_of(event).with_metadata(namespace=self._config.namespace)
        incoming = Incoming(event.type, obj)
        await self._applier.apply(*obj.key, self._held.get(obj.key), lambda held: for_owner(incoming, held))

    async def _project(self, event: Event) -> None:
        if event.type != EventType.REFUSED:
            raise EventRefused(f"the hub may not send {event.type!r} for an AppProject of an autonomous spoke")
        await self._refused(event)

    async def _refused(self, event: Event) -> None:
        payload = payload_of(event, Refusal)
        await self._report(
            BY_TARGET[event.target], self._config.namespace, payload.name, THE_PRINCIPAL, payload.message
        )

    async def _resync(self, event: Event) -> None:
        if event.type in (EventType.DIGEST, EventType.DIGEST_ENTRIES):
            await self.entropy.handle(event)
            return
        check(event.type, Role.AGENT, Mode.AUTONOMOUS)
        self._end.handle(event)

    def _changed(self, kind: Kind, change: Change) -> None:
        if kind is APPLICATION:
            self._applier.seen(change)
            if change.new is not None and application.may_begin_next(change.new):
                self._waiting.check(change.new.key, change.new)
        self._publishers[kind].on_change(change)


def _begin_next(_: Key, held: Object | None, __: Object) -> Action:
    if held is None or held.is_deleting or not application.may_begin_next(held):
        return Nothing("no operation waits")
    return Update(application.next_begun(held))
