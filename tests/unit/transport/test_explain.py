"""Failures of the connection, as sentences."""

import ssl

import pytest

from argocd_agent.errors import AuthenticationFailed, PeerUnavailable
from argocd_agent.transport.explain import explain, explain_silence


def test_what_the_system_says_of_an_unreachable_host_is_quoted() -> None:
    error = explain(OSError(113, "No route to host"), "hub:443")

    assert isinstance(error, PeerUnavailable)
    assert str(error) == "cannot reach the principal at hub:443: No route to host"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "demands a client certificate"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "has expired"),
        ("TLSV1_ALERT_UNKNOWN_CA", "signed by a CA that it does not know"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "bad"),
    ],
)
def test_an_alert_about_our_certificate_is_a_refusal_in_words(reason: str, words: str) -> None:
    alert = ssl.SSLError(1, "alert")
    alert.reason = reason

    error = explain(alert, "hub:443")

    assert isinstance(error, AuthenticationFailed)
    assert words in str(error)


def test_an_unknown_tls_failure_keeps_openssls_word_for_it() -> None:
    failure = ssl.SSLError(1, "text")
    failure.reason = "SOMETHING_NEW"

    assert str(explain(failure, "hub:443")) == "TLS with the principal at hub:443 failed: SOMETHING_NEW"


def test_silence_in_plaintext_suggests_tls() -> None:
    assert "it may expect TLS" in str(explain_silence(None, "hub:443"))
