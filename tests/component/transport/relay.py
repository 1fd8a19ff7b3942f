"""A TCP relay between an agent and a hub that counts bytes, and can cut the link."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Relay:
    """`up` and `down` are the bytes towards the hub and towards the agent."""

    def __init__(self, hub_port: int) -> None:
        self.port = 0
        self.up = 0
        self.down = 0
        self._hub_port = hub_port
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection."""
        hub_reader, hub_writer = await asyncio.open_connection("127.0.0.1", self._hub_port)
        self._writers += [writer, hub_writer]
        self._tasks += [
            asyncio.create_task(self._copy(reader, hub_writer, "up")),
            asyncio.create_task(self._copy(hub_reader, writer, "down")),
        ]

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        """Cut, and wait for the copying to end."""
        self.cut()
        await asyncio.gather(*self._tasks)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                setattr(self, way, getattr(self, way) + len(data))
                writer.write(data)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def relayed(hub_port: int) -> AsyncIterator[Relay]:
    """A relay in front of the hub at *hub_port*."""
    relay = Relay(hub_port)
    server = await asyncio.start_server(relay.join, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        await relay.close()
