"""gRPC's own log lines: text of its own on stderr, which no format of ours fits. Import this before grpc.

They are the only trace of a TLS handshake that the hub's listener refused, so they can be had: with log level debug or
trace, or by the variable itself.
"""

import os

VERBOSITY = "GRPC_VERBOSITY"


def silence() -> None:
    """Keep gRPC quiet, unless the user has said how talkative it is to be. Sets a variable of this process."""
    os.environ.setdefault(VERBOSITY, "NONE")
