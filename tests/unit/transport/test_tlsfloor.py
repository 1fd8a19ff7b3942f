"""The floor of TLS versions, as grpc's list of cipher suites."""

import pytest

from argocd_agent.errors import ConfigError
from argocd_agent.pki.tls import TlsVersion, cipher_suites
from argocd_agent.transport.tlsfloor import UNREACHABLE, cipher_list


@pytest.mark.feature("P-20", "C-57")
def test_a_floor_of_tls_1_3_leaves_older_versions_no_suite_to_agree_on() -> None:
    assert cipher_list(TlsVersion.TLS_1_3, None, ()) == UNREACHABLE


def test_a_floor_of_tls_1_2_leaves_grpcs_own_list() -> None:
    assert cipher_list(TlsVersion.TLS_1_2, None, ()) == ""


@pytest.mark.feature("C-57")
def test_chosen_suites_are_named_as_openssl_does() -> None:
    suites = cipher_suites(["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"], TlsVersion.TLS_1_2)

    assert cipher_list(TlsVersion.TLS_1_2, None, suites) == "ECDHE-RSA-AES128-GCM-SHA256"


def test_tls_1_1_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"tls1\.1 is not offered"):
        cipher_list(TlsVersion.TLS_1_1, None, ())


def test_a_maximum_below_the_newest_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"tls-max-version: tls1\.2 cannot be held"):
        cipher_list(TlsVersion.TLS_1_2, TlsVersion.TLS_1_2, ())


def test_a_maximum_of_the_newest_changes_nothing() -> None:
    assert cipher_list(TlsVersion.TLS_1_2, TlsVersion.TLS_1_3, ()) == ""
