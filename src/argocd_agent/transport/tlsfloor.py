"""The lowest TLS version of the hub's listener. Import this before grpc, and call `hold` before anything imports it.

grpc has no setting for it. TLS 1.2 is its own floor; above that, what remains is the list of cipher suites of TLS
1.2 and below, which it reads from GRPC_SSL_CIPHER_SUITES when it is first imported and which must not be empty. A
list with nothing but a pre-shared-key suite, for which no key is ever configured, leaves TLS 1.3 alone in reach: a
TLS 1.2 client and such a listener have no suite in common.
"""

import os
import sys
from collections.abc import Sequence

from argocd_agent.errors import ConfigError, LocalProtocolError
from argocd_agent.pki.tls import CipherSuite, TlsVersion

VARIABLE = "GRPC_SSL_CIPHER_SUITES"
UNREACHABLE = "ECDHE-PSK-CHACHA20-POLY1305"


def hold(minimum: TlsVersion, maximum: TlsVersion | None = None, suites: Sequence[CipherSuite] = ()) -> None:
    """Every listener of this process speaks *minimum* or above, and of TLS 1.2's suites only *suites*, if given.

    Sets an environment variable of this process. Raises `ConfigError` for TLS 1.1 and for a *maximum* below TLS 1.3,
    which grpc cannot do; `LocalProtocolError` when grpc has been imported already and would not notice.
    """
    wanted = cipher_list(minimum, maximum, suites)
    if wanted == os.environ.get(VARIABLE, ""):
        return
    if "grpc" in sys.modules:
        raise LocalProtocolError("the TLS floor must be set before grpc is imported")
    os.environ[VARIABLE] = wanted


def cipher_list(minimum: TlsVersion, maximum: TlsVersion | None, suites: Sequence[CipherSuite]) -> str:
    """The value of grpc's variable; empty: its default. Raises as `hold`."""
    if minimum is TlsVersion.TLS_1_1:
        raise ConfigError("tls-min-version: tls1.1 is not offered (RFC 8996 forbids it); use tls1.2 or tls1.3")
    if maximum is not None and maximum is not TlsVersion.TLS_1_3:
        raise ConfigError(f"tls-max-version: {maximum} cannot be held: gRPC always offers tls1.3; remove the setting")
    if minimum is TlsVersion.TLS_1_3:
        return UNREACHABLE
    return ":".join(suite.openssl for suite in suites if TlsVersion.TLS_1_2 in suite.versions)
