"""Method `header`: a service mesh's sidecar says in a header who is calling (wire contract, 2.5).

Only as trustworthy as the way from the sidecar to us, which is why it demands plaintext behind one.
"""

from argocd_agent.errors import AuthenticationFailed
from argocd_agent.principal.auth.identity import Pattern, agent_name
from argocd_agent.principal.auth.mtls import check_common_name
from argocd_agent.protocol.events import AgentName
from argocd_agent.transport.gate import Caller
from argocd_agent.wire.messages import LoginRequest


class Header:
    """Names by the first value of one metadata key."""

    name = "header"
    needs_client_certificates = False
    warnings: tuple[str, ...] = ()

    def __init__(self, header: str, pattern: Pattern) -> None:
        self._header = header.lower()
        self._pattern = pattern

    async def identify(self, _request: LoginRequest, caller: Caller) -> AgentName:
        """As `AuthMethod`."""
        value = caller.metadata.get(self._header)
        if value is None:
            raise AuthenticationFailed(f"{caller.address}: expected the header {self._header}, found none")
        found = self._pattern.name_in(value)
        if not found:
            raise AuthenticationFailed(f"{caller.address}: header {self._header} does not match the pattern: {value!r}")
        return agent_name(found, f"header {self._header} of {caller.address}")

    def check(self, agent: AgentName, caller: Caller, *, match_subject: bool) -> None:
        """As `AuthMethod`: the token speaks for itself."""
        if match_subject:
            check_common_name(agent, caller)
