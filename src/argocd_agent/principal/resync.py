"""Brings an agent up to date: by digests if it is one of ours, by the reference's messages if it is not.

What is sent and answered is decided in `protocol.resync` and done in `peer.resync`; here stands what the hub is in
either mode: the source of what managed agents have, the holder of copies of what autonomous ones own. An agent that is
not registered, or a managed one whose namespace the hub does not admit, is never compared: it would look as if all its
objects had been deleted.
"""

from collections.abc import Callable, Iterator, Sequence

from argocd_agent.peer.link import Link
from argocd_agent.peer.reconcile import SPEC, STATUS, AntiEntropy, Item, Tree
from argocd_agent.peer.resync import MirrorEnd, SourceEnd
from argocd_agent.principal.agents import Agent
from argocd_agent.principal.senders import ApplicationSender
from argocd_agent.principal.sharing import Sharing
from argocd_agent.principal.views import ApplicationViews, ProjectViews
from argocd_agent.protocol.events import AgentName, Event, EventType, Target
from argocd_agent.protocol.modes import Mode, Role
from argocd_agent.protocol.resync import Opening, Surroundings, check, openings
from argocd_agent.resources import application
from argocd_agent.resources.identity import incoming_uid
from argocd_agent.resources.kinds import APPLICATION
from argocd_agent.resources.mapping import HubMapping
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.payloads import RequestResourceResync

log = get_log("Resync")

_DIGESTS = (EventType.DIGEST, EventType.DIGEST_ENTRIES)


class Resync:
    """One for the hub. *shared*: what managed agents have, Applications first. *serves*: whether an agent's objects are
    this principal's to send, or to show. *joined* hears of each managed agent that is one more."""

    def __init__(
        self,
        mapping: HubMapping,
        shared: Sequence[Sharing],
        sender: ApplicationSender,
        views: tuple[ApplicationViews, ProjectViews],
        home_of: Callable[[AgentName], str],
        *,
        principal_uid: str,
        interval_seconds: float,
        serves: Callable[[AgentName, Mode], bool],
        joined: Callable[[Agent], None],
    ) -> None:
        self._mapping, self._shared, self._sender, self._views = mapping, shared, sender, views
        self._home_of, self._principal_uid, self._interval = home_of, principal_uid, interval_seconds
        self._serves, self._joined = serves, joined

    def new_agent(self, name: AgentName, mode: Mode, link: Link) -> Agent:
        """An agent that has not been here before, with the ends that compare with it."""

        def at() -> Surroundings:
            mapping = self._mapping
            return Surroundings(Role.PRINCIPAL, name, mapping.home, self._home_of(name), mapping.by_destination)

        source = SourceEnd(link, at, [sharing.supply(name, link) for sharing in self._shared])
        mirror = MirrorEnd(link, at, [view.stock(name) for view in self._views])
        is_managed = mode is Mode.MANAGED
        statuses = Tree(lambda: self._statuses(name))
        entropy = AntiEntropy(
            link,
            ours={SPEC: (source.tree, source.repair)} if is_managed else {},
            theirs={STATUS: statuses} if is_managed else {SPEC: mirror.tree},
            interval_seconds=self._interval,
            principal_uid=self._principal_uid,
            is_open=lambda: self._serves(name, mode),
            compared=lambda equal: self._compared(agent, equal=equal),
        )
        agent = Agent(name, mode, link, entropy, source, mirror)
        return agent

    def opened(self, agent: Agent) -> None:
        """A session of *agent* has begun: what it may have missed is put right."""
        is_first, agent.has_connected = not agent.has_connected, True
        agent.entropy.opened()
        if is_first and agent.mode is Mode.MANAGED:
            self._joined(agent)
        if self._serves(agent.name, agent.mode):
            self._open(agent, is_first=is_first)

    def registered(self, agent: Agent) -> None:
        """The hub has learned of *agent* after it connected."""
        if not agent.has_connected:
            return
        if agent.mode is Mode.MANAGED:
            self._joined(agent)
        if self._serves(agent.name, agent.mode):
            log.info("The agent is registered now and brought up to date", {fields.AGENT: agent.name})
            self._open(agent, is_first=True)
            agent.entropy.announce()
            agent.entropy.tell()

    def again(self, agent: Agent) -> None:
        """What autonomous *agent* was refused can be taken now: it is to send it once more."""
        if agent.mode is not Mode.AUTONOMOUS or not self._serves(agent.name, agent.mode):
            return
        log.info("The agent is asked for what it was refused before", {fields.AGENT: agent.name})
        if agent.link.peer.is_reference:
            agent.mirror.ask_for_list()
        agent.entropy.tell()

    async def handle(self, agent: Agent, event: Event) -> None:
        """A resync message of *agent*. Raises `EventRefused`, `EventDiscarded`."""
        if event.type in _DIGESTS:
            await agent.entropy.handle(event)
            return
        check(event.type, Role.PRINCIPAL, agent.mode)
        if self._serves(agent.name, agent.mode):
            (agent.source if agent.mode is Mode.MANAGED else agent.mirror).handle(event)

    def _open(self, agent: Agent, *, is_first: bool) -> None:
        if is_first:
            agent.owes_operations = not agent.link.peer.is_reference
            agent.has_compared = False
        # Not the first time: the outbox has kept what changed meanwhile; our own agents compare digests besides.
        for opening in openings(Role.PRINCIPAL, agent.mode, is_first, agent.link.peer):
            match opening:
                case Opening.STATE_PUSH:
                    self._push(agent, is_first=is_first)
                case Opening.RESYNC_REQUEST:
                    payload = RequestResourceResync()
                    message = agent.link.message(Target.RESYNC, EventType.REQUEST_RESOURCE_RESYNC, payload)
                    agent.link.put(message)
                case Opening.UPDATE_REQUESTS:
                    agent.mirror.ask_about_all()
                case Opening.LIST_REQUEST:
                    agent.mirror.ask_for_list()
                case Opening.SPEC_DIGEST | Opening.STATUS_DIGEST:
                    pass  # the session's first tick announces them

    def _push(self, agent: Agent, *, is_first: bool) -> None:
        """What an agent of the reference is told at every connect, and its Applications at the first."""
        applications, *others = (sharing.supply(agent.name, agent.link) for sharing in self._shared)
        if is_first:
            for obj in applications.objects():
                applications.create(obj)
        for supply in others:
            for obj in supply.objects():
                supply.update(obj)

    def _statuses(self, name: AgentName) -> Iterator[Item]:
        applications = self._shared[0]
        for obj in applications.of(name):
            key = applications.route.key(obj)
            yield Item(APPLICATION, key, incoming_uid(obj), obj, application.status_parts)

    def _compared(self, agent: Agent, *, equal: bool) -> None:
        """The agent's own state was compared. Operations that were asked for while no principal was there wait for
        that: a status that comes now may say that one has run already, and then it must not run again."""
        if not agent.owes_operations:
            return
        if not equal and not agent.has_compared:
            agent.has_compared = True  # the agent sends what differs, and compares once more
            return
        agent.owes_operations = False
        if agent.mode is Mode.AUTONOMOUS:
            self._views[0].owed(agent)
            return
        for obj in self._shared[0].of(agent.name):
            if application.has_operation(obj) and not application.is_running_here(obj):
                self._sender.operate(agent.link, obj)
