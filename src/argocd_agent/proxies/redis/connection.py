"""One client of the Redis face: what it says goes to the hub's Redis untouched, but for what agents are to answer.

Replies of the hub's Redis are not counted and not read, which would cost more than passing them on. Where something of
ours must stand among them, a *fence* goes in its place: a PING with a token that nobody can guess. When the token comes
back, all replies before it have been passed on, and ours is next. So replies keep the order of commands, and a message
never stands within a reply.

* `GET` of an agent's key: a fence, and the agent is asked. Replies behind the fence wait for the answer.
* `SUBSCRIBE` goes to the hub's Redis like everything else, which confirms it and counts. Channels of agents are noted,
  and what agents say on them is put in behind a fence; of one channel at most one message waits, since all are alike.
* `AUTH`, `HELLO` and `RESET` are passed on alone, between fences, and their replies are read: after each, and at the
  beginning, a PING shows whether the hub's Redis lets the client in. While it does not, commands are passed on one by
  one, agents' keys included, and the hub's Redis refuses them.
* In a transaction everything is the hub's Redis' business. After `MONITOR`, `SYNC` or `CLIENT REPLY`, for whoever may
  not PING, everything is, for good: replies can no longer be told apart.

Limits: at most `SLOTS` of our replies are under way, and a command is held whole up to `respframes.COMMAND_BYTES`: the
driver stops reading from a side while `wants_client` or `wants_upstream` says so. Bytes that break the protocol end the
connection with an error reply.

No I/O, no clock, no chance: a driver feeds bytes and events, and does the effects that it is given, in order.
"""

from collections.abc import Callable
from enum import Enum, auto

from argocd_agent.errors import DecodeError
from argocd_agent.protocol.events import AgentName
from argocd_agent.proxies.redis.effects import Close, Effect, Get, Join, Leave, ToClient, ToUpstream
from argocd_agent.proxies.redis.merge import Merge, Slot, is_pong, ping
from argocd_agent.wire import resp
from argocd_agent.wire.respframes import COMMAND_BYTES, Glance, command_at

SLOTS = 256
HELD_BYTES = 1024 * 1024

Route = Callable[[bytes], AgentName | None]
"""The agent that a key or channel belongs to; None: the hub."""

_CHANGES = frozenset((b"auth", b"hello", b"reset"))
_SUBSCRIBING = frozenset((b"subscribe", b"psubscribe", b"ssubscribe"))
_UNTELLABLE = frozenset((b"monitor", b"sync", b"psync"))
_LOOKED_AT = frozenset((b"get", b"unsubscribe", b"client", b"multi", *_CHANGES, *_SUBSCRIBING, *_UNTELLABLE))
_LOOKED_AT_IN_TRANSACTION = frozenset((b"exec", b"discard", b"reset"))
_OF_APPLICATIONS = b"app|"  # how the keys begin that may be an agent's
_RESP2_MESSAGES = (b"*3\r\n$7\r\nmessage\r\n", b"*4\r\n$8\r\npmessage\r\n")


def _matters(name: bytes, words: list[object]) -> bool:
    """Whether a command, outside of a transaction, may concern us."""
    name = name.lower()
    if name == b"get" and len(words) == 2:
        key = words[1]
        return not isinstance(key, bytes) or key.startswith(_OF_APPLICATIONS)
    return name in _LOOKED_AT


class Phase(Enum):
    """How what the hub's Redis says is understood."""

    PROBING = auto()  # its next reply says whether the client is let in
    LOCKED = auto()  # the client is not let in: one command, one reply
    OPEN = auto()  # passed on untouched, up to the next fence
    CHANGING = auto()  # as OPEN until the last fence; then its next reply is to AUTH, HELLO or RESET
    RAW = auto()  # passed on untouched for good
    CLOSED = auto()


class Connection:
    """Drive it with `start`, `client_said`, `upstream_said`, `answered`, `pushed` and `ended`.

    *token* gives 16 bytes or more, none of them a line end, that nobody can guess.
    """

    def __init__(self, route: Route, token: Callable[[], bytes]) -> None:
        self.version, self.phase = 2, Phase.PROBING
        self._route, self._token = route, token
        self._glance = Glance(_matters)
        self._said = bytearray()  # by the client, not yet dealt with
        self._merge = Merge()
        self._numbered: dict[int, Slot] = {}
        self._channels: dict[bytes, AgentName] = {}
        self._messages: dict[bytes, bool] = {}  # channels with a message → whether it has its place
        self._gets = 0
        self._probe = b""
        self._asked: list[bytes] = []  # the words of what is answered in lock step; empty: nothing is under way
        self._in_transaction = self._has_subscribed = False

    @property
    def wants_client(self) -> bool:
        """Whether more of the client can be dealt with now."""
        if self.phase is Phase.OPEN:
            return len(self._merge.slots) < SLOTS
        is_taken = self.phase is Phase.RAW or (self.phase is Phase.LOCKED and not self._asked)
        return is_taken or len(self._said) < HELD_BYTES

    @property
    def wants_upstream(self) -> bool:
        """Whether more of the hub's Redis can be passed on now."""
        slots = self._merge.slots
        return len(self._merge.heard) < HELD_BYTES or not slots or not slots[0].is_reached

    def start(self) -> list[Effect]:
        """Both sides are connected."""
        return self._probing()

    def client_said(self, data: bytes) -> list[Effect]:
        """Bytes from the client."""
        is_plain = self.phase is Phase.OPEN and not self._in_transaction and not self._said
        if is_plain and len(self._merge.slots) < SLOTS and self._glance.is_nothing(data):
            return [ToUpstream(data)]
        return self._advance(data)

    def upstream_said(self, data: bytes) -> list[Effect]:
        """Bytes from the hub's Redis."""
        if not self._merge.slots and self.phase in (Phase.OPEN, Phase.RAW):
            return [ToClient(data)]
        if self.phase is Phase.CLOSED:
            return []
        self._merge.heard += data
        return self._drain()

    def answered(self, number: int, value: bytes | None, failure: str = "") -> list[Effect]:
        """What the agent says to `Get` *number*: a value, nothing (None), or a *failure* with its code."""
        slot = self._numbered.pop(number)
        if failure:
            slot.reply = resp.failure(failure)
        else:
            slot.reply = resp.null(self.version) if value is None else resp.bulk(value)
        return self._drain()

    def pushed(self, channel: bytes) -> list[Effect]:
        """An agent says something on *channel*."""
        if channel not in self._channels:
            return []
        self._messages.setdefault(channel, False)
        return self._release()

    def ended(self) -> list[Effect]:
        """One of both sides has gone."""
        self.phase = Phase.CLOSED
        return self._leave(list(self._channels))

    # What the client says

    def _advance(self, fresh: bytes = b"") -> list[Effect]:
        """Deal with what the client has said, *fresh* at the end of it, as far as that can be done now."""
        if self.phase is Phase.CLOSED:
            return []
        buffer: bytes | bytearray = fresh
        if self._said:
            self._said += fresh
            buffer = self._said
        effects: list[Effect] = []
        used = 0
        try:
            if self.phase is Phase.OPEN:
                used = self._pass_on(buffer, effects)
            elif self.phase is Phase.LOCKED and not self._asked:
                used = self._pass_one(buffer, effects)
        except DecodeError as error:
            used = len(buffer)
            effects += self._refuse(str(error))
        if self.phase is Phase.RAW and used < len(buffer):
            effects.append(ToUpstream(bytes(buffer[used:])))
            used = len(buffer)
        if buffer is self._said:
            del self._said[:used]
        else:
            self._said += buffer[used:]
        if len(self._said) > COMMAND_BYTES:
            self._said.clear()
            effects += self._refuse(f"Protocol error: a command of more than {COMMAND_BYTES} bytes")
        return effects

    def _pass_on(self, buffer: bytes | bytearray, effects: list[Effect]) -> int:
        """Pass on commands and see to those of ours; how many bytes they had. Raises `DecodeError`."""
        at = passed = 0
        slots = self._merge.slots
        try:
            while self.phase is Phase.OPEN and len(slots) < SLOTS and (command := command_at(buffer, at)):
                name = bytes(buffer[command.first : command.last]).lower()
                begin, at = at, command.end
                if name not in (_LOOKED_AT_IN_TRANSACTION if self._in_transaction else _LOOKED_AT):
                    continue
                if name == b"get" and buffer.find(_OF_APPLICATIONS, command.last, at) < 0:
                    continue  # most of what is said, and no agent's
                wanted: list[Effect] = []
                is_kept = self._look(name, command.words(buffer, begin), bytes(buffer[begin:at]), wanted)
                if not is_kept and not wanted:
                    continue
                upto = begin if is_kept else at
                if upto > passed:
                    effects.append(ToUpstream(bytes(buffer[passed:upto])))
                passed = at
                effects += wanted
        finally:
            if at > passed:
                effects.append(ToUpstream(bytes(buffer[passed:at])))
        return at

    def _look(self, name: bytes, words: list[bytes], raw: bytes, effects: list[Effect]) -> bool:
        """See to a command that may concern us. Whether it is kept from the hub's Redis."""
        if name == b"get":
            return len(words) == 2 and self._get(words[1], effects)
        if name in _CHANGES and not self._in_transaction:
            effects.append(ToUpstream(self._merge.place(Slot(self._token(), change=raw))))
            self.phase, self._asked = Phase.CHANGING, words
            return True
        if name in _SUBSCRIBING:
            self._has_subscribed = True
            if name == b"subscribe":
                effects += self._join(words[1:])
        elif name == b"unsubscribe":
            effects += self._leave(words[1:] or list(self._channels))
        elif name == b"multi":
            self._in_transaction = True
        elif name in (b"exec", b"discard"):
            self._in_transaction = False
            effects += self._release()
        elif name in _UNTELLABLE or name == b"reset" or [word.lower() for word in words[1:2]] == [b"reply"]:
            self.phase = Phase.RAW
            effects += self._leave(list(self._channels))
        return False

    def _get(self, key: bytes, effects: list[Effect]) -> bool:
        agent = self._route(key)
        if agent is None:
            return False
        self._gets += 1
        slot = self._numbered[self._gets] = Slot(self._token())
        effects += [ToUpstream(self._merge.place(slot)), Get(self._gets, agent, key)]
        return True

    def _join(self, channels: list[bytes]) -> list[Effect]:
        effects: list[Effect] = []
        for channel in channels:
            agent = self._route(channel)
            if agent is not None and channel not in self._channels:
                self._channels[channel] = agent
                effects.append(Join(agent, channel))
        return effects

    def _leave(self, channels: list[bytes]) -> list[Effect]:
        ours = [channel for channel in channels if channel in self._channels]
        for channel in ours:
            if self._messages.get(channel) is False:
                del self._messages[channel]
        return [Leave(self._channels.pop(channel), channel) for channel in dict.fromkeys(ours)]

    def _release(self) -> list[Effect]:
        """Give a place to messages that have none, where that can be done now."""
        if self.phase is not Phase.OPEN or self._in_transaction:
            return []
        effects: list[Effect] = []
        for channel in [channel for channel, has_place in self._messages.items() if not has_place]:
            self._messages[channel] = True
            said = resp.push(self.version, resp.bulk(b"message"), resp.bulk(channel), resp.bulk(b""))
            slot = Slot(self._token(), said, channel)
            effects.append(ToUpstream(self._merge.place(slot)))
        return effects

    def _refuse(self, reason: str) -> list[Effect]:
        """The client broke the protocol: a last reply, in its place where there are places."""
        said = resp.failure(f"ERR {reason}")
        if self.phase is Phase.OPEN and not self._in_transaction:
            self.phase = Phase.CHANGING
            return [ToUpstream(self._merge.place(Slot(self._token(), said, is_last=True)))]
        return [ToClient(said), *self._close(f"the client broke the protocol: {reason}")]

    def _close(self, reason: str) -> list[Effect]:
        return [*self.ended(), Close(reason)]

    # In lock step

    def _probing(self) -> list[Effect]:
        self.phase, self._probe = Phase.PROBING, self._token()
        return [ToUpstream(ping(self._probe))]

    def _pass_one(self, buffer: bytes | bytearray, effects: list[Effect]) -> int:
        command = command_at(buffer, 0)
        if command is None:
            return 0
        self._asked = command.words(buffer, 0)
        if self._asked:  # one without words has no reply
            effects.append(ToUpstream(bytes(buffer[: command.end])))
            return command.end
        return command.end + self._pass_one(buffer[command.end :], effects)

    def _stepped(self, reply: bytes) -> list[Effect]:
        """One reply in lock step."""
        if reply.startswith(b">") or (self._has_subscribed and reply.startswith(_RESP2_MESSAGES)):
            return [ToClient(reply)]
        if self.phase is Phase.PROBING:
            return self._probed(reply)
        words, self._asked = self._asked, []
        name, is_done = words[0].lower(), not reply.startswith(b"-")
        effects: list[Effect] = [ToClient(reply)]
        if name == b"hello" and is_done and len(words) > 1:
            self.version = 3 if words[1] == b"3" else 2
        if name == b"reset" and is_done:
            self.version, self._has_subscribed = 2, False
            effects += self._leave(list(self._channels))
        if name in _CHANGES:
            return effects + self._probing()
        return effects + self._advance()

    def _probed(self, reply: bytes) -> list[Effect]:
        if is_pong(reply, self._probe):
            self.phase = Phase.OPEN
            return self._release() + self._advance()
        if reply.startswith(b"-NOAUTH"):
            self.phase = Phase.LOCKED
        elif reply.startswith(b"-NOPERM"):
            self.phase = Phase.RAW
        else:
            return [ToClient(reply), *self._close(f"Redis does not take connections: {reply[:200]!r}")]
        return self._leave(list(self._channels)) + self._advance()

    # What the hub's Redis says

    def _drain(self) -> list[Effect]:
        """Pass on what can be passed on now."""
        effects: list[Effect] = []
        try:
            while self.phase is not Phase.CLOSED:
                if not self._merge.slots and self.phase not in (Phase.OPEN, Phase.RAW):
                    reply = self._merge.reply()
                    if reply is None:
                        break
                    effects += self._stepped(reply)
                    continue
                data, slot = self._merge.passed(self._has_subscribed and self.version == 2)
                if data:
                    effects.append(ToClient(data))
                if slot is None:
                    break
                effects += self._filled(slot)
        except DecodeError as error:
            effects += self._close(f"Redis broke its protocol: {error}")
        return effects

    def _filled(self, slot: Slot) -> list[Effect]:
        """It is the turn of *slot*."""
        if slot.change is not None:
            return [ToUpstream(slot.change)]
        assert slot.reply is not None, "a slot is handed out when its reply is known"
        effects: list[Effect] = [ToClient(slot.reply)]
        if slot.is_last:
            return effects + self._close("the client broke the protocol")
        if slot.channel is not None:
            self._messages.pop(slot.channel, None)
        if len(self._merge.slots) == SLOTS - 1:
            effects += self._advance()
        return effects
