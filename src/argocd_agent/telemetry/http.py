"""A few pages of plain text over HTTP/1.1: health on one port, metrics on another. GET and HEAD, one per connection.

Not aiohttp's server: this one costs a quarter of a MiB, that one three, and an agent counts its memory. At most
`CONNECTIONS` are open at once (more are closed unanswered); a request has 5 s and 16 KiB to arrive.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from argocd_agent.codec import encode
from argocd_agent.errors import ConfigError
from argocd_agent.telemetry.exposition import CONTENT_TYPE, Registry
from argocd_agent.telemetry.health import Health

CONNECTIONS = 64
_SECONDS = 5.0
_LIMIT_BYTES = 16 * 1024
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a page says."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


Page = Callable[[bool], Answer]  # its argument: JSON is wanted


def health_pages(health: Health, is_healthy: Callable[[], bool]) -> Mapping[str, Page]:
    """`/healthz` (empty, as the reference's: 200 or 503), `/livez` (we answer, so we live), `/readyz` (and why not)."""

    def readyz(wants_json: bool) -> Answer:
        report = health.report()
        status = 200 if report.is_ready else 503
        if wants_json:
            body = encode({"ready": report.is_ready, "missing": dict(report.missing)}) + b"\n"
            return Answer(status, body, "application/json")
        return Answer(status, report.text().encode())

    return {
        "/healthz": lambda _: Answer(200 if is_healthy() else 503),
        "/livez": lambda _: Answer(200, b"ok\n"),
        "/readyz": readyz,
    }


def metrics_pages(registry: Registry) -> Mapping[str, Page]:
    """`/metrics`."""
    return {"/metrics": lambda _: Answer(200, registry.render(), CONTENT_TYPE)}


@asynccontextmanager
async def serving(pages: Mapping[str, Page], host: str, port: int, setting: str) -> AsyncIterator[int]:
    """Serve *pages* until the end of the block; yields the port in use. Raises `ConfigError`, naming *setting*, when
    the port cannot be had."""
    busy: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(busy) >= CONNECTIONS:
            writer.close()
            return
        busy.add(writer)
        try:
            async with asyncio.timeout(_SECONDS):
                writer.write(_respond(await reader.readuntil(b"\r\n\r\n"), pages))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # too slow, too big or gone: nobody is left to be told
        finally:
            busy.discard(writer)
            writer.close()

    try:
        server = await asyncio.start_server(serve, host or None, port, limit=_LIMIT_BYTES)
    except OSError as error:
        raise ConfigError(f"{setting}: cannot listen on {host or 'any address'}, port {port}: {error}") from error
    async with server:
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            for writer in list(busy):  # or the server would wait for slow readers
                writer.close()


def _respond(head: bytes, pages: Mapping[str, Page]) -> bytes:
    """The whole response to the request that *head* is."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return _response(Answer(400, b"expected an HTTP/1.1 request\n"), has_body=True)
    method, target, _ = words
    page = pages.get(target.partition("?")[0])
    if page is None:
        return _response(Answer(404, f"no such page; there are {', '.join(pages)}\n".encode()), has_body=True)
    if method not in ("GET", "HEAD"):
        return _response(Answer(405, b"only GET and HEAD\n"), has_body=True)
    wants_json = any(line.lower().startswith("accept:") and "application/json" in line.lower() for line in lines)
    return _response(page(wants_json), has_body=method == "GET")


def _response(answer: Answer, *, has_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (answer.body if has_body else b"")
