"""What of the hub's own each managed agent is to have: objects of one kind, and who has which.

A route says who is to have an object, and which edition of it. Level-triggered: whenever an object, an agent or
anything else that a route looks at changes, the audience is asked for again, and the difference is sent. To an agent
that has not been here since this process started nothing is sent: when it comes, all that it must have is compared.

Called by observers; never waits. Bounded by objects × the agents that have them; editions are made when they are sent.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol

from argocd_agent.errors import DecodeError, EventRefused
from argocd_agent.peer.link import Link
from argocd_agent.peer.mirrors import Key
from argocd_agent.peer.observe import Change
from argocd_agent.principal.agents import Agents
from argocd_agent.principal.senders import Sender
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.modes import Mode
from argocd_agent.resources.identity import incoming_uid
from argocd_agent.resources.kinds import Kind
from argocd_agent.resources.objects import Object
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("Server")


class Route(Protocol):
    """Where objects of one kind go."""

    @property
    def kind(self) -> Kind: ...
    @property
    def may_move(self) -> bool:
        """Whether an object may go from one agent to another and stay the same one."""

    def audience(self, obj: Object) -> Collection[AgentName]:
        """Who is to have *obj*."""

    def is_for(self, obj: Object, agent: AgentName) -> bool:
        """Whether *agent* is one of them."""

    def edition(self, obj: Object, agent: AgentName) -> Object:
        """*obj* as *agent* is to have it."""

    def key(self, obj: Object) -> str:
        """Its name in digests."""

    def parts(self, edition: Object) -> tuple[bytes, ...]:
        """What counts of an edition in digests."""


class Sharing:
    """One kind. *is_registered*: whether an agent has a cluster Secret."""

    def __init__(
        self,
        route: Route,
        sender: Sender,
        agents: Agents,
        held: Mapping[Key, Object],
        *,
        is_registered: Callable[[AgentName], bool],
    ) -> None:
        self.route, self.sender, self._agents, self._held = route, sender, agents, held
        self._is_registered = is_registered
        self._by_agent: dict[AgentName, dict[Key, Object]] = {}
        self._audiences: dict[Key, frozenset[AgentName]] = {}

    def on_change(self, change: Change) -> None:
        """One change of an object on the hub."""
        new = change.new
        self._assign(change.object.key, change.old, new, frozenset() if new is None else self._audience_of(new))

    def review(self, key: Key) -> None:
        """Who is to have the object *key* may have changed."""
        obj = self._held.get(key)
        self._assign(key, None, obj, frozenset() if obj is None else self._audience_of(obj))

    def review_agent(self, name: AgentName, *, tells: bool = True) -> None:
        """What agent *name* is to have may have changed. Not *tells*: it is compared with all that it has besides."""
        for key, obj in list(self._held.items()):
            audience = self.audience(key)
            if self.route.is_for(obj, name) != (name in audience):
                self._assign(key, obj, obj, audience ^ {name}, tells=tells)

    def audience(self, key: Key) -> frozenset[AgentName]:
        """Who has the object *key*."""
        return self._audiences.get(key, frozenset())

    def of(self, name: AgentName) -> Iterator[Object]:
        """The objects that agent *name* is to have, as they stand on the hub."""
        return iter(list(self._by_agent.get(name, {}).values()))

    def supply(self, name: AgentName, link: Link) -> "AgentSupply":
        """What agent *name* is to have, sent over *link*."""
        return AgentSupply(self, name, link, self._held)

    def _audience_of(self, obj: Object) -> frozenset[AgentName]:
        return frozenset(self.route.audience(obj))

    def _assign(
        self,
        key: Key,
        old: Object | None,
        new: Object | None,
        after: frozenset[AgentName],
        *,
        tells: bool = True,
    ) -> None:
        before = self.audience(key)
        if after:
            self._audiences[key] = after
        else:
            self._audiences.pop(key, None)
        for name in before - after:
            last = self._drop(name, key) or old
            if (link := self._open(name)) is not None and last is not None:
                self.sender.delete(link, last)
        if new is None:
            return
        for name in after - before if new is old else after:
            self._by_agent.setdefault(name, {})[key] = new
            link = self._open(name) if tells else None
            if link is None:
                continue
            if name not in before:
                self.tell(self.sender.create, link, new, name)
            elif old is not None:
                self._changed(link, old, new, name)

    def _drop(self, name: AgentName, key: Key) -> Object | None:
        objects = self._by_agent.get(name, {})
        last = objects.pop(key, None)
        if not objects:
            self._by_agent.pop(name, None)
        return last

    def _open(self, name: AgentName) -> Link | None:
        """The link of an agent that is to be told of changes."""
        agent = self._agents.get(name)
        # An autonomous agent of the reference would obey: it must not hear of the hub's copies.
        if agent is None or not agent.has_connected or agent.mode is not Mode.MANAGED:
            return None
        return agent.link if self._is_registered(name) else None

    def _changed(self, link: Link, old: Object, new: Object, name: AgentName) -> None:
        def tell(link: Link, edition: Object) -> None:
            self.sender.changed(link, self.route.edition(old, name), edition)

        self.tell(tell, link, new, name)

    def tell(self, send: Callable[[Link, Object], None], link: Link, obj: Object, name: AgentName) -> None:
        """Send agent *name* its edition of *obj*. One that cannot be made is logged, and stands in nobody's way."""
        try:
            send(link, self.route.edition(obj, name))
        except (DecodeError, EventRefused) as error:
            about = {fields.AGENT: name, fields.KIND: self.route.kind.name, fields.NAME: obj.name}
            log.error("An object cannot be sent to an agent", about | {fields.ERROR: str(error)})


class AgentSupply:
    """What one agent is to have of one kind: `peer.resync.Supply`."""

    def __init__(self, sharing: Sharing, name: AgentName, link: Link, held: Mapping[Key, Object]) -> None:
        self._sharing, self._name, self._link, self._held = sharing, name, link, held
        self._route = sharing.route

    @property
    def kind(self) -> Kind:
        return self._route.kind

    def objects(self) -> Iterator[Object]:
        return self._sharing.of(self._name)

    def find(self, key: Key) -> Object | None:
        return self._held.get(key)

    def is_for_peer(self, obj: Object) -> bool:
        return self._name in self._sharing.audience(obj.key)

    def edition(self, obj: Object) -> Object:
        return self._route.edition(obj, self._name)

    def uid(self, obj: Object) -> str:
        return incoming_uid(obj)

    def key(self, obj: Object) -> str:
        return self._route.key(obj)

    def parts(self, obj: Object) -> tuple[bytes, ...]:
        return self._route.parts(self.edition(obj))

    def kept(self) -> Collection[str]:
        objects = self.objects() if self._route.may_move else self._held.values()
        return {incoming_uid(obj) for obj in objects}

    def create(self, obj: Object) -> None:
        self._sharing.tell(self._sharing.sender.create, self._link, obj, self._name)

    def update(self, obj: Object) -> None:
        self._sharing.tell(self._sharing.sender.update, self._link, obj, self._name)

    def delete(self, obj: Object) -> None:
        self._sharing.sender.delete(self._link, obj)
