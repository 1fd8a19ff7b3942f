"""TLS settings and material, without cryptography."""

import functools
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from argocd_agent.errors import ConfigError, KeyMaterialError
from argocd_agent.pki.certificates import Pair, Usage, issue, make_ca
from argocd_agent.pki.glance import certificates_in, check_validity, glance
from argocd_agent.pki.keys import KeyAlgorithm, generate
from argocd_agent.pki.tls import ClientTls, TlsVersion, check_pair, check_versions, cipher_suites, client_context

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_pair() -> Pair:
    ca = make_ca("our CA", "", generate(KeyAlgorithm.ECDSA_P256), NOW, 100)
    dns = ("hub.example.org",)
    return issue(ca, "agent-1", generate(KeyAlgorithm.ECDSA_P256), NOW, usages=(Usage.CLIENT,), days=10, dns=dns)


def test_a_certificate_and_its_key_pass() -> None:
    pair = a_pair()

    check_pair(pair.certificate_pem, pair.key_pem, "Secret x")


def test_the_key_of_another_certificate_is_refused_by_name() -> None:
    with pytest.raises(KeyMaterialError, match=r"Secret x: tls.key is not the private key of tls.crt"):
        check_pair(a_pair().certificate_pem, a_pair().key_pem, "Secret x")


@pytest.mark.parametrize(
    ("certificate", "key", "message"),
    [
        ("", "k", "Secret x, tls.crt: expected a PEM certificate"),
        (None, "", "Secret x, tls.key: expected a PEM private key"),
        (
            None,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----",
            "Secret x, tls.key: expected a private key without a passphrase",
        ),
    ],
)
def test_what_is_missing_is_named_with_its_field(certificate: str | None, key: str, message: str) -> None:
    with pytest.raises(KeyMaterialError, match=message):
        check_pair(a_pair().certificate_pem if certificate is None else certificate, key, "Secret x")


@pytest.mark.feature("C-57")
def test_an_unknown_cipher_suite_is_refused_and_the_known_ones_are_listed() -> None:
    with pytest.raises(ConfigError, match=r"unknown cipher suite 'TLS_X'; known are TLS_AES_128_GCM_SHA256, "):
        cipher_suites(["TLS_X"], TlsVersion.TLS_1_2)


def test_a_suite_that_the_minimum_version_does_not_know_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"is for tls1\.1, tls1\.2, tls-min-version is tls1\.3"):
        cipher_suites(["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"], TlsVersion.TLS_1_3)


def test_a_minimum_above_the_maximum_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"tls-min-version tls1\.3 is above tls-max-version tls1\.2"):
        check_versions(TlsVersion.TLS_1_3, TlsVersion.TLS_1_2)


def test_the_context_demands_a_name_but_not_openssls_strict_mode() -> None:
    pair = a_pair()

    context = client_context(ClientTls(ca_pem=pair.certificate_pem))

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_without_verification_neither_chain_nor_name_is_checked() -> None:
    context = client_context(ClientTls(verify=False))

    assert context.verify_mode is ssl.CERT_NONE
    assert not context.check_hostname


def test_a_ca_that_is_none_is_named() -> None:
    with pytest.raises(KeyMaterialError, match=r"Secret ca, ca.crt: expected a PEM certificate"):
        client_context(ClientTls(ca_pem="nonsense", where_ca="Secret ca, ca.crt"))


def test_a_glance_shows_names_issuer_and_dates() -> None:
    seen = glance(certificates_in(a_pair().certificate_pem, "x")[0], "x")

    assert (seen.common_name, seen.issuer, seen.names) == ("agent-1", "our CA", ("hub.example.org",))
    assert seen.not_after == NOW + timedelta(days=10)


@pytest.mark.parametrize("length", range(0, 300, 7))
def test_a_glance_at_part_of_a_certificate_is_refused(length: int) -> None:
    der = certificates_in(a_pair_cached(), "x")[0]

    with pytest.raises(KeyMaterialError, match=f"x: expected an X.509 certificate, found {length} other bytes"):
        glance(der[:length], "x")


def test_validity_is_checked_at_both_ends_and_the_dates_are_told() -> None:
    pem = a_pair_cached()

    check_validity(pem, NOW + timedelta(days=9), "x")

    with pytest.raises(KeyMaterialError, match="x: the certificate expired on 2026-01-11 00:00:00 UTC"):
        check_validity(pem, NOW + timedelta(days=11), "x")
    with pytest.raises(KeyMaterialError, match="x: the certificate is not valid before 2025-12-31 23:55:00 UTC"):
        check_validity(pem, NOW - timedelta(days=1), "x")


@functools.cache
def a_pair_cached() -> str:
    return a_pair().certificate_pem
