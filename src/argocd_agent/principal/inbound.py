"""What agents send → what is done about it on the hub: the dispatch table of the principal.

Every handler raises `EventDiscarded`, `EventRefused` or `EventDeferred` for what it does not do; the session acks.
"""

from collections.abc import Awaitable, Callable, Mapping

from argocd_agent.codec import encode
from argocd_agent.errors import EventDiscarded, EventRefused
from argocd_agent.peer.apply import Applier
from argocd_agent.peer.link import object_of, payload_of
from argocd_agent.peer.observe import Key
from argocd_agent.principal.agents import Agent
from argocd_agent.principal.outbound import Outbound
from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import CONDITION_AGENT_ERROR, CONDITION_REFUSED
from argocd_agent.resources import application
from argocd_agent.resources.mapping import HubMapping
from argocd_agent.resources.objects import Object
from argocd_agent.resources.plan import Action, Incoming, Nothing, Update, for_source
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.payloads import ErrorData, Refusal

log = get_log("Server")

Resync = Callable[[Agent, Event], Awaitable[None]]


class Inbound:
    """Handles events of agents. *held*: the hub's Applications as last seen."""

    def __init__(
        self, applier: Applier, mapping: HubMapping, held: Mapping[Key, Object], outbound: Outbound, resync: Resync
    ) -> None:
        self._applier, self._mapping, self._held, self._outbound = applier, mapping, held, outbound
        self._handlers: dict[Target, Resync] = {
            Target.APPLICATION: self._application,
            Target.RESYNC: resync,
        }

    async def handle(self, agent: Agent, event: Event) -> None:
        """Do what *event* of *agent* asks."""
        if agent.mode is not Mode.MANAGED:
            raise EventDiscarded(f"agent {agent.name} is {agent.mode.value}; this principal serves managed agents")
        handler = self._handlers.get(event.target)
        if handler is None:
            raise EventDiscarded(f"this principal does not serve events about {event.target.value!r}")
        await handler(agent, event)

    async def _application(self, agent: Agent, event: Event) -> None:
        if event.type == EventType.ERROR:
            await self._error(agent, payload_of(event, ErrorData))
        elif event.type == EventType.REFUSED:
            await self._refused(agent, payload_of(event, Refusal))
        else:
            await self._object(agent, event)

    async def _object(self, agent: Agent, event: Event) -> None:
        obj = object_of(event)
        key = (self._mapping.hub_namespace(agent.name, obj.namespace), obj.name)
        incoming = Incoming(event.type, obj)

        def plan(held: Object | None) -> Action:
            keep = held is not None and self._outbound.has_undelivered_operation(agent.link, held)
            return for_source(incoming, held, keep_operation=keep)

        outcome = await self._applier.apply(*key, self._held.get(key), plan)
        held = self._held.get(key)
        if event.type == EventType.DELETE and isinstance(outcome.action, Nothing) and held is not None:
            log.warning("The spoke lost an Application that lives on the hub", _about(agent, key))
            if not agent.link.peer.is_reference:  # a reference agent has made it again by itself
                self._outbound.create(agent.link, held)

    async def _error(self, agent: Agent, payload: ErrorData) -> None:
        """An agent of the reference, or ours, could not adopt: health Degraded and a condition, as the reference."""
        message = f"Error occurred on cluster managed by agent {agent.name}: {payload.message}"

        def changed(status: dict[str, object]) -> dict[str, object]:
            bare = application.without_condition(status, CONDITION_AGENT_ERROR)
            condition = {"type": CONDITION_AGENT_ERROR, "message": message}
            return {**application.with_conditions(bare, [condition]), "health": {"status": "Degraded"}}

        await self._status(agent, payload.resource_namespace, payload.resource_name, changed)

    async def _refused(self, agent: Agent, payload: Refusal) -> None:
        """Our agent says what its cluster does not take, or, with an empty message, that it does now."""

        def changed(status: dict[str, object]) -> dict[str, object]:
            bare = application.without_condition(status, CONDITION_REFUSED)
            if not payload.message:
                return bare
            message = f"Agent {agent.name} cannot apply this Application: {payload.message}"
            return application.with_conditions(bare, [{"type": CONDITION_REFUSED, "message": message}])

        await self._status(agent, payload.namespace, payload.name, changed)

    async def _status(
        self, agent: Agent, namespace: str, name: str, changed: Callable[[dict[str, object]], dict[str, object]]
    ) -> None:
        key = (self._mapping.hub_namespace(agent.name, namespace), name)

        def plan(held: Object | None) -> Action:
            if held is None:
                raise EventRefused(f'agent {agent.name} reports on Application "{key[0]}/{name}", not on the hub')
            found = held.look("status")
            old = found if isinstance(found, dict) else {}
            new = changed(old)
            return (
                Nothing("the condition is known") if new == old else Update(held.with_fields({"status": encode(new)}))
            )

        await self._applier.apply(*key, self._held.get(key), plan)


def _about(agent: Agent, key: Key) -> dict[str, object]:
    return {fields.AGENT: agent.name, fields.NAMESPACE: key[0], fields.NAME: key[1]}
