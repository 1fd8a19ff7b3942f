"""Authenticate and RefreshToken, the two calls that hand out tokens (wire contract, 2.6 and 2.7)."""

from collections.abc import Mapping

from argocd_agent.transport.gate import Caller, Gate
from argocd_agent.transport.interceptors import Context, announce_to
from argocd_agent.wire.messages import LoginRequest, RefreshRequest


class Authentication:
    """Thin: decodes, asks the gate, encodes."""

    def __init__(self, gate: Gate, announced: Mapping[str, str]) -> None:
        self._gate = gate
        self._announced = tuple(announced.items())

    async def authenticate(self, request: bytes, context: Context, caller: Caller) -> bytes:
        """Tokens. What we can do is announced to a caller that announced itself."""
        reply = await self._gate.authenticate(LoginRequest.decode(request), caller)
        await announce_to(context, caller, self._announced)
        return reply.encode()

    async def refresh(self, request: bytes, _context: Context, _caller: Caller) -> bytes:
        """A new access token."""
        return (await self._gate.refresh(RefreshRequest.decode(request))).encode()
