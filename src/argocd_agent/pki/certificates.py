"""A small CA: its own certificate, leafs for principal, proxies and agents, and a description of any of them.

Serial numbers are random (RFC 5280, 4.1.2.2), leafs carry digitalSignature and only the extended usages that they
are for. Times come in as arguments, time zone UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from argocd_agent.errors import ConfigError, KeyMaterialError
from argocd_agent.pki import keys
from argocd_agent.pki.fingerprints import fingerprint, subject_of, to_der

CA_DAYS = 3650
LEAF_DAYS = 180
_SKEW = timedelta(minutes=5)  # clocks of hub and spokes differ a little
_INTERMEDIATES = 0  # this CA signs leafs only


class Usage(Enum):
    """What a leaf is for."""

    SERVER = ExtendedKeyUsageOID.SERVER_AUTH
    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate_pem: str
    key_pem: str


@dataclass(frozen=True, slots=True)
class Description:
    """What `pki inspect` shows. `sha256` is the lower-case hex digest of the DER."""

    subject: str
    key_type: str
    key_bits: int
    not_before: datetime
    not_after: datetime
    sha256: str
    ips: tuple[str, ...]
    dns: tuple[str, ...]
    warnings: tuple[str, ...]


def make_ca(name: str, organization: str, key: keys.PrivateKey, now: datetime, days: int = CA_DAYS) -> Pair:
    """A self-signed CA called *name*, valid from *now* for *days*. Raises `ConfigError` for days that are none."""
    end = now + _whole_days(days)
    subject = _name(name, organization)
    builder = _builder(subject, subject, key.public_key(), now, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=_INTERMEDIATES), critical=True)
    builder = builder.add_extension(_key_usage(ca=True), critical=True)
    return Pair(_pem(builder.sign(key, _digest(key))), keys.to_pem(key))


def issue(
    ca: Pair,
    name: str,
    key: keys.PrivateKey,
    now: datetime,
    *,
    usages: Sequence[Usage],
    days: int = LEAF_DAYS,
    dns: Sequence[str] = (),
    ips: Sequence[str] = (),
    uris: Sequence[str] = (),
    organization: str = "",
) -> Pair:
    """A leaf for *name*, signed by *ca*. Raises `ConfigError` for a bad SAN, or days that outlive the CA;
    `KeyMaterialError` for a CA that is none."""
    ca_certificate, ca_key = load_ca(ca, "CA")
    end = now + _whole_days(days)
    if end > ca_certificate.not_valid_after_utc:
        most = max((ca_certificate.not_valid_after_utc - now).days, 0)
        raise ConfigError(f"days: {days} days from now is after the end of the CA; at most {most} days are possible")
    builder = _builder(_name(name, organization), ca_certificate.subject, key.public_key(), now, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(ca=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage.value for usage in usages]), critical=False)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    builder = builder.add_extension(authority, critical=False)
    names = _alternative_names(dns, ips, uris)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Pair(_pem(builder.sign(ca_key, _digest(ca_key))), keys.to_pem(key))


def load_certificates(pem: str | bytes, where: str) -> list[x509.Certificate]:
    """Every certificate in *pem*. Raises `KeyMaterialError` when there is none or one is broken."""
    try:
        return x509.load_pem_x509_certificates(pem.encode() if isinstance(pem, str) else pem)
    except ValueError as error:
        raise KeyMaterialError(f"{where}: expected certificates in PEM, found none that can be read") from error


def load_pair(pair: Pair, where: str) -> tuple[x509.Certificate, keys.PrivateKey]:
    """The first certificate of *pair* and its key. Raises `KeyMaterialError` when they do not belong together."""
    certificate = load_certificates(pair.certificate_pem, f"{where}, tls.crt")[0]
    key = keys.from_pem(pair.key_pem, f"{where}, tls.key")
    if keys.public_der(_public_key(certificate, where)) != keys.public_der(key.public_key()):
        raise KeyMaterialError(f"{where}: tls.key is not the private key of tls.crt ({subject_of(certificate)})")
    return certificate, key


def load_ca(pair: Pair, where: str) -> tuple[x509.Certificate, keys.PrivateKey]:
    """As `load_pair`, for a certificate that may sign others."""
    certificate, key = load_pair(pair, where)
    problems = _ca_problems(certificate)
    if problems:
        raise KeyMaterialError(f"{where}: expected a CA certificate, found {subject_of(certificate)}: {problems[0]}")
    return certificate, key


def describe(certificate: x509.Certificate, *, expect_ca: bool = False) -> Description:
    """What *certificate* says; with *expect_ca*, a warning for each reason why it is no CA."""
    kind, bits = keys.kind_and_bits(_public_key(certificate, "certificate"))
    names = _names_of(certificate)
    return Description(
        subject=subject_of(certificate),
        key_type=kind,
        key_bits=bits,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        sha256=fingerprint(to_der(certificate)).lower(),
        ips=tuple(str(ip) for ip in names.get_values_for_type(x509.IPAddress)) if names else (),
        dns=tuple(names.get_values_for_type(x509.DNSName)) if names else (),
        warnings=_ca_problems(certificate) if expect_ca else (),
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public: keys.PublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(start - _SKEW).not_valid_after(end)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)


def _name(common_name: str, organization: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_names(dns: Sequence[str], ips: Sequence[str], uris: Sequence[str]) -> list[x509.GeneralName]:
    return [
        *(x509.DNSName(name) for name in dns),
        *(x509.IPAddress(_ip(text)) for text in ips),
        *(x509.UniformResourceIdentifier(uri) for uri in uris),
    ]


def _ip(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError as error:
        raise ConfigError(f"ip: expected an IP address, found {text!r}") from error


def _whole_days(days: int) -> timedelta:
    if days <= 0:
        raise ConfigError(f"days: expected more than 0, found {days}")
    return timedelta(days=days)


def _digest(key: keys.PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _public_key(certificate: x509.Certificate, where: str) -> keys.PublicKey:
    key = certificate.public_key()
    if not isinstance(key, keys.PublicKey):
        raise KeyMaterialError(f"{where}: expected an RSA, ECDSA or Ed25519 key, found {type(key).__name__}")
    return key


def _names_of(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _ca_problems(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return ("the basic constraints are missing",)
    return () if constraints.ca else ("the certificate is not a CA",)
