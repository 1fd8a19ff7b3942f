"""The brake of a managed spoke: between the deletions that the principal orders and the mirrors that they concern."""

import time
from collections.abc import Callable, Coroutine

from argocd_agent.agent.config import AgentConfig
from argocd_agent.agent.held import Clocks, Hands, HeldDeletions
from argocd_agent.agent.managed import Managed
from argocd_agent.backends.ports import Cluster
from argocd_agent.errors import EventRefused
from argocd_agent.peer.kubeevents import KubeEvents
from argocd_agent.peer.link import Link, payload_of
from argocd_agent.peer.mirrors import Key
from argocd_agent.peer.program import reporter
from argocd_agent.peer.reports import Reports
from argocd_agent.protocol.brake import Brake, HeldDeletion, How
from argocd_agent.protocol.capabilities import Capability
from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.resources.identity import claimed, source_uid
from argocd_agent.resources.kinds import APPLICATION, BY_NAME, Kind
from argocd_agent.resources.objects import Metadata, Object
from argocd_agent.resources.plan import Action, Delete, Incoming, Nothing, Replace
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.metrics import AgentMetrics
from argocd_agent.wire.brake import HeldOrder

HELD = "held deletions"


class Braking:
    """Holds what is too much, and does with it what an operator says. *managed* gives the mirrors."""

    def __init__(
        self,
        config: AgentConfig,
        cluster: Cluster,
        health: Health,
        metrics: AgentMetrics,
        link: Link,
        events: KubeEvents,
        managed: Callable[[], Managed],
    ) -> None:
        self._link, self._metrics, self._managed = link, metrics, managed
        self._unwanted = 0  # deletions that are being asked about, of what nobody expects any more
        self._held = HeldDeletions(
            cluster,
            config.namespace,
            Brake(config.brake_max_deletions, config.brake_max_percent / 100),
            Hands(
                count=lambda: managed().count() + self._unwanted,
                release=self._release,
                discard=self._discard,
                mark=Reports(cluster, events).deletion_held,
            ),
            events,
            Clocks(link.clock, time.time),
            changed=self._tell,
            problem=reporter(health, HELD),
        )

    def part(self) -> Coroutine[None, None, None]:
        """What must run."""
        return self._held.run()

    async def read(self) -> None:
        """Wait until what was held before is known."""
        await self._held.read()

    def opened(self) -> None:
        """A session has begun: the principal is told what is held, also if that is nothing."""
        self._tell()

    async def may_delete(self, kind: Kind, obj: Object, action: Action) -> bool:
        """Whether *obj* may be deleted now. Raises `EventDeferred`."""
        how = How.DELETE
        if isinstance(action, Replace):
            how = How.REPLACE
        elif not isinstance(action, Delete) or action.foreground:
            how = How.CASCADE
        is_unwanted = self._managed().holdings[kind.target].mirroring.mirrors.get(obj.key) is None
        self._unwanted += is_unwanted
        try:
            return await self._held.ask(kind.name, obj.namespace, obj.name, source_uid(obj), how)
        finally:
            self._unwanted -= is_unwanted

    def how(self, kind: Kind, obj: Object) -> How | None:
        """How the deletion of *obj* was asked for that is held; None if none is."""
        held = self._held.holds(kind.name, obj.namespace, obj.name)
        return None if held is None else held.how

    def forget(self, kind: Kind, key: Key) -> None:
        """The principal wants this object, or it is gone."""
        self._held.forget(kind.name, *key)

    async def handle(self, event: Event) -> None:
        """An order of the principal. Raises `EventRefused`."""
        if event.type != EventType.HELD_ORDER:
            raise EventRefused(f"brake: expected an order about held deletions, found {event.type!r}")
        self._held.order(payload_of(event, HeldOrder).order)

    def _tell(self) -> None:
        self._metrics.held_deletions(len(self._held))
        if self._link.peer.can(Capability.BRAKE):
            self._link.put(self._link.message(Target.BRAKE, EventType.HELD, self._held.report(), key="held"))

    async def _release(self, held: HeldDeletion) -> None:
        managed, kind = self._managed(), BY_NAME[held.kind]
        if held.how is How.REPLACE:  # the pardon waits for the object that takes its place
            managed.ask_again(kind, (held.namespace, held.name))
            return

        def plan(obj: Object | None) -> Action:
            if obj is None or obj.is_deleting or source_uid(obj) != held.source_uid:
                return Nothing("it is another one by now")
            return Delete(obj, foreground=held.how is How.CASCADE)

        incoming = Incoming(EventType.DELETE, _named(held))
        await managed.holdings[kind.target].mirroring.apply(incoming, (held.namespace, held.name), plan)

    async def _discard(self, held: HeldDeletion) -> None:
        kind = BY_NAME[held.kind]
        managed = self._managed()
        await managed.holdings[kind.target].mirroring.disown((held.namespace, held.name), held.source_uid)
        if held.how is How.CASCADE and kind is APPLICATION:  # the hub waits for word before it lets go
            managed.gone(_named(held))


def _named(held: HeldDeletion) -> Object:
    return claimed(Object(Metadata(name=held.name, namespace=held.namespace), {}), held.source_uid, "")
