"""`--auth`, and who each method lets in."""

import asyncio
import functools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from argocd_agent.errors import AuthenticationFailed, ConfigError
from argocd_agent.pki.certificates import Usage, issue, load_certificates, make_ca
from argocd_agent.pki.fingerprints import fingerprint, to_der
from argocd_agent.pki.keys import KeyAlgorithm, generate
from argocd_agent.principal.auth.methods import AuthMethod, parse_method
from argocd_agent.principal.auth.userpass import NOBODY, Verifier, parse_passwords
from argocd_agent.protocol.capabilities import REFERENCE
from argocd_agent.protocol.events import AgentName
from argocd_agent.transport.gate import Caller
from argocd_agent.wire.messages import LoginRequest

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HASH = "$2b$10$" + "a" * 53


@functools.cache
def a_certificate(name: str = "agent-1", uri: str = "") -> bytes:
    ca = make_ca("CA", "", generate(KeyAlgorithm.ECDSA_P256), NOW)
    key = generate(KeyAlgorithm.ECDSA_P256)
    pair = issue(ca, name, key, NOW, usages=(Usage.CLIENT,), days=1, uris=(uri,) if uri else ())
    return to_der(load_certificates(pair.certificate_pem, "x")[0])


def a_caller(certificate: bytes | None = None, metadata: Mapping[str, str] | None = None) -> Caller:
    return Caller("10.0.0.7:1", certificate, "TLSv1.3", metadata or {}, REFERENCE)


def a_method(text: str, *, plaintext: bool = False, blocked: str = "", now: datetime = NOW) -> AuthMethod:
    return parse_method(text, plaintext=plaintext, is_blocked=lambda digest: digest == blocked, now=lambda: now)


def identify(method: AuthMethod, caller: Caller, **credentials: str) -> str:
    request = LoginRequest(method=method.name, mode="managed", version="1", credentials=credentials)
    return asyncio.run(method.identify(request, caller))


@pytest.mark.feature("P-8", "C-52")
def test_the_subject_names_the_agent() -> None:
    method = a_method("mtls:subject:CN=([^,]+)")

    assert identify(method, a_caller(a_certificate())) == "agent-1"
    assert method.needs_client_certificates
    assert method.warnings == ()


def test_a_pattern_without_source_means_the_subject_and_is_deprecated() -> None:
    method = a_method("mtls:CN=([^,]+)")

    assert identify(method, a_caller(a_certificate())) == "agent-1"
    assert "deprecated" in method.warnings[0]


@pytest.mark.feature("P-9", "C-52")
def test_the_first_uri_that_matches_names_the_agent() -> None:
    method = a_method("mtls:uri:/sa/([^/]+)")

    assert identify(method, a_caller(a_certificate("x", "spiffe://t/sa/agent-2"))) == "agent-2"
    with pytest.raises(AuthenticationFailed, match="finds no name in the URI"):
        identify(method, a_caller(a_certificate()))


@pytest.mark.feature("P-18", "C-59")
def test_a_blocked_certificate_is_refused_at_login_and_at_every_call() -> None:
    method = a_method("mtls:subject:CN=([^,]+)", blocked=fingerprint(a_certificate()))

    with pytest.raises(AuthenticationFailed, match="is on the blocklist"):
        identify(method, a_caller(a_certificate()))
    with pytest.raises(AuthenticationFailed, match="is on the blocklist"):
        method.check(AgentName("agent-1"), a_caller(a_certificate()), match_subject=False)


def test_an_expired_certificate_is_refused_even_if_tls_let_it_in() -> None:
    method = a_method("mtls:subject:CN=([^,]+)", now=NOW + timedelta(days=2))

    with pytest.raises(AuthenticationFailed, match="has expired"):
        identify(method, a_caller(a_certificate()))


@pytest.mark.feature("P-8", "C-55")
def test_mtls_without_a_certificate_is_refused() -> None:
    with pytest.raises(AuthenticationFailed, match="expected a client certificate, found none"):
        identify(a_method("mtls:subject:CN=([^,]+)"), a_caller())


@pytest.mark.feature("P-17", "C-55", "C-60")
def test_a_token_of_another_agent_does_not_count_on_this_connection() -> None:
    method = a_method("mtls:subject:CN=([^,]+)")

    method.check(AgentName("agent-1"), a_caller(a_certificate()), match_subject=True)
    with pytest.raises(AuthenticationFailed, match="the token is of agent-2, the certificate of agent-1"):
        method.check(AgentName("agent-2"), a_caller(a_certificate()), match_subject=False)


@pytest.mark.feature("P-10", "C-53")
def test_the_header_names_the_agent_whatever_the_case_of_its_name() -> None:
    method = a_method('header:X-Client-Cert:Subject="CN=([^,"]+)', plaintext=True)
    caller = a_caller(metadata={"x-client-cert": 'By=x;Subject="CN=agent-3,O=y"'})

    assert identify(method, caller) == "agent-3"
    with pytest.raises(AuthenticationFailed, match="expected the header x-client-cert, found none"):
        identify(method, a_caller())


@pytest.mark.feature("P-11", "C-54")
def test_a_password_lets_in_whom_it_belongs_to(tmp_path: Path) -> None:
    file = tmp_path / "passwd"
    file.write_text(f"# people\nagent-1:{HASH}\n")
    seen: list[tuple[bytes, bytes]] = []

    def verify(password: bytes, digest: bytes) -> bool:
        seen.append((password, digest))
        return password == b"secret"

    def verifier() -> Verifier:
        return verify

    method = parse_method(f"userpass:{file}", plaintext=False, is_blocked=lambda _: False, verifier=verifier)

    assert identify(method, a_caller(), clientid="agent-1", clientsecret="secret") == "agent-1"
    for name, password in (("agent-1", "wrong"), ("agent-2", "secret"), ("", "")):
        with pytest.raises(AuthenticationFailed, match="wrong name or password"):
            identify(method, a_caller(), clientid=name, clientsecret=password)
    assert len(seen) == 4  # an unknown name costs as much as a known one


def test_lines_that_are_no_passwords_are_skipped_and_named() -> None:
    text = f"\n// x\nA:{HASH}\na:plain\na:{HASH}\na:{HASH[:-1]}b\n"

    passwords = parse_passwords(text, "passwd")

    assert passwords.hashes == {"a": HASH[:-1] + "b"}
    assert passwords.warnings == (
        "passwd, line 3: expected an agent name before the colon, skipped",
        "passwd, line 4: expected a bcrypt hash ($2a$, $2b$, $2x$ or $2y$), skipped",
    )


@pytest.mark.feature("P-3", "C-53")
@pytest.mark.parametrize(
    ("text", "plaintext", "message"),
    [
        ("", False, "expected <method>:<configuration>, found ''"),
        ("mtls", False, "expected <method>:<configuration>, found 'mtls'"),
        ("ldap:x", False, "expected mtls, header or userpass, found 'ldap'"),
        ("mtls:", False, "mtls needs a pattern"),
        ("mtls:CN=([^,]+)", True, "mtls needs TLS"),
        ("header:x:(.*)", False, "header trusts whoever sets the header"),
        ("header:x", True, "expected header:<name>:<pattern>"),
        ("header: :(.*)", True, "expected header:<name>:<pattern>"),
        ("userpass:/does/not/exist", False, "cannot read the password file '/does/not/exist'"),
    ],
)
def test_a_method_that_cannot_work_stops_the_start(text: str, plaintext: bool, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        a_method(text, plaintext=plaintext)


def test_the_hash_for_unknown_names_is_one_that_a_file_could_hold() -> None:
    assert parse_passwords(f"a:{NOBODY}", "passwd").hashes == {"a": NOBODY}
