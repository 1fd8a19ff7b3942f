"""What went wrong between an agent and its principal, in sentences that a newcomer understands.

The cause of a failed handshake is OpenSSL's; what the certificate really says is fetched with a second, unverified
handshake, over which nothing is sent.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace

from argocd_agent.errors import AuthenticationFailed, KeyMaterialError, PeerUnavailable, TransportError
from argocd_agent.pki.glance import Glance, certificates_in, glance
from argocd_agent.pki.tls import ClientTls, client_context
from argocd_agent.transport.splice import End

# X509_V_ERR_… of OpenSSL's x509_vfy.h
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_ISSUER = {2, 18, 19, 20, 21}
_WRONG_NAME = {62, 64}

_NOT_TLS = {
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "UNEXPECTED_MESSAGE",
}
_VERSIONS = {
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "UNSUPPORTED_PROTOCOL",
    "NO_PROTOCOLS_AVAILABLE",
    "SSLV3_ALERT_HANDSHAKE_FAILURE",
}

# TLS alerts with which the other end refuses our certificate (RFC 8446, 6.2), by OpenSSL's reason.
_REFUSED = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it demands a client certificate and we have none",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it calls our client certificate bad",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "our client certificate is of a type that it does not support",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "our client certificate is revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our client certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept our client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "our client certificate is signed by a CA that it does not know",
    "TLSV1_ALERT_ACCESS_DENIED": "our client certificate may not connect",
}


def explain(error: Exception, address: str) -> TransportError:
    """*error* of a connection with *address*, as a sentence."""
    if isinstance(error, ssl.SSLError):
        return _explain_tls(error, address)
    if isinstance(error, ConnectionResetError):
        return PeerUnavailable(f"the principal at {address} reset the connection")
    if isinstance(error, OSError):
        return PeerUnavailable(f"cannot reach the principal at {address}: {error.strerror or error}")
    return PeerUnavailable(f"connection with the principal at {address}: {error}")


def explain_proxy(error: OSError, place: str) -> TransportError:
    """*error* of a connection with the forward proxy at *place*."""
    return PeerUnavailable(f"cannot reach the proxy {place}: {error.strerror or error}")


def explain_silence(tls: ClientTls | None, address: str) -> TransportError:
    """Why the principal at *address* closed the connection before it sent a byte: gRPC's server refuses a client
    certificate like that, where others send an alert."""
    start = f"the principal at {address} closed the connection at once"
    if tls is None:
        return PeerUnavailable(f"{start}: it may expect TLS, and we are in plaintext mode")
    if not tls.certificate_pem:
        return AuthenticationFailed(
            f"{start}: it refuses us, probably since it demands a client certificate: we have none"
        )
    try:
        ours = glance(certificates_in(tls.certificate_pem, tls.where)[0], tls.where)
    except KeyMaterialError:
        return AuthenticationFailed(f"{start}: it refuses us, probably since it does not accept our {tls.where}")
    return AuthenticationFailed(
        f"{start}: it refuses us, probably since it does not accept our {tls.where} ({ours.common_name or 'no CN'}, "
        f"signed by {ours.issuer or 'no CN'}, valid until {ours.not_after:%Y-%m-%d %H:%M:%S} UTC)"
    )


async def explain_refused_handshake(
    error: Exception,
    tls: ClientTls,
    open_again: Callable[[ssl.SSLContext], Awaitable[End]],
    address: str,
) -> TransportError:
    """Why the handshake with *address* failed. *open_again* dials once more with the context it is given."""
    if isinstance(error, ssl.SSLCertVerificationError):
        seen = await _look(tls, open_again, address)
        return AuthenticationFailed(_untrusted(error, seen, tls, address))
    if isinstance(error, ConnectionResetError):
        return PeerUnavailable(
            f"the principal at {address} broke off the TLS handshake: "
            "it may demand a newer TLS version or a client certificate that it knows, or not speak TLS at all"
        )
    return explain(error, address)


async def _look(tls: ClientTls, open_again: Callable[[ssl.SSLContext], Awaitable[End]], address: str) -> Glance | None:
    try:
        end = await open_again(client_context(replace(tls, verify=False)))
    except OSError:  # ssl.SSLError is one, too
        return None
    transport = end.transport
    if transport is None:
        return None
    der = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    transport.abort()
    await asyncio.wait({end.ended}, timeout=1.0)
    try:
        return glance(der, address) if der else None
    except KeyMaterialError:
        return None


def _untrusted(error: ssl.SSLCertVerificationError, seen: Glance | None, tls: ClientTls, address: str) -> str:
    start = f"the certificate of the principal at {address} "
    code = error.verify_code
    if code == _EXPIRED:
        return start + "has expired" + (f" (on {seen.not_after:%Y-%m-%d %H:%M:%S} UTC)" if seen else "")
    if code == _NOT_YET_VALID:
        return start + "is not yet valid" + (f" (from {seen.not_before:%Y-%m-%d %H:%M:%S} UTC on)" if seen else "")
    if code in _UNKNOWN_ISSUER:
        issuer = f" ({seen.issuer})" if seen else ""
        trusted = f"not in our {tls.where_ca}" if tls.ca_pem else "not known to this system; no root CA is configured"
        return start + f"is signed by a CA{issuer} that is {trusted}"
    if code in _WRONG_NAME:
        wanted = tls.server_name or address.rpartition(":")[0].strip("[]")
        names = f"; it is for {', '.join(seen.names) or 'no name at all'}" if seen else ""
        return start + f"is not for {wanted}{names}"
    return start + f"cannot be verified: {error.verify_message}"


def _explain_tls(error: ssl.SSLError, address: str) -> TransportError:
    reason = error.reason or ""
    if reason in _REFUSED:
        return AuthenticationFailed(f"the principal at {address} refuses us: {_REFUSED[reason]}")
    if reason in _NOT_TLS:
        return PeerUnavailable(f"{address} does not speak TLS (is the principal in plaintext mode?)")
    if reason in _VERSIONS:
        return PeerUnavailable(f"the principal at {address} and we have no TLS version or cipher suite in common")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return PeerUnavailable(f"the principal at {address} closed the connection")
    return PeerUnavailable(f"TLS with the principal at {address} failed: {reason or error}")
