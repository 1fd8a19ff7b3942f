"""What identifies a certificate: its digest, its subject as Go writes it, its URIs.

Users write regular expressions against the subject, so its text must be that of Go's `pkix.Name.String`, to the
byte (wire contract, 2.4).
"""

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from argocd_agent.errors import KeyMaterialError

Certificate = x509.Certificate

# In the order in which Go prints them, whatever their order in the certificate.
_ORDER: tuple[tuple[str, x509.ObjectIdentifier], ...] = (
    ("SERIALNUMBER", NameOID.SERIAL_NUMBER),
    ("CN", NameOID.COMMON_NAME),
    ("OU", NameOID.ORGANIZATIONAL_UNIT_NAME),
    ("O", NameOID.ORGANIZATION_NAME),
    ("POSTALCODE", NameOID.POSTAL_CODE),
    ("STREET", NameOID.STREET_ADDRESS),
    ("L", NameOID.LOCALITY_NAME),
    ("ST", NameOID.STATE_OR_PROVINCE_NAME),
    ("C", NameOID.COUNTRY_NAME),
)
_KNOWN = {oid for _, oid in _ORDER}
_SINGLE = {NameOID.SERIAL_NUMBER, NameOID.COMMON_NAME}  # Go keeps only the last of these
_ESCAPED = frozenset(',+"\\<>;')
_UTF8_STRING, _PRINTABLE_STRING = 0x0C, 0x13


def fingerprint(der: bytes) -> str:
    """SHA-256 of a certificate's DER, 64 upper-case hex digits: the form of the blocklist's keys."""
    return hashlib.sha256(der).hexdigest().upper()


def load_der(der: bytes, where: str) -> x509.Certificate:
    """The certificate *der*. Raises `KeyMaterialError`, naming *where* it came from."""
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise KeyMaterialError(f"{where}: not an X.509 certificate: {error}") from error


def to_der(certificate: x509.Certificate) -> bytes:
    """*certificate* as DER."""
    return certificate.public_bytes(Encoding.DER)


def subject_of(certificate: x509.Certificate) -> str:
    """The subject of *certificate* as Go's `pkix.Name.String` renders it: `CN=agent-1,O=example`."""
    parts = []
    for label, oid in _ORDER:
        values = [_text(attribute) for attribute in certificate.subject.get_attributes_for_oid(oid)]
        if values:
            parts.append("+".join(f"{label}={_escape(v)}" for v in (values[-1:] if oid in _SINGLE else values)))
    others = [attribute for attribute in certificate.subject if attribute.oid not in _KNOWN]
    parts += [f"{attribute.oid.dotted_string}=#{_der_of(attribute).hex()}" for attribute in reversed(others)]
    return ",".join(parts)


def common_name(certificate: x509.Certificate) -> str:
    """The subject's common name, empty without one."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return _text(names[-1]) if names else ""


def uris(certificate: x509.Certificate) -> list[str]:
    """The URI subject alternative names, in order."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):  # none, or extensions that nobody can read
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _text(attribute: x509.NameAttribute[str | bytes]) -> str:
    return attribute.value if isinstance(attribute.value, str) else attribute.value.decode("utf-8", "replace")


def _escape(value: str) -> str:
    escaped = []
    last = len(value) - 1
    for at, char in enumerate(value):
        edge = (at in (0, last) and char == " ") or (at == 0 and char == "#")
        escaped.append("\\" + char if char in _ESCAPED or edge else char)
    return "".join(escaped)


def _der_of(attribute: x509.NameAttribute[str | bytes]) -> bytes:
    """The value as Go marshals it again, whatever it was: a PrintableString where the text allows it, else UTF-8."""
    content = _text(attribute).encode()
    printable = all((chr(byte).isalnum() and byte < 0x80) or byte in b" '()+,-./:=?" for byte in content)
    tag = _PRINTABLE_STRING if printable else _UTF8_STRING
    length = bytes([len(content)]) if len(content) < 0x80 else _long(len(content))
    return bytes([tag]) + length + content


def _long(length: int) -> bytes:
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(digits)]) + digits
