"""TLS settings as values, and the agent's TLS context built from PEM text in memory.

Standard library alone, so that the agent's process stays small. Verification is not OpenSSL's strict mode: leaf
certificates made by the reference's command line carry keyCertSign with CA:FALSE, which strict mode refuses.
Names are checked against subject alternative names only, and any certificate in the root pool is an anchor, as in Go.
"""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from argocd_agent.errors import ConfigError, KeyMaterialError
from argocd_agent.pki.glance import certificates_in


class TlsVersion(StrEnum):
    """A protocol version as `--tls-min-version` and `--tls-max-version` name it."""

    TLS_1_1 = "tls1.1"
    TLS_1_2 = "tls1.2"
    TLS_1_3 = "tls1.3"


_ORDER = tuple(TlsVersion)
_OPENSSL_VERSION = {
    TlsVersion.TLS_1_1: ssl.TLSVersion.TLSv1_1,
    TlsVersion.TLS_1_2: ssl.TLSVersion.TLSv1_2,
    TlsVersion.TLS_1_3: ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True, slots=True)
class CipherSuite:
    """One suite: IANA's name, which Go and our flags use, OpenSSL's, and the versions that know it."""

    name: str
    openssl: str
    versions: tuple[TlsVersion, ...]


_UP_TO_1_2 = (TlsVersion.TLS_1_1, TlsVersion.TLS_1_2)
_ONLY_1_2 = (TlsVersion.TLS_1_2,)
_ONLY_1_3 = (TlsVersion.TLS_1_3,)
_ECDHE = "TLS_ECDHE_"

CIPHER_SUITES: tuple[CipherSuite, ...] = (
    CipherSuite("TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", _ONLY_1_3),
    CipherSuite("TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", _ONLY_1_3),
    CipherSuite("TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", _ONLY_1_3),
    CipherSuite(_ECDHE + "ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA", _UP_TO_1_2),
    CipherSuite(_ECDHE + "ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA", _UP_TO_1_2),
    CipherSuite(_ECDHE + "RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA", _UP_TO_1_2),
    CipherSuite(_ECDHE + "RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA", _UP_TO_1_2),
    CipherSuite(_ECDHE + "ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", _ONLY_1_2),
    CipherSuite(_ECDHE + "ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", _ONLY_1_2),
    CipherSuite(_ECDHE + "RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", _ONLY_1_2),
    CipherSuite(_ECDHE + "RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", _ONLY_1_2),
    CipherSuite(_ECDHE + "RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", _ONLY_1_2),
    CipherSuite(_ECDHE + "ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", _ONLY_1_2),
)
_BY_NAME = {suite.name: suite for suite in CIPHER_SUITES}


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What a listener shows and trusts, as PEM texts. `ca_pem` is what client certificates must be signed by."""

    certificate_pem: str
    key_pem: str
    ca_pem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """How the agent's end of TLS is set up. PEM texts; empty means none.

    An empty `ca_pem` trusts what the system trusts; `verify` False trusts anybody. `server_name` is what the
    certificate must be for; empty: the host that was dialled. `where` names the source of the certificate and its
    key in messages, `where_ca` that of the CA. `alpn` is the protocol that is offered, empty for none.
    """

    ca_pem: str = ""
    certificate_pem: str = ""
    key_pem: str = ""
    verify: bool = True
    server_name: str = ""
    minimum: TlsVersion = TlsVersion.TLS_1_2
    maximum: TlsVersion | None = None
    ciphers: tuple[CipherSuite, ...] = ()
    where: str = "client certificate"
    where_ca: str = "root CA"
    alpn: str = "h2"


def check_versions(minimum: TlsVersion, maximum: TlsVersion | None) -> None:
    """Nothing, or `ConfigError` when no version lies between *minimum* and *maximum*."""
    if maximum is not None and _ORDER.index(minimum) > _ORDER.index(maximum):
        raise ConfigError(f"tls-min-version {minimum} is above tls-max-version {maximum}")


def cipher_suites(names: Sequence[str], minimum: TlsVersion) -> tuple[CipherSuite, ...]:
    """The suites called *names*. Raises `ConfigError` for an unknown one, or one that *minimum* does not know."""
    found = []
    for name in names:
        suite = _BY_NAME.get(name.strip())
        if suite is None:
            known = ", ".join(_BY_NAME)
            raise ConfigError(f"tls-ciphersuites: unknown cipher suite {name.strip()!r}; known are {known}")
        if minimum not in suite.versions:
            raise ConfigError(
                f"tls-ciphersuites: {suite.name} is for {', '.join(suite.versions)}, tls-min-version is {minimum}"
            )
        found.append(suite)
    return tuple(found)


def client_context(tls: ClientTls) -> ssl.SSLContext:
    """The TLS context for dialling: a principal, or a Redis. Raises `KeyMaterialError`, `ConfigError`."""
    check_versions(tls.minimum, tls.maximum)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    version_limits(context, tls.minimum, tls.maximum, tls.ciphers)
    if tls.alpn:
        context.set_alpn_protocols([tls.alpn])
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca_pem:
        _trust(context, tls.ca_pem, tls.where_ca)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if tls.certificate_pem or tls.key_pem:
        load_pair(context, tls.certificate_pem, tls.key_pem, tls.where)
    return context


def server_context(tls: ServerTls, minimum: TlsVersion = TlsVersion.TLS_1_2) -> ssl.SSLContext:
    """The TLS context for serving HTTP/1.1 to who has a certificate of the CA, and to nobody else.

    No session is resumed: a certificate that is trusted no more is looked at again. Raises `KeyMaterialError`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _OPENSSL_VERSION[minimum]
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    _trust(context, tls.ca_pem, "CA of clients")
    load_pair(context, tls.certificate_pem, tls.key_pem, "server certificate")
    return context


def version_limits(
    context: ssl.SSLContext, minimum: TlsVersion, maximum: TlsVersion | None, ciphers: Sequence[CipherSuite]
) -> None:
    """Let *context* speak these versions only, and below TLS 1.3 these suites; none: the library's own choice."""
    context.minimum_version = _OPENSSL_VERSION[minimum]
    if maximum is not None:
        context.maximum_version = _OPENSSL_VERSION[maximum]
    older = [suite.openssl for suite in ciphers if suite.versions != _ONLY_1_3]
    if older:
        context.set_ciphers(":".join(older))


def check_pair(certificate_pem: str, key_pem: str, where: str) -> None:
    """Nothing, or `KeyMaterialError` when the two are not a certificate and its own, unencrypted private key."""
    load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate_pem, key_pem, where)


def _trust(context: ssl.SSLContext, pem: str, where: str) -> None:
    certificates_in(pem, where)
    try:
        context.load_verify_locations(cadata=pem)
    except ssl.SSLError as error:
        raise KeyMaterialError(f"{where}: expected CA certificates in PEM, OpenSSL says: {error.reason}") from error


def load_pair(context: ssl.SSLContext, certificate_pem: str, key_pem: str, where: str) -> None:
    """Let *context* show a certificate with its key. Raises `KeyMaterialError`."""
    certificates_in(certificate_pem, f"{where}, tls.crt")
    if "PRIVATE KEY-----" not in key_pem:
        raise KeyMaterialError(
            f"{where}, tls.key: expected a PEM private key (-----BEGIN PRIVATE KEY-----), found none"
        )
    if "ENCRYPTED" in key_pem:
        raise KeyMaterialError(f"{where}, tls.key: expected a private key without a passphrase, found an encrypted one")
    with _as_file(certificate_pem) as certificate, _as_file(key_pem) as key:
        try:
            # The password is never asked for: without it OpenSSL would prompt on the terminal.
            context.load_cert_chain(certificate, key, password="")
        except ssl.SSLError as error:
            raise KeyMaterialError(f"{where}: {_pair_problem(error)}") from error


def _pair_problem(error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "tls.key is not the private key of tls.crt"
    return f"tls.crt and tls.key cannot be used together: {error.reason or error}"


@contextlib.contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A path at which *text* can be read for a moment: `ssl` takes certificates and keys from files only."""
    if hasattr(os, "memfd_create"):  # Linux: a key never touches a disk, and a read-only container will do
        descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.TemporaryDirectory() as private:  # mode 0700
            path = Path(private, "pem")
            path.write_text(text, encoding="utf-8")
            yield str(path)
