"""Container logs and terminals: StreamLogs and StreamTerminal (wire contract, 7). Thin: admits, and asks the gate."""

from collections.abc import Callable, Mapping
from typing import Any

from argocd_agent.transport.gate import Caller, Gate, Identity
from argocd_agent.transport.interceptors import Context
from argocd_agent.transport.serverframes import ServerFrames
from argocd_agent.wire.datastreams import LogFrame, LogReply, TerminalFrame


class DataStreams:
    """Holds the open calls, so that a stop can end them."""

    def __init__(self, gate: Gate, announced: Mapping[str, str], admit: Callable[[Caller], Identity]) -> None:
        self._gate, self._announced, self._admit = gate, announced, admit
        self._open: set[ServerFrames[Any, Any]] = set()

    async def logs(self, context: Context, caller: Caller) -> bytes:
        """Take one log. Raises what decides the status."""
        identity = self._admit(caller)
        stream = ServerFrames[LogFrame, LogReply](context, caller, self._announced, LogFrame.decode)
        self._open.add(stream)
        try:
            return (await self._gate.log_stream(identity, stream)).encode()
        finally:
            self._ended(stream)

    async def terminal(self, context: Context, caller: Caller) -> bytes:
        """Serve one terminal. Raises what decides the status; ends normally for OK."""
        identity = self._admit(caller)
        stream = ServerFrames[TerminalFrame, TerminalFrame](context, caller, self._announced, TerminalFrame.decode)
        self._open.add(stream)
        try:
            await self._gate.terminal_stream(identity, stream)
        finally:
            self._ended(stream)
        return b""

    def close(self, reason: str) -> None:
        """End every open call, for *reason*."""
        for stream in tuple(self._open):
            stream.lost(reason)

    def _ended(self, stream: ServerFrames[Any, Any]) -> None:
        self._open.discard(stream)
        stream.lost("it has ended")  # for whoever still holds it, also when the handler was cancelled
