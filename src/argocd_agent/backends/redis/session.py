"""One client of our own cache: who it is, what it listens to, its transaction. Pure: bytes in, bytes out.

`feed` gives the replies to what came in, in order; messages on channels go to *said* as they come. Whoever breaks the
protocol is told so, and `is_over` says that the connection has to end. Without a password everybody is let in.

Limits: `CHANNELS` per client and `QUEUED` commands in a transaction; beyond, an error.
"""

import fnmatch
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from argocd_agent.backends.redis.commands import ROWS, Request, answer, fits, wrong_number
from argocd_agent.backends.redis.memory import MemoryCache
from argocd_agent.errors import DecodeError
from argocd_agent.settings.values import Secret
from argocd_agent.wire import resp
from argocd_agent.wire.respframes import COMMAND_BYTES, command_at

CHANNELS = 10_000
QUEUED = 10_000

_OK = resp.simple("OK")
_NO_AUTH = resp.failure("NOAUTH Authentication required.")
_WRONG_PASS = resp.failure("WRONGPASS invalid username-password pair or user is disabled.")
_BEFORE_AUTH = frozenset((b"auth", b"hello", b"quit", b"reset"))
_WHILE_SUBSCRIBED = frozenset(
    (b"subscribe", b"unsubscribe", b"psubscribe", b"punsubscribe", b"ping", b"quit", b"reset")
)
_NEVER_QUEUED = frozenset((b"exec", b"discard", b"multi", b"quit", b"reset"))
_DEFAULT_USER = b"default"


@dataclass(frozen=True, slots=True)
class _Own:
    """A command that is about the client, with *least* to *most* words after its name; None: any number."""

    least: int
    most: int | None
    answer: "Callable[[Session, list[bytes]], bytes]"


class Session:
    """One client of *cache*. *said* takes messages; *epoch* is the time in seconds since 1970."""

    def __init__(
        self,
        cache: MemoryCache,
        said: Callable[[bytes], None],
        *,
        epoch: Callable[[], float],
        username: str = "",
        password: Secret | None = None,
    ) -> None:
        self._cache, self._said, self._epoch = cache, said, epoch
        self._username, self._password = username.encode(), password or Secret()
        self._is_in = not self._password
        self._version = 2
        self._heard = bytearray()
        self._replies: list[bytes] | None = None  # while commands are dealt with; messages take their places there
        self._channels: dict[bytes, Callable[[bytes], None]] = {}
        self._transaction: list[list[bytes]] | None = None
        self._is_spoiled = False  # the transaction has a command that cannot be
        self._name = b""
        self.is_over = False

    def feed(self, data: bytes) -> bytes:
        """The replies to all commands that *data* completes."""
        self._heard += data
        self._replies = replies = []
        at = 0
        try:
            while not self.is_over and (command := command_at(self._heard, at)) is not None:
                words = command.words(self._heard, at)
                at = command.end
                if words:
                    replies.append(self._answer(words[0].lower(), words[1:]))
        except DecodeError as error:
            replies.append(resp.failure(f"ERR {error}"))
            self.is_over = True
        del self._heard[:at]
        if len(self._heard) > COMMAND_BYTES:
            replies.append(resp.failure(f"ERR Protocol error: a command of more than {COMMAND_BYTES} bytes"))
            self.is_over = True
        self._replies = None
        return b"".join(replies)

    def close(self) -> None:
        """The client has gone."""
        self.is_over = True
        for channel, listener in self._channels.items():
            self._cache.channels.leave(channel, listener)
        self._channels.clear()

    def _answer(self, name: bytes, words: list[bytes]) -> bytes:
        if not self._is_in and name not in _BEFORE_AUTH:
            return _NO_AUTH
        if self._channels and self._version == 2 and name not in _WHILE_SUBSCRIBED:
            code = "EXECABORT" if name == b"exec" else "ERR"
            return resp.failure(f"{code} Can't execute '{_shown(name)}': only (P|S)SUBSCRIBE / PING / QUIT are allowed")
        row = _OWN.get(name) or ROWS.get(name)
        if self._transaction is not None and name not in _NEVER_QUEUED:
            return self._queue(name, words)
        if row is None:
            return _unknown(name)
        return self._carry_out(name, words) if fits(row, words) else wrong_number(name)

    def _carry_out(self, name: bytes, words: list[bytes]) -> bytes:
        row = _OWN.get(name) or ROWS[name]
        if isinstance(row, _Own):
            return row.answer(self, words)
        request = Request(words, self._cache.clock(), self._epoch(), self._version)
        return answer(self._cache.store, row, request)

    # Who it is

    def _auth(self, words: list[bytes]) -> bytes:
        if len(words) > 2:
            return resp.failure("ERR syntax error")
        username, password = (words[0], words[1]) if len(words) == 2 else (_DEFAULT_USER, words[0])
        if not self._password:
            if len(words) == 1:
                return resp.failure("ERR AUTH <password> called without any password configured")
            return _OK
        is_user = username in (self._username, _DEFAULT_USER)
        if not hmac.compare_digest(password, self._password.reveal().encode()) or not is_user:
            return _WRONG_PASS
        self._is_in = True
        return _OK

    def _hello(self, words: list[bytes]) -> bytes:
        version, name = self._version, self._name
        if words and words[0] not in (b"2", b"3"):
            return resp.failure("NOPROTO unsupported protocol version")
        if words:
            version = int(words[0])
        rest = words[1:]
        while rest:
            match [rest[0].lower(), *rest[1:]]:
                case [b"auth", user, password, *more]:
                    reply = self._auth([user, password])
                    if reply != _OK:
                        return reply
                case [b"setname", name, *more]:
                    pass
                case _:
                    return resp.failure(f"ERR Syntax error in HELLO option '{_shown(rest[0])}'")
            rest = more
        if not self._is_in:
            return resp.failure("NOAUTH HELLO must be called with the client already authenticated")
        self._version, self._name = version, name
        facts = {b"server": resp.bulk(b"redis"), b"version": resp.bulk(b"7.0.0"), b"proto": resp.integer(version)}
        facts |= {b"mode": resp.bulk(b"standalone"), b"role": resp.bulk(b"master"), b"modules": resp.array()}
        return resp.mapping(version, *((resp.bulk(key), value) for key, value in facts.items()))

    def _reset(self, words: list[bytes]) -> bytes:
        self._leave(list(self._channels))
        self._transaction, self._is_in, self._version, self._name = None, not self._password, 2, b""
        return resp.simple("RESET")

    def _quit(self, words: list[bytes]) -> bytes:
        self.is_over = True
        return _OK

    def _ping(self, words: list[bytes]) -> bytes:
        if len(words) > 1:
            return wrong_number(b"ping")
        if self._channels and self._version == 2:
            return resp.array(resp.bulk(b"pong"), resp.bulk(words[0] if words else b""))
        return resp.bulk(words[0]) if words else resp.simple("PONG")

    def _select(self, words: list[bytes]) -> bytes:
        return _OK if words == [b"0"] else resp.failure("ERR DB index is out of range: this cache has database 0")

    def _client(self, words: list[bytes]) -> bytes:
        match [word.lower() for word in words[:1]]:
            case [b"setinfo" | b"no-evict" | b"no-touch"]:
                return _OK
            case [b"setname"]:
                self._name = words[1] if len(words) > 1 else b""
                return _OK
            case [b"getname"]:
                return resp.bulk(self._name) if self._name else resp.null(self._version)
            case [b"id"]:
                return resp.integer(id(self) & 0x7FFF_FFFF)
        return _unknown(b"client " + b" ".join(words[:1]))

    # Transactions

    def _multi(self, words: list[bytes]) -> bytes:
        if self._transaction is not None:
            return resp.failure("ERR MULTI calls can not be nested")
        self._transaction, self._is_spoiled = [], False
        return _OK

    def _queue(self, name: bytes, words: list[bytes]) -> bytes:
        assert self._transaction is not None, "only called in a transaction"
        row = _OWN.get(name) or ROWS.get(name)
        if row is None or not fits(row, words):
            self._is_spoiled = True
            return _unknown(name) if row is None else wrong_number(name)
        if len(self._transaction) >= QUEUED:
            self._is_spoiled = True
            return resp.failure(f"ERR a transaction has at most {QUEUED} commands here")
        self._transaction.append([name, *words])
        return resp.simple("QUEUED")

    def _exec(self, words: list[bytes]) -> bytes:
        if self._transaction is None:
            return resp.failure("ERR EXEC without MULTI")
        queued, self._transaction = self._transaction, None
        if self._is_spoiled:
            return resp.failure("EXECABORT Transaction discarded because of previous errors.")
        return resp.array(*(self._carry_out(name, rest) for name, *rest in queued))

    def _discard(self, words: list[bytes]) -> bytes:
        if self._transaction is None:
            return resp.failure("ERR DISCARD without MULTI")
        self._transaction = None
        return _OK

    # Channels

    def _subscribe(self, words: list[bytes]) -> bytes:
        replies = []
        for channel in words:
            if channel not in self._channels:
                if len(self._channels) >= CHANNELS:
                    replies.append(resp.failure(f"ERR a client listens to at most {CHANNELS} channels here"))
                    continue
                listener = self._channels[channel] = partial(self._tell, channel)
                self._cache.channels.join(channel, listener)
            replies.append(self._counted(b"subscribe", resp.bulk(channel)))
        return b"".join(replies)

    def _unsubscribe(self, words: list[bytes]) -> bytes:
        channels = words or list(self._channels)
        if not channels:
            return self._counted(b"unsubscribe", resp.null(self._version))
        return self._leave(channels)

    def _leave(self, channels: list[bytes]) -> bytes:
        replies = []
        for channel in channels:
            listener = self._channels.pop(channel, None)
            if listener is not None:
                self._cache.channels.leave(channel, listener)
            replies.append(self._counted(b"unsubscribe", resp.bulk(channel)))
        return b"".join(replies)

    def _counted(self, kind: bytes, channel: bytes) -> bytes:
        return resp.push(self._version, resp.bulk(kind), channel, resp.integer(len(self._channels)))

    def _tell(self, channel: bytes, message: bytes) -> None:
        said = resp.push(self._version, resp.bulk(b"message"), resp.bulk(channel), resp.bulk(message))
        if self._replies is None:
            self._said(said)
        else:
            self._replies.append(said)

    def _publish(self, words: list[bytes]) -> bytes:
        return resp.integer(self._cache.channels.publish(*words))

    def _pubsub(self, words: list[bytes]) -> bytes:
        if [word.lower() for word in words[:1]] != [b"channels"]:
            return _unknown(b"pubsub " + b" ".join(words[:1]))
        pattern = words[1].decode("latin-1") if len(words) == 2 else "*"
        found = [name for name in self._cache.channels.names() if fnmatch.fnmatchcase(name.decode("latin-1"), pattern)]
        return resp.array(*map(resp.bulk, found))


_OWN: Mapping[bytes, _Own] = {
    b"auth": _Own(1, None, Session._auth),
    b"hello": _Own(0, None, Session._hello),
    b"reset": _Own(0, 0, Session._reset),
    b"quit": _Own(0, None, Session._quit),
    b"ping": _Own(0, None, Session._ping),
    b"select": _Own(1, 1, Session._select),
    b"client": _Own(1, None, Session._client),
    b"multi": _Own(0, 0, Session._multi),
    b"exec": _Own(0, 0, Session._exec),
    b"discard": _Own(0, 0, Session._discard),
    b"subscribe": _Own(1, None, Session._subscribe),
    b"unsubscribe": _Own(0, None, Session._unsubscribe),
    b"publish": _Own(2, 2, Session._publish),
    b"pubsub": _Own(1, 2, Session._pubsub),
}


def _unknown(name: bytes) -> bytes:
    known = sorted(word.decode() for word in {*ROWS, *_OWN})
    return resp.failure(f"ERR unknown command '{_shown(name)}': this cache knows {', '.join(known)}")


def _shown(name: bytes) -> str:
    return name[:100].decode(errors="replace")
