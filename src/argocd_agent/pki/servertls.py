"""The TLS context of a listener that is not gRPC's, from PEM texts in memory, renewed without a restart."""

import ssl

from argocd_agent.pki.tls import CipherSuite, ServerTls, TlsVersion, load_pair, version_limits


def server_context(
    tls: ServerTls | None,
    *,
    minimum: TlsVersion = TlsVersion.TLS_1_2,
    maximum: TlsVersion | None = None,
    ciphers: tuple[CipherSuite, ...] = (),
    where: str = "server certificate",
) -> ssl.SSLContext:
    """A context that shows *tls*; None: nothing until it is renewed. Raises `KeyMaterialError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    version_limits(context, minimum, maximum, ciphers)
    if tls is not None:
        load_pair(context, tls.certificate_pem, tls.key_pem, where)
    return context


def renew(context: ssl.SSLContext, tls: ServerTls, where: str = "server certificate") -> None:
    """Show *tls* to whoever connects from now on. Raises `KeyMaterialError`, and shows what it showed before."""
    load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tls.certificate_pem, tls.key_pem, where)
    load_pair(context, tls.certificate_pem, tls.key_pem, where)
