"""Values that expire, in bounded memory, and channels: what a cache of our own holds. No I/O; `now` is an argument.

When a new value does not fit, what has expired goes first, then what was read or written longest ago, until it fits:
losing a value of a cache costs the work of making it again, never its truth. A value that would not fit into all of
the memory is not taken. A key costs its bytes, its value's, and `ENTRY_BYTES` for being there.
"""

import heapq
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

ENTRY_BYTES = 200
"""What Python needs for one entry beside its bytes, measured and rounded up."""


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes
    expires_at: float | None


class Store:
    """At most *limit_bytes* of values by key."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes, self.used_bytes, self.evicted = limit_bytes, 0, 0
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()  # what was used longest ago comes first
        self._expiries: list[tuple[float, bytes]] = []  # a heap; what was overwritten is still in it

    def __len__(self) -> int:
        """How many values there are, some of which may have expired."""
        return len(self._entries)

    def get(self, key: bytes, now: float) -> bytes | None:
        """The value; None if there is none, or no more."""
        entry = self._alive(key, now)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry.value

    def set(self, key: bytes, value: bytes, now: float, *, expires_at: float | None = None) -> bool:
        """Keep *value* until *expires_at*, None for ever. False: it is larger than the whole memory."""
        cost = _cost(key, value)
        if cost > self.limit_bytes:
            return False
        self.delete(key, now)
        self._drop_expired(now)
        while self.used_bytes + cost > self.limit_bytes:
            oldest = next(iter(self._entries))
            self._remove(oldest)
            self.evicted += 1
        self._entries[key] = _Entry(value, expires_at)
        self.used_bytes += cost
        self._note_expiry(key, expires_at)
        return True

    def delete(self, key: bytes, now: float) -> bool:
        """Whether there was a value to delete."""
        was_there = self._alive(key, now) is not None
        if key in self._entries:
            self._remove(key)
        return was_there

    def expire(self, key: bytes, now: float, expires_at: float | None) -> bool:
        """Let the value of *key* end then; None: never. Whether there is one."""
        entry = self._alive(key, now)
        if entry is None:
            return False
        self._entries[key] = _Entry(entry.value, expires_at)
        self._note_expiry(key, expires_at)
        return True

    def remaining(self, key: bytes, now: float) -> float | None:
        """Seconds until the value of *key* ends, infinite if it does not. None: there is none."""
        entry = self._alive(key, now)
        if entry is None:
            return None
        return float("inf") if entry.expires_at is None else entry.expires_at - now

    def keys(self, now: float) -> list[bytes]:
        """The keys that there are now."""
        self._drop_expired(now)
        return list(self._entries)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._expiries.clear()
        self.used_bytes = 0

    def _alive(self, key: bytes, now: float) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.expires_at is not None and entry.expires_at <= now:
            self._remove(key)
            return None
        return entry

    def _note_expiry(self, key: bytes, expires_at: float | None) -> None:
        if expires_at is None:
            return
        heapq.heappush(self._expiries, (expires_at, key))
        if len(self._expiries) > 2 * len(self._entries) + 64:  # mostly of what was overwritten
            self._expiries = [(e.expires_at, k) for k, e in self._entries.items() if e.expires_at is not None]
            heapq.heapify(self._expiries)

    def _drop_expired(self, now: float) -> None:
        while self._expiries and self._expiries[0][0] <= now:
            _, key = heapq.heappop(self._expiries)
            self._alive(key, now)

    def _remove(self, key: bytes) -> None:
        entry = self._entries.pop(key)
        self.used_bytes -= _cost(key, entry.value)


class Channels:
    """Who listens to what. A listener is called with each message, at once, and must not wait."""

    def __init__(self) -> None:
        self._listeners: dict[bytes, list[Callable[[bytes], None]]] = {}

    def join(self, channel: bytes, listener: Callable[[bytes], None]) -> None:
        """From now on *listener* hears what is said on *channel*."""
        self._listeners.setdefault(channel, []).append(listener)

    def leave(self, channel: bytes, listener: Callable[[bytes], None]) -> None:
        """*listener* hears no more of *channel*."""
        listeners = self._listeners.get(channel, [])
        if listener in listeners:
            listeners.remove(listener)
        if not listeners:
            self._listeners.pop(channel, None)

    def names(self) -> list[bytes]:
        """The channels that somebody listens to."""
        return list(self._listeners)

    def publish(self, channel: bytes, message: bytes) -> int:
        """Tell everybody on *channel*; how many they were."""
        listeners = tuple(self._listeners.get(channel, ()))
        for listener in listeners:
            listener(message)
        return len(listeners)


def _cost(key: bytes, value: bytes) -> int:
    return len(key) + len(value) + ENTRY_BYTES
