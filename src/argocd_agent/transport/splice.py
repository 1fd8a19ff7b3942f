"""Two connections tied together: what comes in on one goes out on the other, no faster than it is taken.

Bytes are handed on in the loop's callbacks, without tasks. When one side ends, the other is closed; the first reason
is kept, since that of the side towards the network explains the failure that gRPC then reports.
"""

import asyncio
from typing import Self, cast

HIGH_WATER_BYTES = 256 * 1024  # held for a slow reader before its writer is paused


class End(asyncio.Protocol):
    """One of the two connections. `ended` is done, with what the network said, when it is gone. `is_silent` until the
    first byte comes in."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.is_silent = True
        self._transport: asyncio.Transport | None = None
        self._other: Self | None = None
        self._early: list[bytes] = []
        self._write_is_paused = False

    @property
    def transport(self) -> asyncio.Transport | None:
        """The connection. None: not yet made, or gone."""
        return self._transport

    def tie(self, other: Self) -> None:
        """From now on *self* and *other* pass on to each other."""
        self._other, other._other = other, self
        for end, partner in ((self, other), (other, self)):
            end._flush()
            if end.ended.done():
                partner.close()

    def close(self) -> None:
        """End this connection, after what is written has left; the other follows."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio's. After an upgrade to TLS it is called again."""
        self._transport = cast(asyncio.Transport, transport)  # this protocol is only used for streams
        self._transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        if self._other is not None:
            self._other._flush()
            if self._other.ended.done():
                self.close()

    def data_received(self, data: bytes) -> None:
        """As asyncio's: hands on, or keeps what comes before the other end is there."""
        self.is_silent = False
        if self._other is None or self._other._transport is None:
            self._early.append(data)
        else:
            self._other._transport.write(data)

    def eof_received(self) -> bool:
        """As asyncio's. Half-open connections have no use in HTTP/2: the whole is closed."""
        return False

    def pause_writing(self) -> None:
        """As asyncio's: this end takes no more, so the other reads no more."""
        self._write_is_paused = True
        source = self._other._transport if self._other is not None else None
        if source is not None:
            source.pause_reading()

    def resume_writing(self) -> None:
        """As asyncio's."""
        self._write_is_paused = False
        source = self._other._transport if self._other is not None else None
        if source is not None and not source.is_closing():
            source.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio's: the other end is closed, too."""
        self._transport = None
        if not self.ended.done():
            self.ended.set_result(exc)
        if self._other is not None:
            self._other.close()

    def _flush(self) -> None:
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)
