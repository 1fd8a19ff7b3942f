"""What agents send → what is done about it on the hub: the dispatch table of the principal, a row for mode and target.

Every handler raises `EventDiscarded`, `EventRefused` or `EventDeferred` for what it does not do; the session acks. An
agent that owns its objects is told what the hub could not take.
"""

from collections.abc import Awaitable, Callable, Mapping

from argocd_agent.codec import encode
from argocd_agent.errors import EventDiscarded, EventRefused
from argocd_agent.peer.apply import Applier
from argocd_agent.peer.link import object_of, payload_of
from argocd_agent.peer.mirroring import SPECIFIES
from argocd_agent.peer.mirrors import Key
from argocd_agent.peer.refusals import Refusals, Report
from argocd_agent.principal.agents import Agent
from argocd_agent.principal.senders import ApplicationSender, is_operation_pending
from argocd_agent.principal.views import ApplicationViews, ProjectViews
from argocd_agent.protocol.events import AgentName, Event, EventType, Target
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import CONDITION_AGENT_ERROR
from argocd_agent.resources import application
from argocd_agent.resources.kinds import APPLICATION, BY_TARGET, Kind
from argocd_agent.resources.mapping import HubMapping
from argocd_agent.resources.objects import Metadata, Object
from argocd_agent.resources.plan import Action, Incoming, Nothing, Update, for_source
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.payloads import ErrorData, Refusal

log = get_log("Server")

Handler = Callable[[Agent, Event], Awaitable[None]]


class Inbound:
    """Handles events of agents. *held*: the hub's Applications as last seen; *has*: whether an agent was given this
    object."""

    def __init__(
        self,
        applier: Applier,
        mapping: HubMapping,
        held: Mapping[Key, Object],
        sender: ApplicationSender,
        views: tuple[ApplicationViews, ProjectViews],
        report: Report,
        has: Callable[[Kind, Key, AgentName], bool],
        resync: Handler,
        more: Mapping[tuple[Mode, Target], Handler],
    ) -> None:
        self._applier, self._mapping, self._held, self._sender = applier, mapping, held, sender
        self._report, self._has = report, has
        self._views = {view.kind.target: view for view in views}
        self._refusals = Refusals()
        refusals = dict.fromkeys(
            ((Mode.MANAGED, target) for target in (Target.APPPROJECT, Target.REPOSITORY, Target.GPGKEY)), self._refused
        )
        self._handlers: dict[tuple[Mode, Target], Handler] = {
            (Mode.MANAGED, Target.APPLICATION): self._managed,
            (Mode.MANAGED, Target.RESYNC): resync,
            (Mode.AUTONOMOUS, Target.APPLICATION): self._autonomous,
            (Mode.AUTONOMOUS, Target.APPPROJECT): self._autonomous,
            (Mode.AUTONOMOUS, Target.RESYNC): resync,
            **refusals,
            **more,
        }

    async def handle(self, agent: Agent, event: Event) -> None:
        """Do what *event* of *agent* asks."""
        handler = self._handlers.get((agent.mode, event.target))
        if handler is None:
            raise EventDiscarded(f"events about {event.target.value!r} are not taken from {agent.mode.value} agents")
        await handler(agent, event)

    async def _autonomous(self, agent: Agent, event: Event) -> None:
        obj = object_of(event)
        try:
            await self._views[event.target].take(agent, event, obj)
        except EventRefused as error:
            if event.type in SPECIFIES:
                self._refusals.refused(agent.link, event, obj, str(error))
            raise
        if event.type in SPECIFIES:
            self._refusals.taken(agent.link, event, obj)

    async def _managed(self, agent: Agent, event: Event) -> None:
        if event.type == EventType.ERROR:
            await self._error(agent, payload_of(event, ErrorData))
        elif event.type == EventType.REFUSED:
            await self._refused(agent, event)
        else:
            await self._object(agent, event)

    async def _object(self, agent: Agent, event: Event) -> None:
        obj = object_of(event)
        key = (self._mapping.hub_namespace(agent.name, agent.home, obj), obj.name)
        incoming = Incoming(event.type, obj)

        def plan(held: Object | None) -> Action:
            self._check_owner(agent, held)
            keep_operation = held is not None and self._is_undelivered(agent, held, obj)
            return for_source(incoming, held, keep_operation=keep_operation)

        outcome = await self._applier.apply(*key, self._held.get(key), plan)
        held = self._held.get(key)
        if event.type == EventType.DELETE and isinstance(outcome.action, Nothing) and held is not None:
            about = {fields.AGENT: agent.name, fields.NAMESPACE: key[0], fields.NAME: key[1]}
            log.warning("The spoke lost an Application that lives on the hub", about)
            if not agent.link.peer.is_reference:  # a reference agent has made it again by itself
                self._sender.create(agent.link, held)

    def _check_owner(self, agent: Agent, held: Object | None) -> None:
        if held is not None and self._mapping.agent_of(held) != agent.name:
            raise EventRefused(
                f'Application "{held.namespace}/{held.name}" is not agent {agent.name}\'s, '
                f"but {self._mapping.agent_of(held) or 'nobody'}'s"
            )

    def _is_undelivered(self, agent: Agent, obj: Object, said: Object) -> bool:
        """Whether the operation on the hub's *obj* may not have reached the spoke yet, of which *said* is the word."""
        if not application.has_operation(obj):
            return False
        if agent.owes_operations and not application.has_begun(obj, said):
            return True  # asked for while no principal was there
        # A version read after a conflict may hold an operation that the observer has yet to see.
        seen = self._held.get(obj.key)
        is_seen = seen is not None and seen.fields.get("operation") == obj.fields.get("operation")
        return not is_seen or is_operation_pending(agent.link, obj)

    async def _error(self, agent: Agent, payload: ErrorData) -> None:
        """An agent of the reference, or ours, could not adopt: health Degraded and a condition, as the reference."""
        message = f"Error occurred on cluster managed by agent {agent.name}: {payload.message}"
        key = self._place(agent, payload.resource_namespace, payload.resource_name)

        def plan(held: Object | None) -> Action:
            if held is None:
                raise EventRefused(f'agent {agent.name} reports on Application "{key[0]}/{key[1]}", not on the hub')
            self._check_owner(agent, held)
            found = held.look("status")
            old = found if isinstance(found, dict) else {}
            bare = application.without_condition(old, CONDITION_AGENT_ERROR)
            condition = {"type": CONDITION_AGENT_ERROR, "message": message}
            new = {**application.with_conditions(bare, [condition]), "health": {"status": "Degraded"}}
            if new == old:
                return Nothing("the condition is known")
            return Update(held.with_fields({"status": encode(new)}))

        await self._applier.apply(*key, self._held.get(key), plan)

    async def _refused(self, agent: Agent, event: Event) -> None:
        """Our agent says what its cluster does not take, or, with an empty message, that it does now."""
        if event.type != EventType.REFUSED:
            raise EventRefused(f"a managed agent may not send {event.type!r} for {event.target.value}")
        payload = payload_of(event, Refusal)
        kind = BY_TARGET[event.target]
        key = (self._mapping.home, payload.name)
        if kind is APPLICATION:
            key = self._place(agent, payload.namespace, payload.name)
        if not self._has(kind, key, agent.name):
            raise EventRefused(f'agent {agent.name} reports on {kind.name} "{key[0]}/{key[1]}", which is not for it')
        await self._report(kind, *key, agent.name, payload.message)

    def _place(self, agent: Agent, namespace: str, name: str) -> Key:
        named = Object(Metadata(namespace=namespace, name=name), {})
        return (self._mapping.hub_namespace(agent.name, agent.home, named), name)
