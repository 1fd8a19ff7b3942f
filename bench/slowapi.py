"""A spoke's API server that takes its time: the real one behind a stage that holds back what is asked of one object.

Everything else, watches too, passes through at once, byte by byte.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web
from yarl import URL

from argocd_agent.codec import encode
from argocd_agent.peer.observe import pause

LIMIT_BYTES = 16 << 20
_OF_ONE_HOP = frozenset({"host", "connection", "transfer-encoding", "content-length", "keep-alive"})


@contextlib.asynccontextmanager
async def slow_api(url: str, tls: ssl.SSLContext, path: str, seconds: float, folder: Path) -> AsyncIterator[Path]:
    """The kubeconfig of a stage before the API server at *url*, where *path* takes *seconds* longer."""
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:

        async def serve(request: web.BaseRequest) -> web.StreamResponse:
            if request.path == path:
                await pause(seconds)
            kept = [(name, value) for name, value in request.headers.items() if name.lower() not in _OF_ONE_HOP]
            body = await request.read()
            target = URL(url + request.raw_path, encoded=True)
            async with session.request(request.method, target, headers=kept, data=body) as answer:
                response = web.StreamResponse(status=answer.status)
                response.content_type = answer.content_type
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response

        server = await asyncio.get_running_loop().create_server(web.Server(serve, access_log=None), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        kubeconfig = folder / "slow.kubeconfig"
        kubeconfig.write_bytes(_kubeconfig(f"http://127.0.0.1:{port}"))
        try:
            yield kubeconfig
        finally:
            server.close()


def _kubeconfig(url: str) -> bytes:
    named = {"cluster": {"server": url}, "context": {"cluster": "slow", "user": "slow"}, "user": {}}
    entries = {f"{kind}s": [{"name": "slow", kind: value}] for kind, value in named.items()}
    return encode({"apiVersion": "v1", "kind": "Config", "current-context": "slow", **entries})
