"""A certificate authority for real API servers: their certificate, and certificates of users (CN) in groups (O)."""

import base64
import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from argocd_agent.codec import encode

VALID_FOR = datetime.timedelta(days=30)


class Authority:
    """One CA; its certificate and the server's (`server.crt`, `server.key`, for 127.0.0.1) stand in *folder*."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "ca.crt"
        self.server_certificate, self.server_key = folder / "server.crt", folder / "server.key"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test clusters")])
        builder = _builder(self._name, self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.certificate.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        names = x509.SubjectAlternativeName([address, x509.DNSName("localhost"), x509.DNSName("kubernetes")])
        self._write(folder / "server", self._subject("kube-apiserver", ()), ExtendedKeyUsageOID.SERVER_AUTH, names)

    def issue(self, path: Path, user: str, groups: Sequence[str]) -> tuple[bytes, bytes]:
        """A client certificate for *user* in *groups*, and its key, as PEM; also written to PATH.crt and PATH.key."""
        return self._write(path, self._subject(user, groups), ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def kubeconfig(self, server: str, name: str, user: str, certificate: bytes, key: bytes) -> bytes:
        """A kubeconfig with one context, as JSON."""
        identity = {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)}
        cluster = {"server": server, "certificate-authority-data": _base64(self.certificate.read_bytes())}
        return encode(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": name, "cluster": cluster}],
                "users": [{"name": user, "user": identity}],
                "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
                "current-context": name,
            }
        )

    def _subject(self, user: str, groups: Sequence[str]) -> x509.Name:
        organisations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        return x509.Name([*organisations, x509.NameAttribute(NameOID.COMMON_NAME, user)])

    def _write(
        self, path: Path, subject: x509.Name, usage: x509.ObjectIdentifier, names: x509.SubjectAlternativeName | None
    ) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, self._name, key.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        certificate = _pem(builder.sign(self._key, hashes.SHA256()))
        # kube-apiserver does not read the newer PKCS#8 as a key for service accounts.
        encoding, layout = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
        secret = key.private_bytes(encoding, layout, serialization.NoEncryption())
        Path(f"{path}.crt").write_bytes(certificate)
        Path(f"{path}.key").write_bytes(secret)
        return certificate, secret


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(minutes=5),
        not_valid_after=now + VALID_FOR,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
