"""What a certificate says about itself, read without cryptography: enough to check a date and explain a refusal.

A reader of the few DER fields (RFC 5280, 4.1) that messages to people need. It verifies nothing and must not
decide who gets in; TLS has done that, or has refused.
"""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

from argocd_agent.errors import KeyMaterialError

_SEQUENCE, _INTEGER, _OID, _UTC_TIME = 0x30, 0x02, 0x06, 0x17
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_OID_COMMON_NAME = bytes([0x55, 0x04, 0x03])  # 2.5.4.3
_OID_ALTERNATIVE_NAMES = bytes([0x55, 0x1D, 0x11])  # 2.5.29.17
_DNS, _URI, _IP = 0x82, 0x86, 0x87
_END = "-----END CERTIFICATE-----"
_BEGIN = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Glance:
    """The parts of a certificate that people ask for. `names` are its subject alternative names."""

    common_name: str
    issuer: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]


def glance(der: bytes, where: str) -> Glance:
    """What the certificate *der* says. Raises `KeyMaterialError`, naming *where* it came from."""
    try:
        return _read(der)
    except (IndexError, ValueError) as error:
        raise KeyMaterialError(f"{where}: expected an X.509 certificate, found {len(der)} other bytes") from error


def certificates_in(pem: str, where: str) -> list[bytes]:
    """The DER of every certificate in *pem*. Raises `KeyMaterialError` when there is none, or one is broken."""
    found = []
    for part in pem.split(_BEGIN)[1:]:
        block, end, _ = part.partition(_END)
        try:
            found.append(ssl.PEM_cert_to_DER_cert(f"{_BEGIN}{block}{end}\n"))
        except ValueError as error:
            raise KeyMaterialError(f"{where}: certificate {len(found) + 1} is not valid PEM: {error}") from error
    if not found:
        raise KeyMaterialError(f"{where}: expected a PEM certificate ({_BEGIN}), found none")
    return found


def check_validity(pem: str, now: datetime, where: str) -> Glance:
    """The first certificate in *pem*, which must be valid at *now*. Raises `KeyMaterialError` with the dates."""
    seen = glance(certificates_in(pem, where)[0], where)
    if now < seen.not_before:
        raise KeyMaterialError(f"{where}: the certificate is not valid before {seen.not_before:%Y-%m-%d %H:%M:%S} UTC")
    if now > seen.not_after:
        raise KeyMaterialError(f"{where}: the certificate expired on {seen.not_after:%Y-%m-%d %H:%M:%S} UTC")
    return seen


def _read(der: bytes) -> Glance:
    body = _children(_children(der)[0][1])  # Certificate → TBSCertificate
    fields = _children(body[0][1])
    if fields[0][0] == _VERSION:
        fields = fields[1:]
    _serial, _algorithm, issuer, validity, subject = (value for _, value in fields[:5])
    start, end = _children(validity)
    extensions = next((value for tag, value in fields[5:] if tag == _EXTENSIONS), b"")
    return Glance(
        common_name=_common_name(subject),
        issuer=_common_name(issuer),
        not_before=_time(*start),
        not_after=_time(*end),
        names=_alternative_names(extensions),
    )


def _children(data: bytes) -> list[tuple[int, bytes]]:
    """The elements in *data*, which may be one whole element or the content of one."""
    found, at = [], 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise ValueError("an element is longer than what holds it")
        found.append((tag, data[at : at + length]))
        at += length
    return found


def _common_name(name: bytes) -> str:
    for _, attributes in _children(name):
        for _, attribute in _children(attributes):
            (_, oid), (_, value) = _children(attribute)
            if oid == _OID_COMMON_NAME:
                return value.decode("utf-8", "replace")
    return ""


def _time(tag: int, value: bytes) -> datetime:
    text = value.decode("ascii")
    if tag == _UTC_TIME:  # RFC 5280, 4.1.2.5.1: two digits, 50 and above are 19xx
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _alternative_names(extensions: bytes) -> tuple[str, ...]:
    names: list[str] = []
    for _, listed in _children(extensions):
        for _, extension in _children(listed):
            parts = _children(extension)
            if parts[0][1] == _OID_ALTERNATIVE_NAMES:
                for tag, value in _children(_children(parts[-1][1])[0][1]):
                    if tag in (_DNS, _URI):
                        names.append(value.decode("ascii", "replace"))
                    elif tag == _IP:
                        names.append(str(ip_address(value)))
    return tuple(names)
