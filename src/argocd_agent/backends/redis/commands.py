"""What our own cache answers: the commands that Argo CD's controller and repo-server send, and some beside them.

One row per command: how many words it may have, and a function that gives the reply. Source:
https://redis.io/docs/latest/commands/. What a command of Redis can do beyond this is answered with an error that names
it; nothing is done by halves.
"""

import fnmatch
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from argocd_agent.backends.redis.store import Store
from argocd_agent.wire import resp

_OK = resp.simple("OK")
_NOT_A_NUMBER = resp.failure("ERR value is not an integer or out of range")
_SYNTAX = resp.failure("ERR syntax error")


@dataclass(frozen=True, slots=True)
class Request:
    """One command: its words after the name, when it came (seconds by the store's clock, and since 1970), and the
    protocol's version."""

    words: list[bytes]
    now: float
    epoch: float
    version: int


@dataclass(frozen=True, slots=True)
class Row:
    """A command with *least* to *most* words after its name; None: any number."""

    least: int
    most: int | None
    answer: Callable[[Store, Request], bytes]


class _Wrong(Exception):
    """The reply is an error."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply)
        self.reply = reply


class _Counted(Protocol):
    """What knows how many words it may have."""

    @property
    def least(self) -> int: ...
    @property
    def most(self) -> int | None: ...


def fits(row: _Counted, words: list[bytes]) -> bool:
    """Whether *words* are not too few and not too many for *row*."""
    return row.least <= len(words) and (row.most is None or len(words) <= row.most)


def answer(store: Store, row: Row, request: Request) -> bytes:
    """The reply to a command whose words fit."""
    try:
        return row.answer(store, request)
    except _Wrong as wrong:
        return wrong.reply


def wrong_number(name: bytes) -> bytes:
    """The error for too few words, or too many."""
    return resp.failure(f"ERR wrong number of arguments for '{name.decode(errors='replace')}' command")


def _get(store: Store, request: Request) -> bytes:
    value = store.get(request.words[0], request.now)
    return resp.null(request.version) if value is None else resp.bulk(value)


@dataclass(slots=True)
class _SetOptions:
    """What stands behind the value of a SET."""

    expires_at: float | None = None
    only_new: bool = False
    only_old: bool = False
    keeps_time: bool = False
    gives_old: bool = False


def _set(store: Store, request: Request) -> bytes:
    key, value = request.words[:2]
    options, old = _set_options(request), store.get(key, request.now)
    given = resp.null(request.version) if old is None else resp.bulk(old)
    if (options.only_new and old is not None) or (options.only_old and old is None):
        return given if options.gives_old else resp.null(request.version)
    expires_at = options.expires_at
    if options.keeps_time:
        left = store.remaining(key, request.now)
        expires_at = None if left is None or math.isinf(left) else request.now + left
    _keep(store, request, key, value, expires_at)
    return given if options.gives_old else _OK


def _set_options(request: Request) -> _SetOptions:
    options, words = _SetOptions(), iter(request.words[2:])
    for word in words:
        match word.lower():
            case b"nx":
                options.only_new = True
            case b"xx":
                options.only_old = True
            case b"keepttl":
                options.keeps_time = True
            case b"get":
                options.gives_old = True
            case (b"ex" | b"px" | b"exat" | b"pxat") as unit:
                options.expires_at = _moment(unit, next(words, None), request)
            case _:
                raise _Wrong(_SYNTAX)
    if options.only_new and options.only_old:
        raise _Wrong(_SYNTAX)
    return options


def _keep(store: Store, request: Request, key: bytes, value: bytes, expires_at: float | None) -> None:
    if not store.set(key, value, request.now, expires_at=expires_at):
        raise _Wrong(resp.failure(f"OOM the value is larger than the cache's memory of {store.limit_bytes} bytes"))


def _set_with_time(unit: bytes) -> Callable[[Store, Request], bytes]:
    def answered(store: Store, request: Request) -> bytes:
        key, time, value = request.words
        _keep(store, request, key, value, _moment(unit, time, request))
        return _OK

    return answered


def _set_if_new(store: Store, request: Request) -> bytes:
    key, value = request.words
    if store.get(key, request.now) is not None:
        return resp.integer(0)
    _keep(store, request, key, value, None)
    return resp.integer(1)


def _get_many(store: Store, request: Request) -> bytes:
    return resp.array(*(_get(store, _about(request, key)) for key in request.words))


def _delete(store: Store, request: Request) -> bytes:
    return resp.integer(sum(store.delete(key, request.now) for key in request.words))


def _exists(store: Store, request: Request) -> bytes:
    return resp.integer(sum(store.remaining(key, request.now) is not None for key in request.words))


def _expire(unit: bytes) -> Callable[[Store, Request], bytes]:
    def answered(store: Store, request: Request) -> bytes:
        key, time, *options = request.words
        if options:
            raise _Wrong(resp.failure(f"ERR Unsupported option {options[0][:100].decode(errors='replace')}"))
        until = _moment(unit, time, request, least=None)
        is_there = store.expire(key, request.now, until)
        return resp.integer(1 if is_there else 0)

    return answered


def _persist(store: Store, request: Request) -> bytes:
    left = store.remaining(request.words[0], request.now)
    if left is None or math.isinf(left):
        return resp.integer(0)
    store.expire(request.words[0], request.now, None)
    return resp.integer(1)


def _remaining(per_second: int) -> Callable[[Store, Request], bytes]:
    def answered(store: Store, request: Request) -> bytes:
        left = store.remaining(request.words[0], request.now)
        if left is None:
            return resp.integer(-2)
        return resp.integer(-1 if math.isinf(left) else math.ceil(left * per_second))

    return answered


def _type(store: Store, request: Request) -> bytes:
    is_there = store.remaining(request.words[0], request.now) is not None
    return resp.simple("string" if is_there else "none")


def _scan(store: Store, request: Request) -> bytes:
    """All at once: one who scans sees every key that is there throughout, and the cursor is 0 again."""
    _number(request.words[0])
    pattern, options = "*", iter(request.words[1:])
    for option in options:
        value = next(options, None)
        if value is None or option.lower() not in (b"match", b"count"):
            raise _Wrong(_SYNTAX)
        if option.lower() == b"match":
            pattern = value.decode("latin-1")
        else:
            _number(value)
    return resp.array(resp.bulk(b"0"), _matching(store, request, pattern))


def _keys(store: Store, request: Request) -> bytes:
    return _matching(store, request, request.words[0].decode("latin-1"))


def _matching(store: Store, request: Request, pattern: str) -> bytes:
    keys = store.keys(request.now)
    return resp.array(*(resp.bulk(key) for key in keys if fnmatch.fnmatchcase(key.decode("latin-1"), pattern)))


def _size(store: Store, request: Request) -> bytes:
    return resp.integer(len(store.keys(request.now)))


def _clear(store: Store, request: Request) -> bytes:
    if [word.lower() for word in request.words] not in ([], [b"sync"], [b"async"]):
        raise _Wrong(_SYNTAX)
    store.clear()
    return _OK


def _info(store: Store, request: Request) -> bytes:
    lines = (
        "# Server",
        "redis_version:7.0.0",  # what clients take for granted of a server that has all of this
        "redis_mode:standalone",
        "# Memory",
        f"used_memory:{store.used_bytes}",
        f"maxmemory:{store.limit_bytes}",
        "maxmemory_policy:allkeys-lru",
        "# Stats",
        f"evicted_keys:{store.evicted}",
        "# Keyspace",
        f"db0:keys={len(store)}",
    )
    return resp.bulk("".join(f"{line}\r\n" for line in lines).encode())


def _moment(unit: bytes, text: bytes | None, request: Request, least: int | None = 1) -> float:
    """When a time given as *unit* is over, by the store's clock."""
    number = _number(text)
    if least is not None and number < least:
        raise _Wrong(resp.failure("ERR invalid expire time"))
    seconds = number / 1000 if unit.startswith(b"p") else float(number)
    return request.now + seconds - (request.epoch if unit.endswith(b"at") else 0.0)


def _number(text: bytes | None) -> int:
    digits = (text or b"").removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 18:
        raise _Wrong(_NOT_A_NUMBER)
    return int(text or b"0")


def _about(request: Request, key: bytes) -> Request:
    return Request([key], request.now, request.epoch, request.version)


ROWS: Mapping[bytes, Row] = {
    b"get": Row(1, 1, _get),
    b"mget": Row(1, None, _get_many),
    b"set": Row(2, None, _set),
    b"setex": Row(3, 3, _set_with_time(b"ex")),
    b"psetex": Row(3, 3, _set_with_time(b"px")),
    b"setnx": Row(2, 2, _set_if_new),
    b"del": Row(1, None, _delete),
    b"unlink": Row(1, None, _delete),
    b"exists": Row(1, None, _exists),
    b"expire": Row(2, None, _expire(b"ex")),
    b"pexpire": Row(2, None, _expire(b"px")),
    b"expireat": Row(2, None, _expire(b"exat")),
    b"pexpireat": Row(2, None, _expire(b"pxat")),
    b"persist": Row(1, 1, _persist),
    b"ttl": Row(1, 1, _remaining(1)),
    b"pttl": Row(1, 1, _remaining(1000)),
    b"type": Row(1, 1, _type),
    b"scan": Row(1, None, _scan),
    b"keys": Row(1, 1, _keys),
    b"dbsize": Row(0, 0, _size),
    b"flushdb": Row(0, None, _clear),
    b"flushall": Row(0, None, _clear),
    b"info": Row(0, None, _info),
    b"echo": Row(1, 1, lambda _, request: resp.bulk(request.words[0])),
    b"command": Row(0, None, lambda _, request: resp.array()),
}
