"""`mtls:uri`, and certificates with several URIs."""

from datetime import UTC, datetime

import pytest

from argocd_agent.errors import AuthenticationFailed
from argocd_agent.pki.certificates import Usage, issue, load_certificates, make_ca
from argocd_agent.pki.fingerprints import to_der
from argocd_agent.pki.keys import KeyAlgorithm, generate
from argocd_agent.principal.auth.methods import parse_method
from argocd_agent.protocol.capabilities import REFERENCE
from argocd_agent.protocol.events import AgentName
from argocd_agent.transport.gate import Caller

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.feature("P-9", "C-52")
def test_of_several_uris_the_first_that_matches_names_the_agent() -> None:
    ca, key = (make_ca("CA", "", generate(KeyAlgorithm.ECDSA_P256), NOW), generate(KeyAlgorithm.ECDSA_P256))
    uris = ("https://example/agent-0", "spiffe://t/sa/agent-2", "spiffe://t/sa/agent-3")
    pair = issue(ca, "x", key, NOW, usages=(Usage.CLIENT,), days=1, uris=uris)
    caller = Caller("10.0.0.7:1", to_der(load_certificates(pair.certificate_pem, "x")[0]), "TLSv1.3", {}, REFERENCE)
    method = parse_method("mtls:uri:/sa/([^/]+)", plaintext=False, is_blocked=lambda _: False, now=lambda: NOW)

    method.check(AgentName("agent-2"), caller, match_subject=False)

    with pytest.raises(AuthenticationFailed, match="the certificate of agent-2"):
        method.check(AgentName("agent-3"), caller, match_subject=False)
