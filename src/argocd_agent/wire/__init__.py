"""Bytes to events and payloads, and back. Pure: no I/O, no clock, no log.

Everything here reads what a peer sent: a decoder answers with a whole, checked value or raises one of our named errors,
never anything else. Everything written is bit for bit what the Go reference expects.
"""

from google.protobuf.internal import api_implementation


def require_upb(implementation: str) -> None:
    """Raises ImportError unless protobuf runs on upb: on pure Python every event costs 90 times as much."""
    if implementation != "upb":
        raise ImportError(
            f"protobuf must run on its C implementation upb, found {implementation!r}: install a wheel of protobuf "
            "built for this platform, and unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"
        )


require_upb(api_implementation.Type())
