"""Brings an agent up to date: by digests if it is one of ours, by the reference's messages if it is not.

What is sent and answered is decided in `protocol.resync`; here the hub is asked for what it takes to decide. An agent
that is not registered, or whose namespace the hub does not admit, is never compared: it would look as if all its
Applications had been deleted.
"""

from collections.abc import Callable, Mapping

from argocd_agent.peer.link import Link, payload_of
from argocd_agent.peer.observe import Key
from argocd_agent.peer.reconcile import SPEC, STATUS, AntiEntropy, Tree
from argocd_agent.principal.agents import Agent
from argocd_agent.principal.outbound import Outbound
from argocd_agent.protocol.events import AgentName, Event, EventType, Target
from argocd_agent.protocol.inventory import Inventory, ResourceKey
from argocd_agent.protocol.modes import Mode, Role
from argocd_agent.protocol.resync import (
    Opening,
    Owned,
    Reply,
    Surroundings,
    UpdateRequest,
    answer_list_request,
    answer_update_request,
    check,
    openings,
    place_of_update,
)
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
        *,
        namespace: str,
        principal_uid: str,
        interval_seconds: float,
        serves: Callable[[AgentName], bool],
    ) -> None:
        self._outbound, self._mapping, self._held, self._namespace = outbound, mapping, held, namespace
        self._principal_uid, self._interval, self._serves = principal_uid, interval_seconds, serves

    def opened(self, agent: Agent) -> None:
        """A session of *agent* has begun: what it may have missed is put right."""
        is_first, agent.has_connected = not agent.has_connected, True
        agent.entropy.opened()
        if self._compares(agent):
            self._open(agent, is_first=is_first)

    def registered(self, agent: Agent) -> None:
        """The hub has learned of *agent* after it connected."""
        if agent.has_connected and self._compares(agent):
            log.info("The agent is registered now and brought up to date", {fields.AGENT: agent.name})
            self._open(agent, is_first=True)
            agent.entropy.announce()

    async def handle(self, agent: Agent, event: Event) -> None:
        """A resync message of *agent*. Raises `EventRefused`, `EventDiscarded`."""
        if event.type in (EventType.DIGEST, EventType.DIGEST_ENTRIES):
            await agent.entropy.handle(event)
            return
        check(event.type, Role.PRINCIPAL, agent.mode)
        if not self._compares(agent):
            return
        if event.type == EventType.REQUEST_UPDATE:
            self._update(agent, payload_of(event, RequestUpdate))
        else:
            self._list(agent, payload_of(event, RequestSyncedResourceList))

    def _compares(self, agent: Agent) -> bool:
        return agent.mode is Mode.MANAGED and self._serves(agent.name)

    def _open(self, agent: Agent, *, is_first: bool) -> None:
        if not is_first:
            return  # the outbox has kept what changed meanwhile; our own agents compare digests besides
        agent.owes_operations = not agent.link.peer.is_reference
        if agent.link.peer.is_reference:
            for obj in self._outbound.of(agent.name):
                self._outbound.create(agent.link, obj)
        if Opening.RESYNC_REQUEST in openings(Role.PRINCIPAL, agent.mode, is_first, agent.link.peer):
            payload = RequestResourceResync()
            agent.link.put(agent.link.message(Target.RESYNC, EventType.REQUEST_RESOURCE_RESYNC, payload))

    def _compared(self, agent: Agent, *, equal: bool) -> None:
        """Statuses were compared. Operations that were asked for while no principal was there wait for that: a status
        that comes now may say that one has run already, and then it must not run again."""
        if not agent.owes_operations:
            return
        if not equal and not agent.has_compared:
            agent.has_compared = True  # the agent sends what differs, and compares once more
            return
        agent.owes_operations = False
        for obj in self._outbound.of(agent.name):
            if application.has_operation(obj) and not application.is_running_here(obj):
                self._outbound.operate(agent.link, obj)

    def _list(self, agent: Agent, request: RequestSyncedResourceList) -> None:
        own = Inventory(
            ResourceKey(APPLICATION.name, obj.namespace, obj.name, obj.uid) for obj in self._outbound.of(agent.name)
        )
        for one in answer_list_request(own, request.checksum):
            payload = SyncedResource(name=one.name, namespace=one.namespace, uid=one.uid, kind=one.kind)
            agent.link.put(agent.link.message(Target.RESYNC, EventType.RESPONSE_SYNCED_RESOURCE, payload))

    def _update(self, agent: Agent, request: RequestUpdate) -> None:
        asked = UpdateRequest(request.kind, request.namespace, request.name, request.uid, request.checksum)
        if asked.kind != APPLICATION.name:
            log.info(
                "The agent asks about a kind that is not served", {fields.AGENT: agent.name, fields.KIND: asked.kind}
            )
            return
        place = place_of_update(asked, Surroundings(Role.PRINCIPAL, agent.name, self._namespace))
        held = self._held.get(place)
        owned = None if held is None else Owned(held.uid, spec_checksum(held, APPLICATION))
        reply = answer_update_request(asked, owned)
        if held is None or reply is Reply.DELETE_STUB:
            stub = Metadata(name=asked.name, namespace=place[0], uid=asked.uid)
            self._outbound.delete(agent.link, Object(stub, {}))
        elif reply is Reply.UPDATE:
            self._outbound.update(agent.link, held)

    def new_agent(self, name: AgentName, mode: Mode, link: Link) -> Agent:
        """An agent that has not been here before, with what compares digests with it."""

        def key(obj: Object) -> str:
            return self._mapping.digest_key(APPLICATION.name, obj)

        def uid(obj: Object) -> str:
            return obj.uid

        def parts(obj: Object) -> tuple[bytes, ...]:
            return application.digest_parts(obj, is_source=True)

        spec = Tree(lambda: self._outbound.of(name), key, uid, parts)
        status = Tree(lambda: self._outbound.of(name), key, uid, application.status_parts)
        entropy = AntiEntropy(
            link,
            ours={SPEC: (spec, lambda found, held: self._outbound.repair(link, found, held))},
            theirs={STATUS: status},
            interval_seconds=self._interval,
            principal_uid=self._principal_uid,
            is_open=lambda: self._compares(agent),
            compared=lambda equal: self._compared(agent, equal=equal),
        )
        agent = Agent(name, mode, link, entropy)
        return agent
