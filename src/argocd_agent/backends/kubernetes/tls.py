"""A TLS context for one API server and one client certificate, by the standard library alone.

The standard library takes certificate and key only as files. They go through an anonymous file in memory where the
system has those, so that no key touches a disk and a read-only file system will do.
"""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator

from argocd_agent.backends.kubernetes.config import KubeConfig
from argocd_agent.backends.kubernetes.credentials import Credential
from argocd_agent.errors import ConfigError, Unavailable


def context_for(config: KubeConfig, credential: Credential) -> ssl.SSLContext:
    """The context. Raises `Unavailable`, naming what cannot be used: the CA, or the client certificate or key."""
    try:
        authority = config.ca.read()
        context = ssl.create_default_context(cadata=authority.decode("ascii") if authority else None)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise Unavailable(f"{config.ca.what}: expected PEM certificates: {error}") from error
    except ConfigError as error:
        raise Unavailable(str(error)) from error
    # Python 3.13 turns this on; authorities made by several Kubernetes distributions do not pass it.
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.skips_verification:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if credential.certificate:
        with _file_of(credential.certificate + b"\n" + credential.key) as path:
            try:
                context.load_cert_chain(path)
            except ssl.SSLError as error:
                reason = error.reason or str(error)
                raise Unavailable(
                    f'user "{config.user.name}": client certificate and key cannot be used together: {reason}'
                ) from error
    return context


@contextlib.contextmanager
def _file_of(content: bytes) -> Iterator[str]:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{descriptor}"
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            yield path
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name
