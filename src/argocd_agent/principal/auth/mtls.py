"""Method `mtls`: the name stands in the client certificate, which TLS has verified (wire contract, 2.4)."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from argocd_agent.errors import AuthenticationFailed, KeyMaterialError
from argocd_agent.pki.fingerprints import Certificate, common_name, fingerprint, load_der, subject_of, uris
from argocd_agent.principal.auth.identity import Pattern, agent_name
from argocd_agent.protocol.events import AgentName
from argocd_agent.transport.gate import Caller
from argocd_agent.wire.messages import LoginRequest


class Source(StrEnum):
    """Where in the certificate the pattern looks."""

    SUBJECT = "subject"
    URI = "uri"


class Mtls:
    """Names by certificate. *is_blocked* is asked with a fingerprint, as the blocklist spells it."""

    name = "mtls"
    needs_client_certificates = True

    def __init__(
        self,
        source: Source,
        pattern: Pattern,
        is_blocked: Callable[[str], bool],
        now: Callable[[], datetime],
        warnings: tuple[str, ...] = (),
    ) -> None:
        self._source = source
        self._pattern = pattern
        self._is_blocked = is_blocked
        self._now = now
        self.warnings = warnings

    async def identify(self, _request: LoginRequest, caller: Caller) -> AgentName:
        """As `AuthMethod`."""
        return self._name_of(caller)

    def check(self, agent: AgentName, caller: Caller, *, match_subject: bool) -> None:
        """As `AuthMethod`: the connection must be the agent's own, and its certificate not blocked meanwhile."""
        found = self._name_of(caller)
        if found != agent:
            raise AuthenticationFailed(f"{caller.address}: the token is of {agent}, the certificate of {found}")
        if match_subject:
            check_common_name(agent, caller)

    def _name_of(self, caller: Caller) -> AgentName:
        if caller.certificate is None:
            raise AuthenticationFailed(f"{caller.address}: expected a client certificate, found none")
        digest = fingerprint(caller.certificate)
        if self._is_blocked(digest):
            raise AuthenticationFailed(f"{caller.address}: certificate {digest} is on the blocklist")
        certificate = _certificate(caller.certificate, caller)
        # A resumed TLS session is not verified again, so a certificate may have run out since.
        if self._now() > certificate.not_valid_after_utc:
            raise AuthenticationFailed(f"{caller.address}: its certificate has expired")
        texts = uris(certificate) if self._source is Source.URI else [subject_of(certificate)]
        found = next((name for name in map(self._pattern.name_in, texts) if name), "")
        if not found:
            where = "URI" if self._source is Source.URI else "subject"
            raise AuthenticationFailed(f"{caller.address}: the pattern finds no name in the {where}, {texts}")
        return agent_name(found, f"client certificate of {caller.address}")


def check_common_name(agent: AgentName, caller: Caller) -> None:
    """Nothing, or `AuthenticationFailed` when the caller's certificate, if there is one, is of another name."""
    if caller.certificate is not None:
        found = common_name(_certificate(caller.certificate, caller))
        if found != agent:
            raise AuthenticationFailed(f"{caller.address}: the token is of {agent}, the certificate's CN is {found!r}")


def _certificate(der: bytes, caller: Caller) -> Certificate:
    try:
        return load_der(der, f"client certificate of {caller.address}")
    except KeyMaterialError as error:
        raise AuthenticationFailed(str(error)) from error
