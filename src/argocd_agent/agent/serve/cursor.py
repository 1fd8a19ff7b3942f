"""Where in a container's log we are, so that another call goes on exactly there. Pure.

Kubernetes can start a log at a second, not at a line. So a followed log is asked for with timestamps, and the first
line at each step of `STEP_BYTES` is marked: how many bytes were handed out before it, its timestamp, and how many lines
of the same timestamp came before it. The hub says how many bytes have arrived; the log is read again from the second of
the last mark before that, and what has arrived is left out, by count. Nothing is lost and nothing comes twice, but for
what the node has thrown away meanwhile.

Lines are `<timestamp> <text>`; the timestamp is taken off where nobody asked for it. Driven by `feed` with what was
read, `rest` at the end, and `resume` before the log is read again.
"""

from collections import deque
from dataclasses import dataclass

from argocd_agent.errors import DecodeError
from argocd_agent.wire.timestamps import parse_nanoseconds

STEP_BYTES = 64 * 1024
MARKS = 1024  # with the step: what may be on its way to the hub, 64 MiB
LONGEST_STAMP_BYTES = 40  # 2026-11-21T12:00:00.123456789+00:00 has 35
MARGIN_NANOSECONDS = 100_000_000  # how far before the last line a hub that says nothing is served from


@dataclass(frozen=True, slots=True)
class _Mark:
    offset: int
    stamp: bytes
    index: int


class Cursor:
    """One log."""

    def __init__(self, *, keeps_timestamps: bool) -> None:
        self._keeps = keeps_timestamps
        self._marks: deque[_Mark] = deque(maxlen=MARKS)
        self._held = b""  # the start of a line whose timestamp is not complete
        self._is_at_start = True
        self._stamp, self._index = b"", 0
        self._last_stamp = b""  # of the last line that was handed out
        self._wanted: _Mark | None = None  # left out up to here
        self._wanted_at = 0
        self._surplus = 0  # bytes still to be left out
        self._sent = 0  # bytes up to here, those left out counted
        self._arrived = 0

    @property
    def has_lines(self) -> bool:
        """Whether there is a line to go on from."""
        return bool(self._marks)

    @property
    def position(self) -> int:
        """How many bytes of the log were handed out, or are known to have arrived."""
        return max(self._sent, self._arrived)

    def feed(self, piece: bytes) -> bytes:
        """What to hand out for *piece*."""
        data, self._held = self._held + piece, b""
        at, parts = 0, []
        while at < len(data):
            if self._is_at_start:
                text_at = self._start(data, at)
                if text_at is None:
                    self._held = data[at:]
                    break
                at = text_at
            newline = data.find(b"\n", at)
            end = len(data) if newline < 0 else newline + 1
            self._is_at_start = newline >= 0
            if self._wanted is None:
                part = data[at:end]
                self._sent += len(part)
                parts.append(part)
            at = end
        return self._without_surplus(b"".join(parts))

    def rest(self) -> bytes:
        """What to hand out at the end of the log: a line without its end."""
        held, self._held = self._held, b""
        if self._wanted is not None:
            return b""
        self._sent += len(held)
        return self._without_surplus(held)

    def resume(self, arrived_bytes: int | None) -> int | None:
        """The log will be read again: from which second on, since 1970. None: from where it was read at first.

        *arrived_bytes* None: nobody knows; then it is read again from a little before the last line, from which on
        lines come twice rather than not at all. Raises `ValueError` for a place that is not marked any more.
        """
        self._held, self._is_at_start = b"", True
        self._stamp, self._index, self._surplus = b"", 0, 0
        if not self._marks:
            return None
        if arrived_bytes is None:
            self._wanted = None
            return (_nanoseconds(self._last_stamp) - MARGIN_NANOSECONDS) // 1_000_000_000
        while self._marks[-1].offset > arrived_bytes and len(self._marks) > 1:
            self._marks.pop()
        mark = self._marks[-1]
        if mark.offset > arrived_bytes:
            raise ValueError(f"only {arrived_bytes} bytes have arrived, expected at least {mark.offset}")
        self._wanted, self._wanted_at = mark, _nanoseconds(mark.stamp)
        self._sent, self._surplus, self._arrived = mark.offset, arrived_bytes - mark.offset, arrived_bytes
        return self._wanted_at // 1_000_000_000

    def _start(self, data: bytes, at: int) -> int | None:
        """A line starts at *at*: where to hand it out from. None: more of it must come first."""
        space = data.find(b" ", at, at + LONGEST_STAMP_BYTES)
        newline = data.find(b"\n", at, at + LONGEST_STAMP_BYTES)
        if space < 0 and newline < 0 and len(data) - at < LONGEST_STAMP_BYTES:
            return None
        end = space if space >= 0 and (newline < 0 or space < newline) else newline
        stamp = data[at : max(end, at)]
        if len(stamp) < 20 or stamp[10:11] != b"T":
            return at  # a word of the kubelet's own, without a timestamp
        self._line(stamp)
        # Of an empty line some runtimes leave out the space.
        return at if self._keeps else (end + 1 if end == space else end)

    def _line(self, stamp: bytes) -> None:
        self._index = self._index + 1 if stamp == self._stamp else 0
        self._stamp = stamp
        if self._wanted is not None:
            self._look_for(self._wanted, stamp)
        if self._wanted is None:
            self._last_stamp = stamp
            if not self._marks or self._sent - self._marks[-1].offset >= STEP_BYTES:
                self._marks.append(_Mark(self._sent, stamp, self._index))

    def _look_for(self, wanted: _Mark, stamp: bytes) -> None:
        if stamp == wanted.stamp and self._index == wanted.index:
            self._wanted = None
        elif stamp != wanted.stamp and _nanoseconds(stamp) > max(self._wanted_at, _nanoseconds(self._last_stamp)):
            # The node has thrown away the line that we look for: what is newer than all we knew is what there is.
            self._wanted, self._surplus, self._sent = None, 0, self._arrived

    def _without_surplus(self, data: bytes) -> bytes:
        if not self._surplus:
            return data
        left_out = min(self._surplus, len(data))
        self._surplus -= left_out
        return data[left_out:]


def _nanoseconds(stamp: bytes) -> int:
    """The time that *stamp* says; 0 for what is none."""
    try:
        return parse_nanoseconds(stamp.decode("ascii", "replace"))
    except DecodeError:
        return 0
