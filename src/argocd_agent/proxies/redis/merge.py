"""What the hub's Redis says, with replies of ours in their places. Pure; see `connection`.

A place is marked by a fence: a PING whose token comes back when all replies before it have. What is behind a place that
has been reached waits until its reply is known.
"""

from collections import deque
from dataclasses import dataclass

from argocd_agent.wire import resp
from argocd_agent.wire.respframes import reply_end

_PONG = b"*2\r\n$4\r\npong\r\n"  # stands before the token where a client of version 2 is subscribed


@dataclass(slots=True)
class Slot:
    """A place among the replies that is ours. `reply` None: not known yet."""

    token: bytes
    reply: bytes | None = None
    channel: bytes | None = None  # of a message
    change: bytes | None = None  # a command that is passed on alone, when the place is reached
    is_last: bool = False  # the connection ends with it
    is_reached: bool = False


def ping(token: bytes) -> bytes:
    """The command that is a fence."""
    return resp.command("PING", token)


def is_pong(reply: bytes, token: bytes) -> bool:
    """Whether *reply* is what a fence brings back."""
    return reply in (resp.bulk(token), _PONG + resp.bulk(token))


class Merge:
    """Bytes of the hub's Redis, not yet passed on, and the places that are still to come."""

    def __init__(self) -> None:
        self.slots: deque[Slot] = deque()
        self.heard = bytearray()

    def place(self, slot: Slot) -> bytes:
        """Note *slot* as the last; the fence that must be sent for it now."""
        self.slots.append(slot)
        return ping(slot.token)

    def passed(self, is_subscribed: bool) -> tuple[bytes, Slot | None]:
        """What can be passed on now, and the slot that comes after it, if it is that slot's turn."""
        if not self.slots:
            data = bytes(self.heard)
            self.heard.clear()
            return data, None
        slot, data = self.slots[0], b""
        if not slot.is_reached:
            data = self._up_to(slot, is_subscribed)
        if not slot.is_reached or (slot.reply is None and slot.change is None):
            return data, None
        self.slots.popleft()
        return data, slot

    def reply(self) -> bytes | None:
        """The next reply alone; None if it is not all there. Raises `DecodeError` where there is none."""
        end = reply_end(self.heard, 0)
        if end is None:
            return None
        data = bytes(self.heard[:end])
        del self.heard[:end]
        return data

    def _up_to(self, slot: Slot, is_subscribed: bool) -> bytes:
        """What is before *slot*, as far as it has come."""
        fence = resp.bulk(slot.token)
        at = self.heard.find(fence)
        if at < 0:
            kept = max(_begun(self.heard, fence), _begun(self.heard, _PONG + fence) if is_subscribed else 0)
            data = bytes(self.heard[: len(self.heard) - kept])
            del self.heard[: len(data)]
            return data
        slot.is_reached = True
        before = at - len(_PONG) if is_subscribed and self.heard.endswith(_PONG, 0, at) else at
        data = bytes(self.heard[:before])
        del self.heard[: at + len(fence)]
        return data


def _begun(heard: bytearray, fence: bytes) -> int:
    """How many bytes at the end of *heard* may be the beginning of *fence*."""
    tail = bytes(heard[-len(fence) + 1 :])
    for begin in range(len(tail)):
        if fence.startswith(tail[begin:]):
            return len(tail) - begin
    return 0
