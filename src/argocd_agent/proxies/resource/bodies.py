"""Bodies of requests: at most `BODY_LIMIT_BYTES` each, and `HELD_BYTES` in all that are held at one time.

A Kubernetes API takes 3 MiB and etcd 1.5, so the first limit is on the safe side; at the second, requests are refused
with 503 until others are done.
"""

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from argocd_agent.proxies.resource.refusals import Refused

BODY_LIMIT_BYTES = 16 << 20
HELD_BYTES = 256 << 20
_IDENTITY = frozenset({"", "identity"})


class Bodies:
    """The bodies that are held now."""

    def __init__(self) -> None:
        self.held_bytes = 0

    @contextlib.asynccontextmanager
    async def read(self, request: web.BaseRequest) -> AsyncIterator[bytes]:
        """The body of *request*, held until the end of the block. Raises `Refused`."""
        encoding = request.headers.get("Content-Encoding", "").lower()
        if encoding not in _IDENTITY:
            raise Refused(415, f"Content-Encoding: expected none, found {encoding[:100]!r}", closes=True)
        if (request.content_length or 0) > BODY_LIMIT_BYTES:
            raise _too_large()
        held = bytearray()
        before = self.held_bytes
        taken = 0
        try:
            async for chunk in request.content.iter_any():
                taken += len(chunk)
                self.held_bytes += len(chunk)
                if taken > BODY_LIMIT_BYTES:
                    raise _too_large()
                if self.held_bytes > HELD_BYTES:
                    raise Refused(503, f"requests with {before} bytes are under way: try again later", closes=True)
                held += chunk
            yield bytes(held)
        finally:
            self.held_bytes -= taken


def _too_large() -> Refused:
    return Refused(413, f"body: expected at most {BODY_LIMIT_BYTES} bytes, found more", closes=True)
