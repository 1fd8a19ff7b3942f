"""The Version service: which version we claim to be. Needs no token."""

from argocd_agent.transport.gate import Caller, Gate
from argocd_agent.transport.interceptors import Context
from argocd_agent.wire.messages import VersionReply


class Version:
    """Thin: asks the gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def version(self, _request: bytes, _context: Context, caller: Caller) -> bytes:
        """The version."""
        return VersionReply(version=self._gate.version(caller)).encode()
