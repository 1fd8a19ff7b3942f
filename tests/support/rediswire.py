"""A client and the hub's Redis around the machine of the Redis face, without sockets: bytes go where effects say.

wire = Wire()
wire.say("GET", "app|resources-tree|agent-1_guestbook|1.8.3")
wire.answer(b"a tree")
assert wire.replies() == [b"a tree"]
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from argocd_agent.backends.redis.memory import MemoryCache
from argocd_agent.backends.redis.session import Session
from argocd_agent.protocol.events import AgentName
from argocd_agent.proxies.redis.connection import Connection
from argocd_agent.proxies.redis.effects import Close, Effect, Get, Join, Leave, ToClient, ToUpstream
from argocd_agent.proxies.redis.face import route_by
from argocd_agent.settings.values import Secret
from argocd_agent.wire.resp import Replies, command

TREE = "app|resources-tree|agent-1_guestbook|1.8.3"
MANAGED = "app|managed-resources|agent-1_guestbook|1.8.3"
LOCAL = "app|resources-tree|guestbook|1.8.3"


def owner(namespace: str, name: str) -> AgentName | None:
    """Namespaces of agents are named like them."""
    return AgentName(namespace) if namespace.startswith("agent-") else None


@dataclass
class Wire:
    """*cut* says how many bytes go at one time, each way. `is_held`: the hub's Redis gets nothing until `flow`."""

    password: str = ""
    cut: Callable[[int], int] = lambda size: size
    is_held: bool = False
    to_client: bytearray = field(default_factory=bytearray)
    asked: deque[Get] = field(default_factory=deque)
    joined: list[tuple[AgentName, bytes]] = field(default_factory=list)
    closed: str | None = None

    def __post_init__(self) -> None:
        self.cache = MemoryCache(clock=lambda: 0.0)
        self.upstream = Session(
            self.cache, self._told, epoch=lambda: 0.0, password=Secret(self.password) if self.password else None
        )
        self.up, self.down = bytearray(), bytearray()
        numbers = iter(range(10**9))
        self.machine = Connection(lambda key: route_by(owner, key), lambda: b"token-%026d" % next(numbers))
        self._client = Replies()
        self.do(self.machine.start())

    def say(self, *words: str | bytes) -> None:
        """The client sends a command."""
        self.send(command(*words))

    def send(self, data: bytes) -> None:
        """The client sends bytes."""
        while data:
            size = self.cut(len(data))
            self.do(self.machine.client_said(data[:size]))
            data = data[size:]

    def answer(self, value: bytes | None, failure: str = "") -> None:
        """The agent answers the question that was asked first."""
        self.do(self.machine.answered(self.asked.popleft().number, value, failure))

    def push(self, channel: str) -> None:
        """The agent says something."""
        self.do(self.machine.pushed(channel.encode()))

    def replies(self) -> list[object]:
        """What the client got since it was asked last."""
        data = bytes(self.to_client)
        self.to_client.clear()
        return list(self._client.feed(data))

    def do(self, effects: list[Effect]) -> None:
        """Carry out *effects*, and what follows from them."""
        for effect in effects:
            match effect:
                case ToUpstream(data):
                    self.up += data
                case ToClient(data):
                    self.to_client += data
                case Get():
                    self.asked.append(effect)
                case Join(agent, channel):
                    self.joined.append((agent, channel))
                case Leave(agent, channel):
                    self.joined.remove((agent, channel))
                case Close(reason):
                    self.closed = reason
        if not self.is_held:
            self.flow()

    def flow(self) -> None:
        """Let the hub's Redis get its bytes, and say what it says."""
        while self.up or self.down:
            if self.up:
                size = self.cut(len(self.up))
                data = bytes(self.up[:size])
                del self.up[:size]
                self.down += self.upstream.feed(data)
            if self.down:
                size = self.cut(len(self.down))
                data = bytes(self.down[:size])
                del self.down[:size]
                was_held, self.is_held = self.is_held, True
                self.do(self.machine.upstream_said(data))
                self.is_held = was_held

    def _told(self, data: bytes) -> None:
        self.down += data
