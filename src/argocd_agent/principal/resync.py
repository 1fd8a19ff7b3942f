"""Brings an agent up to date: by digests if it is one of ours, by the reference's messages if it is not.

An agent that is not registered, or whose namespace the hub does not admit, is never compared: it would look as if all
its Applications had been deleted.
"""

from collections.abc import Callable, Mapping

from argocd_agent.errors import EventRefused
from argocd_agent.peer.link import payload_of
from argocd_agent.peer.observe import Key
from argocd_agent.peer.reconcile import SPEC, STATUS, AntiEntropy, Tree
from argocd_agent.principal.agents import Agent
from argocd_agent.principal.outbound import Outbound
from argocd_agent.protocol.events import AgentName, Event, EventType, Target
from argocd_agent.protocol.inventory import Inventory, ResourceKey
from argocd_agent.resources import application
from argocd_agent.resources.checksum import spec_checksum
from argocd_agent.resources.kinds import APPLICATION
from argocd_agent.resources.mapping import HubMapping
from argocd_agent.resources.objects import Metadata, Object
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.payloads import RequestResourceResync, RequestSyncedResourceList, RequestUpdate, SyncedResource

log = get_log("Resync")


class Resync:
    """One for the hub. *serves*: whether an agent's Applications are this principal's to send."""

    def __init__(
        self,
        outbound: Outbound,
        mapping: HubMapping,
        held: Mapping[Key, Object],
        principal_uid: str,
        interval_seconds: float,
        serves: Callable[[AgentName], bool],
    ) -> None:
        self._outbound, self._mapping, self._held = outbound, mapping, held
        self._principal_uid, self._interval, self._serves = principal_uid, interval_seconds, serves
        self._entropies: dict[AgentName, AntiEntropy] = {}

    def opened(self, agent: Agent) -> None:
        """A session of *agent* has begun: what it may have missed is put right."""
        first, agent.has_connected = not agent.has_connected, True
        if not first or not self._serves(agent.name):
            return
        if agent.link.peer.is_reference:
            self._send_everything(agent)
            payload = RequestResourceResync()
            agent.link.put(agent.link.message(Target.RESYNC, EventType.REQUEST_RESOURCE_RESYNC, payload))
        self._send_operations(agent)

    async def beside(self, agent: Agent) -> None:
        """Compare digests with *agent* as long as its session lasts."""
        await self._entropy(agent).run(self._interval)

    def registered(self, agent: Agent) -> None:
        """The hub has learned of *agent* after it connected."""
        if not agent.has_connected or not self._serves(agent.name):
            return
        log.info("The agent is registered now and brought up to date", {fields.AGENT: agent.name})
        if agent.link.peer.is_reference:
            self._send_everything(agent)
        else:
            self._entropy(agent).announce()

    async def handle(self, agent: Agent, event: Event) -> None:
        """A resync message of *agent*. Raises `EventRefused`, `EventDiscarded`."""
        if event.type in (EventType.DIGEST, EventType.DIGEST_ENTRIES):
            await self._entropy(agent).handle(event)
        elif event.type == EventType.REQUEST_SYNCED_RESOURCE_LIST:
            self._list(agent, payload_of(event, RequestSyncedResourceList))
        elif event.type == EventType.REQUEST_UPDATE:
            self._update(agent, payload_of(event, RequestUpdate))
        else:
            raise EventRefused(f"{event.type!r} is not what a managed agent asks of its principal")

    def forget(self, name: AgentName) -> None:
        """The agent is no longer registered."""
        self._entropies.pop(name, None)

    def _send_everything(self, agent: Agent) -> None:
        for obj in self._outbound.of(agent.name):
            self._outbound.create(agent.link, obj)

    def _send_operations(self, agent: Agent) -> None:
        """What somebody asked for while no principal was there to see it begin."""
        for obj in self._outbound.of(agent.name):
            if application.has_operation(obj):
                self._outbound.operate(agent.link, obj)

    def _list(self, agent: Agent, request: RequestSyncedResourceList) -> None:
        inventory = Inventory()
        for obj in self._outbound.of(agent.name):
            inventory.put(ResourceKey(APPLICATION.name, obj.namespace, obj.name, obj.uid))
        if not len(inventory) or inventory.agrees_with(request.checksum):
            return
        for entry in inventory:
            payload = SyncedResource(name=entry.name, namespace=entry.namespace, uid=entry.uid, kind=entry.kind)
            agent.link.put(agent.link.message(Target.RESYNC, EventType.RESPONSE_SYNCED_RESOURCE, payload))

    def _update(self, agent: Agent, request: RequestUpdate) -> None:
        if request.kind != APPLICATION.name:
            raise EventRefused(
                f"resync of {request.kind} {request.name!r}: this principal serves {APPLICATION.name} only"
            )
        if not self._serves(agent.name):
            return
        key = (self._mapping.hub_namespace(agent.name, request.namespace), request.name)
        held = self._held.get(key)
        if held is None:
            stub = Object(Metadata(name=request.name, namespace=key[0], uid=request.uid), {})
            self._outbound.delete(agent.link, stub)
        elif request.uid != held.uid or spec_checksum(held, APPLICATION) != request.checksum:
            self._outbound.update(agent.link, held)

    def _entropy(self, agent: Agent) -> AntiEntropy:
        name = agent.name
        if name not in self._entropies:

            def key(obj: Object) -> str:
                return self._mapping.digest_key(APPLICATION.name, obj)

            spec = Tree(
                lambda: self._outbound.of(name),
                key,
                lambda obj: obj.uid,
                lambda obj: application.digest_parts(obj, is_source=True),
            )
            status = Tree(lambda: self._outbound.of(name), key, lambda obj: obj.uid, application.status_parts)
            self._entropies[name] = AntiEntropy(
                agent.link,
                ours={SPEC: (spec, lambda found, held: self._outbound.repair(agent.link, found, held))},
                theirs={STATUS: status},
                principal_uid=self._principal_uid,
                is_open=lambda: self._serves(name),
            )
        return self._entropies[name]
