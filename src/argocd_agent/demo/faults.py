"""A TCP link with faults: cut, restore, delay, half-open, throttle.

`Link` listens on a loopback port and carries every connection to its target, as bytes; TLS passes through
untouched. Faults apply to the connections that are open and to those to come, from the moment they are set.
What a half-open link has swallowed cannot be given back, so setting any other fault, or none, resets the
connections that lost bytes. Buffered bytes are bounded per connection and direction; a reader waits at the limit.

The port is taken when the link is made; `run` carries until it is cancelled, and then closes everything.
"""

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

CHUNK_BYTES = 64 * 1024
BUFFERED_CHUNKS = 64  # per connection and direction: 4 MiB; the sender waits beyond that
LOOPBACK = "127.0.0.1"
BACKLOG = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a link. The default is: nothing."""

    is_cut: bool = False  # open connections are reset, new ones reset at once
    is_half_open: bool = False  # connections stay open and new ones are accepted, but nothing gets through
    delay_seconds: float = 0.0  # each way, on top of the network's own
    bytes_per_second: float | None = None  # per connection and direction; None is no limit


HEALTHY = Fault()
CUT = Fault(is_cut=True)
HALF_OPEN = Fault(is_half_open=True)


class Link:
    """One listening port in front of one target. Bytes are counted in `carried_bytes`, both ways together."""

    def __init__(self, host: str, port: int, fault: Fault = HEALTHY) -> None:
        self._target = (host, port)
        self._listener = socket.create_server((LOOPBACK, 0), backlog=BACKLOG)
        self._listener.setblocking(False)
        self._fault = fault
        self._open: set[_Connection] = set()
        self.carried_bytes = 0

    @property
    def port(self) -> int:
        """Where to connect to, on 127.0.0.1."""
        return int(self._listener.getsockname()[1])

    @property
    def fault(self) -> Fault:
        """What is wrong at the moment."""
        return self._fault

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def set(self, fault: Fault) -> None:
        """From now on the link has *fault* instead of what it had."""
        self._fault = fault
        for connection in list(self._open):
            if fault.is_cut or (connection.has_lost and not fault.is_half_open):
                connection.reset()
            connection.wake()

    def cut(self) -> None:
        """Reset what is open and whatever comes."""
        self.set(CUT)

    def restore(self) -> None:
        """Carry again."""
        self.set(HEALTHY)

    async def run(self) -> None:
        """Carry until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    accepted, peer = await loop.sock_accept(self._listener)
                    if self._fault.is_cut:
                        _abort(accepted)
                    else:
                        tasks.create_task(self._carry(accepted), name=f"link connection from {peer}")
        finally:
            self.close()

    def close(self) -> None:
        """Give the port back; needed only for a link that never ran. Calling it twice is fine."""
        self._listener.close()

    async def _carry(self, accepted: socket.socket) -> None:
        connection = _Connection(self, asyncio.current_task())
        self._open.add(connection)
        try:
            await connection.carry(accepted, self._target)
        except asyncio.CancelledError:
            if not connection.was_reset:  # the whole link is being closed
                raise
        finally:
            self._open.discard(connection)


@dataclass(eq=False)
class _Connection:
    """One accepted connection and the one to the target that belongs to it."""

    link: Link
    task: "asyncio.Task[None] | None"
    was_reset: bool = False
    has_lost: bool = False
    pipes: "list[_Pipe]" = field(default_factory=list)

    def reset(self) -> None:
        """End both sides with RST. Only once: a second cancellation would escape from the clean-up of the first."""
        if not self.was_reset and self.task is not None:
            self.was_reset = True
            self.task.cancel()

    def wake(self) -> None:
        """The fault has changed: look at it again."""
        for pipe in self.pipes:
            pipe.changed.set()

    async def carry(self, accepted: socket.socket, target: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        outgoing = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        outgoing.setblocking(False)
        accepted.setblocking(False)
        for end in (accepted, outgoing):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pipes = [_Pipe(self, accepted, outgoing), _Pipe(self, outgoing, accepted)]
        close: Callable[[socket.socket], None] = _abort
        try:
            await loop.sock_connect(outgoing, target)
            async with asyncio.TaskGroup() as tasks:
                for pipe in self.pipes:
                    tasks.create_task(pipe.read(), name="link read")
                    tasks.create_task(pipe.write(), name="link write")
            close = socket.socket.close  # both directions ended in order: let the kernel deliver the rest
        except* OSError:
            pass  # either end went away: so does the other
        finally:
            close(accepted)
            close(outgoing)


class _Pipe:
    """One direction of one connection. `None` in the buffer is the end of the stream."""

    def __init__(self, connection: _Connection, source: socket.socket, sink: socket.socket) -> None:
        self._connection, self._source, self._sink = connection, source, sink
        self._buffer: deque[tuple[float, bytes | None]] = deque()
        self.changed = asyncio.Event()  # the buffer or the fault

    async def read(self) -> None:
        """Take from the source until its end; bytes that meet a half-open link are gone."""
        loop = asyncio.get_running_loop()
        while True:
            while len(self._buffer) >= BUFFERED_CHUNKS:
                await self._wait(None)
            data = await loop.sock_recv(self._source, CHUNK_BYTES)
            if self._connection.link.fault.is_half_open:
                self._connection.has_lost = True
                if not data:
                    return
                continue
            self._buffer.append((loop.time(), data or None))
            self.changed.set()
            if not data:
                return

    async def write(self) -> None:
        """Give to the sink what is due."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._buffer:
                await self._wait(None)
                continue
            arrived, data = self._buffer[0]
            due = arrived + self._connection.link.fault.delay_seconds
            if loop.time() < due:
                await self._wait(due)
                continue
            self._buffer.popleft()
            self.changed.set()  # the reader may have waited for room
            if self._connection.link.fault.is_half_open:
                self._connection.has_lost = True
            elif data is None:
                with contextlib.suppress(OSError):  # closed by its owner already
                    self._sink.shutdown(socket.SHUT_WR)
                return
            else:
                await self._send(data)

    async def _send(self, data: bytes) -> None:
        """Send at the pace that the link has; a piece is a tenth of a second's worth."""
        loop = asyncio.get_running_loop()
        rest = memoryview(data)
        while rest:
            rate = self._connection.link.fault.bytes_per_second
            size = len(rest) if rate is None else max(1, min(len(rest), int(rate / 10)))
            if rate is not None:
                await self._pace(loop.time() + size / rate, rate)
            await loop.sock_sendall(self._sink, rest[:size])
            self._connection.link.carried_bytes += size
            rest = rest[size:]

    async def _pace(self, until: float, rate: float) -> None:
        """Wait for *until*, or for another pace."""
        loop = asyncio.get_running_loop()
        while loop.time() < until and self._connection.link.fault.bytes_per_second == rate:
            await self._wait(until)

    async def _wait(self, until: float | None) -> None:
        self.changed.clear()
        with contextlib.suppress(TimeoutError):  # not a failure: something fell due
            async with asyncio.timeout_at(until):
                await self.changed.wait()


def _abort(end: socket.socket) -> None:
    """Close with RST: what is unsent is dropped and the peer knows at once."""
    with contextlib.suppress(OSError):  # not connected, or closed before
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
