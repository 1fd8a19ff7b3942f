"""A CA and its leafs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from argocd_agent.errors import ConfigError, KeyMaterialError
from argocd_agent.pki import keys
from argocd_agent.pki.certificates import (
    Pair,
    Usage,
    describe,
    issue,
    load_ca,
    load_certificates,
    load_pair,
    make_ca,
)
from argocd_agent.pki.fingerprints import common_name, fingerprint, load_der, subject_of, to_der, uris
from argocd_agent.pki.keys import KeyAlgorithm, generate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = generate(KeyAlgorithm.ECDSA_P256)
CA = make_ca("our CA", "tests", KEY, NOW, 100)

# A certificate with attributes of every kind, and the subject as Go 1.26 prints it (crypto/x509/pkix Name.String).
ODD_SUBJECT = (
    r"SERIALNUMBER=42,CN=agent-1,OU=ou1+OU=\ ou2\ ,O=a\, Inc+O=\#b\+,POSTALCODE=10115,STREET=Street 1,L=Mitte,"
    r"ST=Berlin,C=DE,2.5.4.4=#1305506c61696e,2.5.4.12=#0c077469746c65202a,"
    r"0.9.2342.19200300.100.1.25=#0c086578c3a46d706c65,1.2.840.113549.1.9.1=#0c056140622e63"
)
ODD_DER = bytes.fromhex(
    "30820311308202b7a003020102020101300a06082a8648ce3d0403023082010f310b3009060355040613024445310f300d06"
    "0355040813064265726c696e310e300c060355040713054d697474653111300f060355040913085374726565742031310e30"
    "0c060355041113053130313135310f300d060355040a1306612c20496e63310c300a060355040a0c0323622b310c300a0603"
    "55040b13036f7531310e300c060355040b1305206f753220310e300c0603550403130566697273743110300e060355040313"
    "076167656e742d31310b30090603550405130234323114301206092a864886f70d0109010c056140622e6331183016060a09"
    "92268993f22c6401190c086578c3a46d706c653110300e060355040c0c077469746c65202a310e300c06035504041305506c"
    "61696e3020170d3730303130313030303030305a180f32303936313030323037303634305a3082010f310b30090603550406"
    "13024445310f300d060355040813064265726c696e310e300c060355040713054d697474653111300f060355040913085374"
    "726565742031310e300c060355041113053130313135310f300d060355040a1306612c20496e63310c300a060355040a0c03"
    "23622b310c300a060355040b13036f7531310e300c060355040b1305206f753220310e300c06035504031305666972737431"
    "10300e060355040313076167656e742d31310b30090603550405130234323114301206092a864886f70d0109010c05614062"
    "2e6331183016060a0992268993f22c6401190c086578c3a46d706c653110300e060355040c0c077469746c65202a310e300c"
    "06035504041305506c61696e3059301306072a8648ce3d020106082a8648ce3d030107034200041fb319cd596c75ab3c4bec"
    "2b42e0110f04b71d03acf67c4da491011f2bdd90143ad2bedabc5b9d79421770be60df8070a52ba734defae7a4a4d0e262a0"
    "698261300a06082a8648ce3d0403020348003045022100c845615ea54dc9cdc0645c974bda58ee3e5960a4e699d9459fc298"
    "d2e6f9f771022012d2dc7701fc2fe1b235a573049a026879d44df0f873260cc10033112583abab"
)


def a_leaf(days: int = 10, **names: Sequence[str]) -> Pair:
    key = generate(KeyAlgorithm.ECDSA_P256)
    dns, ips, uri_names = (names.get(kind, ()) for kind in ("dns", "ips", "uris"))
    return issue(CA, "agent-1", key, NOW, usages=(Usage.CLIENT,), days=days, dns=dns, ips=ips, uris=uri_names)


@pytest.mark.feature("C-78")
@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
def test_keys_of_every_algorithm_sign_and_survive_pem(algorithm: KeyAlgorithm) -> None:
    key = generate(algorithm, 2048)

    again = keys.from_pem(keys.to_pem(key), "x")
    ca = make_ca("CA", "", key, NOW)
    leaf = issue(ca, "a", generate(KeyAlgorithm.ED25519), NOW, usages=(Usage.SERVER,), dns=("a",))

    assert keys.public_der(again.public_key()) == keys.public_der(key.public_key())
    assert keys.to_pem(key).startswith("-----BEGIN PRIVATE KEY-----")
    certificates = [load_certificates(pair.certificate_pem, "x")[0] for pair in (leaf, ca)]
    certificates[0].verify_directly_issued_by(certificates[1])


def test_an_rsa_size_that_is_not_offered_is_refused() -> None:
    with pytest.raises(ConfigError, match="key-size: expected 2048, 3072 or 4096, found 1024"):
        generate(KeyAlgorithm.RSA, 1024)


def test_a_leaf_signs_but_certifies_nothing() -> None:
    certificate = load_certificates(a_leaf().certificate_pem, "x")[0]

    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_two_leafs_have_different_serial_numbers() -> None:
    numbers = {load_certificates(a_leaf().certificate_pem, "x")[0].serial_number for _ in range(2)}

    assert len(numbers) == 2
    assert min(numbers) > 2**64


def test_a_leaf_that_would_outlive_its_ca_is_refused_with_the_maximum() -> None:
    with pytest.raises(ConfigError, match="101 days from now is after the end of the CA; at most 100 days"):
        a_leaf(days=101)


@pytest.mark.parametrize("days", [0, -1])
def test_days_must_be_more_than_none(days: int) -> None:
    with pytest.raises(ConfigError, match=f"days: expected more than 0, found {days}"):
        a_leaf(days=days)


def test_a_bad_ip_address_is_named() -> None:
    with pytest.raises(ConfigError, match=r"ip: expected an IP address, found '1.2.3'"):
        a_leaf(days=1, ips=("1.2.3",))


def test_a_leaf_cannot_play_the_ca() -> None:
    with pytest.raises(
        KeyMaterialError, match="x: expected a CA certificate, found CN=agent-1: the certificate is not a CA"
    ):
        load_ca(a_leaf(days=1), "x")


def test_a_pair_that_does_not_belong_together_is_refused() -> None:
    mixed = Pair(a_leaf(days=1).certificate_pem, a_leaf(days=1).key_pem)

    with pytest.raises(KeyMaterialError, match=r"x: tls.key is not the private key of tls.crt \(CN=agent-1\)"):
        load_pair(mixed, "x")


def test_a_description_tells_what_people_ask_for() -> None:
    leaf = a_leaf(days=10, dns=("hub",), ips=("10.0.0.1", "::1"))
    certificate = load_certificates(leaf.certificate_pem, "x")[0]

    seen = describe(certificate, expect_ca=True)

    assert (seen.subject, seen.key_type, seen.key_bits) == ("CN=agent-1", "ECDSA", 256)
    assert (seen.dns, seen.ips) == (("hub",), ("10.0.0.1", "::1"))
    assert seen.not_after == NOW + timedelta(days=10)
    assert seen.warnings == ("the certificate is not a CA",)
    assert seen.sha256 == fingerprint(to_der(certificate)).lower()


def test_a_subject_is_printed_as_go_prints_it() -> None:
    certificate = load_der(ODD_DER, "vector")

    assert subject_of(certificate) == ODD_SUBJECT
    assert common_name(certificate) == "agent-1"


def test_a_fingerprint_is_upper_case_sha_256_without_separators() -> None:
    assert fingerprint(b"abc") == "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"


def test_uris_come_in_order_and_a_certificate_without_has_none() -> None:
    with_uris = a_leaf(days=1, uris=("spiffe://a/b", "spiffe://a/c"))

    assert uris(load_certificates(with_uris.certificate_pem, "x")[0]) == ["spiffe://a/b", "spiffe://a/c"]
    assert uris(load_certificates(a_leaf(days=1).certificate_pem, "x")[0]) == []


@pytest.mark.parametrize("pem", ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_what_is_no_key_is_refused_with_its_place(pem: str) -> None:
    with pytest.raises(KeyMaterialError, match=r"Secret jwt, jwt.key: expected a private key in PEM \(PKCS#8\)"):
        keys.from_pem(pem, "Secret jwt, jwt.key")
